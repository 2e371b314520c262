#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/denormals.hpp>
#include <privet/simd/top_k.hpp>

#include <algorithm>
#include <bit>
#include <numeric>

using namespace privet;

namespace {

/// The numbers of all elements, the largest first; of equal ones the first comes first.
std::vector<std::uint32_t> by_magnitude(std::span<const float> x) {
  std::vector<std::uint32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, std::greater(),
                           [&](std::uint32_t i) { return std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFF; });
  return order;
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

/// The first k of an order, as they lie in x.
struct selection {
  std::vector<std::uint32_t> indices, bits;
  selection(std::span<const float> x, const std::vector<std::uint32_t>& order, std::size_t k)
      : indices(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k)) {
    std::ranges::sort(indices);
    for (const auto i : indices) bits.push_back(std::bit_cast<std::uint32_t>(x[i]));
  }
};

template <class Arch>
void check(std::span<const float> x, const std::vector<std::uint32_t>& order, std::size_t k) {
  INFO("n " << x.size() << ", k " << k);
  const selection expected(x, order, k);
  test::guarded<std::uint32_t> indices{std::vector<std::uint32_t>(k)};
  test::guarded<float> values{std::vector<float>(k)};
  simd::top_k<Arch>(x, std::span(indices.data(), k), std::span(values.data(), k));
  REQUIRE(indices.values() == expected.indices);
  REQUIRE(bits_of(values.values()) == expected.bits);
  REQUIRE(indices.intact());
  REQUIRE(values.intact());
}

template <class F>
void for_each_arch(F f) {
  f.template operator()<simd::default_arch>();
  f.template operator()<simd::scalar>();
}

/// Checks with k from one to all.
void check_many(std::span<const float> x) {
  const auto order = by_magnitude(x);
  const std::size_t n = x.size();
  for_each_arch([&]<class Arch>() {
    for (const std::size_t k : {std::size_t{1}, std::size_t{2}, n / 1000, n / 100, n / 10, n / 2, n - 1, n})
      check<Arch>(x, order, k);
  });
}

} // namespace

TEST_CASE("top_k equals a stable sort at every small size") {
  for (std::size_t n = 0; n <= 67; ++n) {
    test::guarded<float> x(test::mixed<float>(n, n));
    const std::span<const float> all(x.data(), n);
    const auto order = by_magnitude(all);
    for_each_arch([&]<class Arch>() {
      for (std::size_t k = 0; k <= n; ++k) check<Arch>(all, order, k);
    });
  }
}

TEST_CASE("top_k_reference equals a stable sort") {
  for (const std::size_t n : {0u, 1u, 50u, 300u}) {
    const auto x = test::mixed<float>(n, n);
    const auto order = by_magnitude(x);
    for (std::size_t k = 0; k <= n; k += 1 + n / 20) {
      const selection expected(x, order, k);
      std::vector<std::uint32_t> indices(k);
      std::vector<float> values(k);
      simd::top_k_reference(x, indices, values);
      REQUIRE(indices == expected.indices);
      REQUIRE(bits_of(values) == expected.bits);
    }
  }
}

// The sizes lie around those at which the search changes its ways.
TEST_CASE("top_k equals a stable sort whatever the distribution") {
  for (const std::size_t n : {191u, 192u, 193u, 1024u, 1025u, 4095u, 4096u, 4097u, 9000u, 32767u, 32768u, 70001u}) {
    auto x = test::normals<float>(n, n);
    const auto changed = [&](auto f) {
      auto y = x;
      for (std::size_t i = 0; i < n; ++i) y[i] = f(i, y[i]);
      check_many(y);
    };
    check_many(x);
    changed([](std::size_t, float v) { return v * v * v * v * v; });
    changed([](std::size_t i, float v) { return i % 50 ? 0.f : v; });                       // mostly zeros
    changed([](std::size_t, float v) { return std::round(2 * v); });                        // many equal ones
    changed([](std::size_t i, float) { return i % 2 ? 0.3f : -0.3f; });                     // nothing else
    changed([](std::size_t i, float) { return static_cast<float>(i); });                    // ascending
    changed([=](std::size_t i, float) { return static_cast<float>(n - i); });               // descending
    changed([](std::size_t i, float) { return 1 + static_cast<float>(i % 7) * 0x1p-23f; }); // last bits
    changed([](std::size_t i, float v) { return i % 3 ? v : v * 1e-42f; });                 // denormals
    changed([](std::size_t i, float v) { return i % 5 ? v : v * 1e38f * 1e38f; });          // infinities
  }
}

TEST_CASE("top_k is exact when the sample says nothing of the rest") {
  const std::size_t n = 100000;
  const auto sampled = [](std::size_t i) { return i % (61 * 16) < 16; };
  for (const float scale : {1e-6f, 1e6f, 0.f}) {
    auto x = test::normals<float>(n, 3);
    for (std::size_t i = 0; i < n; ++i)
      if (sampled(i)) x[i] *= scale;
    check_many(x);
  }
  std::vector<float> x(n, 2.f); // the sample sees one value, of which there are few
  for (std::size_t i = 0; i < n; ++i)
    if (!sampled(i)) x[i] = static_cast<float>(i % 1000) * 0.01f;
  check_many(x);
}

TEST_CASE("of equal magnitudes the first are taken, whatever their sign") {
  const std::vector<float> x = {-2, 1, 3, 2, 2, -3, 1, -2};
  std::vector<std::uint32_t> indices(4);
  std::vector<float> values(4);
  simd::top_k(x, indices, values);
  CHECK(indices == std::vector<std::uint32_t>{0, 2, 3, 5});
  CHECK(values == std::vector<float>{-2, 3, 2, -3});
}

TEST_CASE("NaN is larger than infinity") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1, inf, -nan, 5, -inf, nan, 1e38f};
  std::vector<std::uint32_t> indices(3);
  std::vector<float> values(3);
  simd::top_k(x, indices, values);
  CHECK(indices == std::vector<std::uint32_t>{1, 2, 5});
  CHECK(values[0] == inf);
  CHECK((std::isnan(values[1]) && std::signbit(values[1])));
  CHECK((std::isnan(values[2]) && !std::signbit(values[2])));
}

TEST_CASE("top_k tells denormals apart where they are flushed") {
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i * 7919 % 1000 + 1));
  const auto order = by_magnitude(x);
  const simd::flush_denormals quick;
  for_each_arch([&]<class Arch>() { check<Arch>(x, order, 300); });
}

TEST_CASE("find_top_k needs no memory, and gives the same with much of it") {
  const auto x = test::normals<float>(200000, 5);
  std::vector<std::uint32_t> room(x.size());
  for (const std::size_t k : {1u, 100u, 5000u, 60000u, 200000u}) {
    const auto without = simd::find_top_k(x, k), with = simd::find_top_k(x, k, room);
    CHECK(without.bits == with.bits);
    CHECK(without.equal == with.equal);
    const auto above = std::ranges::count_if(x, [&](float v) { return simd::magnitude(v) > with.bits; });
    CHECK(static_cast<std::size_t>(above) + with.equal == k);
  }
}
