# Warnings for our own code: everything in tests/, examples/ and benchmarks/ links this.
add_library(privet_warnings INTERFACE)
# Options and settings are aggregates whose left-out members have defaults: that is no slip.
target_compile_options(privet_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  -Wno-missing-field-initializers)

# Under -march=native GCC 12 reports the intrinsics' own `__Y = __Y` as uninitialised (GCC bug 105593), and
# under the sanitizers members of std::function. The portable preset and clang watch for real ones.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND
   "${CMAKE_CXX_FLAGS_RELEASE} ${CMAKE_CXX_FLAGS_DEBUG}" MATCHES "-march=native|-fsanitize")
  target_compile_options(privet_warnings INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

# GCC 12 also sees an overflow in std::vector's own insert at the end of a vector that it has just followed.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(privet_warnings INTERFACE -Wno-stringop-overflow)
endif()

# AArch64 GCC notes an ABI change against its own version 9; everything here is built by one compiler.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  target_compile_options(privet_warnings INTERFACE -Wno-psabi)
endif()
