#pragma once
// Everything in random/. Written by tools/generate_floor_headers.

#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
