#pragma once
// Numbers for tests: standard normals from the replayable source.

#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace privet::test {

template <class T = double>
std::vector<T> normals(std::size_t n, std::uint64_t seed) {
  replayable_random source(seed);
  std::vector<T> out(n);
  for (auto& x : out) {
    const double radius = std::sqrt(-2 * std::log(1 - uniform01<double>(source)));
    x = static_cast<T>(radius * std::cos(2 * std::numbers::pi * uniform01<double>(source)));
  }
  return out;
}

} // namespace privet::test
