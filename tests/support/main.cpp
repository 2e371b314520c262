// Compiled once and linked into every test binary. Catch2 2.13 makes its main here; from version 3
// on it comes from Catch2's own library.
#define CATCH_CONFIG_MAIN
#include "support/catch.hpp"
