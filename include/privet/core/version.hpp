#pragma once
// The one place the version is written; CMake and the packages read it from here.

#define PRIVET_VERSION_MAJOR 0
#define PRIVET_VERSION_MINOR 1
#define PRIVET_VERSION_PATCH 0
