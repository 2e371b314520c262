#include "support/catch.hpp"

#include <privet/simd/shuffle.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

using namespace privet;

namespace {

using Arch = simd::default_arch;

/// Lanes 0, 1, 2, ... from `first` on.
template <class T>
simd::batch<T, Arch> counting(int first) {
  T lanes[simd::width<T, Arch>];
  for (std::size_t i = 0; i < simd::width<T, Arch>; ++i)
    lanes[i] = static_cast<T>(first + static_cast<int>(i));
  return simd::load<Arch>(static_cast<const T*>(lanes));
}

template <class T>
std::vector<T> lanes(const simd::batch<T, Arch>& v) {
  std::vector<T> out(simd::width<T, Arch>);
  simd::store<Arch, T>(out.data(), v);
  return out;
}

template <simd::detail::lane_map Map, class T, std::size_t Unit, std::size_t Span>
void compare_ways() {
  const auto a = counting<T>(1), b = counting<T>(101);
  CHECK(lanes<T>(simd::detail::moved<Map, Unit, Span>(a, b)) ==
        lanes<T>(simd::detail::moved_in_memory<Map, T, Unit, Span>(a, b)));
}

} // namespace

TEMPLATE_TEST_CASE("pairs come apart and together again", "", float, double, std::uint32_t, std::uint64_t) {
  using T = TestType;
  constexpr std::size_t n = simd::width<T, Arch>;
  auto a = counting<T>(0), b = counting<T>(static_cast<int>(n));
  simd::unzip_pairs(a, b);
  const auto first = lanes<T>(a), second = lanes<T>(b);
  std::vector<bool> seen(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    if constexpr (n > 1) {
      CHECK(static_cast<int>(first[i]) % 2 == 0);
      CHECK(second[i] == first[i] + 1);
    }
    seen[static_cast<std::size_t>(first[i])] = seen[static_cast<std::size_t>(second[i])] = true;
  }
  CHECK(seen == std::vector<bool>(2 * n, true));
  simd::zip_pairs(a, b);
  CHECK(lanes<T>(a) == lanes<T>(counting<T>(0)));
  CHECK(lanes<T>(b) == lanes<T>(counting<T>(static_cast<int>(n))));
}

TEST_CASE("lanes move in registers as they do in memory") {
  if constexpr (simd::width<std::uint32_t, Arch> > 1) {
    using simd::detail::every_other, simd::detail::in_turn;
    constexpr std::size_t bytes = sizeof(simd::batch<std::uint32_t, Arch>);
    compare_ways<every_other<0>, std::uint32_t, 4, 16>();
    compare_ways<every_other<1>, std::uint32_t, 4, 16>();
    compare_ways<in_turn<0>, std::uint32_t, 4, 16>();
    compare_ways<in_turn<1>, std::uint32_t, 4, 16>();
    compare_ways<in_turn<0>, std::uint64_t, 8, 16>();
    compare_ways<in_turn<1>, std::uint64_t, 8, 16>();
    if constexpr (bytes > 16) {
      compare_ways<every_other<0>, std::uint64_t, 16, bytes>();
      compare_ways<every_other<1>, std::uint64_t, 16, bytes>();
    }
  }
}

TEMPLATE_TEST_CASE("lanes of sixteen batches become blocks of sixteen words", "", simd::default_arch,
                   simd::scalar) {
  constexpr std::size_t n = simd::width<std::uint32_t, TestType>;
  simd::batch<std::uint32_t, TestType> x[16];
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint32_t from[n];
    for (std::size_t lane = 0; lane < n; ++lane) from[lane] = static_cast<std::uint32_t>(16 * lane + i);
    x[i] = simd::load<TestType>(static_cast<const std::uint32_t*>(from));
  }
  std::vector<std::uint32_t> out(16 * n + 2, 0xDEAD);
  simd::store_blocks<TestType>(out.data() + 1, x); // one past any alignment
  CHECK(out.front() == 0xDEAD);
  CHECK(out.back() == 0xDEAD);
  for (std::size_t i = 0; i < 16 * n; ++i) CHECK(out[i + 1] == i);
}
