// The functions of simd/arch.hpp: arithmetic against <cmath>, and the ones that move lanes.

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/ulps.hpp"

#include <algorithm>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace privet;

TEST_CASE("sqrt and divide are rounded correctly") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto root = [](const auto& x) { return simd::sqrt(x); };
    test::check_ulps<Arch>("sqrt", test::of_every_size(T(0), limits::max()), 0.5 + test::slack, root,
                           [](auto x) { return std::sqrt(x); });
    test::check_awkward<Arch, T>(root, [](T x) { return std::sqrt(x); });
    for (const T over : {T(1), T(-3), T(0.1), limits::max() / 8}) {
      const auto quotient = [over](const auto& x) {
        return simd::divide(std::remove_cvref_t<decltype(x)>(over), x);
      };
      const auto x = test::and_negated(test::of_every_size(limits::min(), limits::max(), 9000));
      const auto got = test::apply<Arch>(x, quotient);
      for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(got[i] == over / x[i]);
      test::check_awkward<Arch, T>(quotient, [over](T divisor) { return over / divisor; });
    }
  });
}

TEST_CASE("fma rounds once where there is an instruction") {
  test::for_each_kind([]<class Arch, class T>() {
    const auto a = test::normals<T>(5000, 1), b = test::normals<T>(5000, 2), c = test::normals<T>(5000, 3);
    simd::for_each_batch<Arch, T>(a.size(), [&](std::size_t i, auto lanes) {
      const auto load = [&](const auto& from) { return simd::load_lanes<Arch>(from.data() + i, lanes); };
      T got[simd::width<T, Arch>];
      simd::store<Arch, T>(got, simd::fma(load(a), load(b), load(c)));
      const std::size_t count = std::min(simd::width<T, Arch>, a.size() - i);
      for (std::size_t l = 0; l < count; ++l) {
        const T expected = std::fma(a[i + l], b[i + l], c[i + l]);
        const T unfused =
            std::numeric_limits<T>::epsilon() * (std::abs(a[i + l] * b[i + l]) + std::abs(expected));
        REQUIRE(test::near(got[l], expected, test::fused<Arch> ? T(0) : unfused));
      }
    });
  });
}

TEST_CASE("select takes each lane from its side, whatever the other holds") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto a = test::mixed<T>(w, seed), b = test::mixed<T>(w, seed + 7),
                 yes = test::mixed<T>(w, seed + 1), no = test::mixed<T>(w, seed + 2);
      const auto of = [](const auto& x) { return simd::load<Arch>(x.data()); };
      T less[w], equal[w];
      simd::store<Arch, T>(less, simd::select(of(a) < of(b), of(yes), of(no)));
      simd::store<Arch, T>(equal, simd::select(of(a) == of(b), of(yes), of(no)));
      for (std::size_t i = 0; i < w; ++i) {
        CHECK(test::same(less[i], a[i] < b[i] ? yes[i] : no[i]));
        CHECK(test::same(equal[i], a[i] == b[i] ? yes[i] : no[i]));
      }
    }
  });
}

TEST_CASE("positive_part is 0 below 0 and NaN for NaN") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    auto x = test::mixed<T>(1000, 3);
    for (const T special : {T(0), -T(0), limits::infinity(), -limits::infinity(), limits::quiet_NaN(),
                            limits::denorm_min(), -limits::denorm_min(), limits::lowest()})
      x.push_back(special);
    const auto out = test::apply<Arch>(x, [](const auto& v) { return simd::positive_part(v); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      INFO("x " << x[i]);
      CHECK((std::isnan(x[i]) ? std::isnan(out[i]) : out[i] == std::max(x[i], T(0))));
    }
  });
}

TEST_CASE("load_partial, store_partial and kept take the first lanes and touch no other") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::size_t n = 0; n <= w; ++n) {
      INFO(n << " of " << w);
      test::guarded<T> from(test::mixed<T>(w, n + 1));
      T lanes[w];
      simd::store<Arch, T>(lanes, simd::load_partial<Arch>(static_cast<const T*>(from.data()), n));
      for (std::size_t i = 0; i < w; ++i) CHECK(test::same(lanes[i], i < n ? from.data()[i] : T(0)));

      const auto all = simd::load<Arch>(static_cast<const T*>(from.data()));
      simd::store<Arch, T>(lanes, simd::kept(all, simd::some_lanes{n}));
      for (std::size_t i = 0; i < w; ++i) CHECK(test::same(lanes[i], i < n ? from.data()[i] : T(0)));
      simd::store<Arch, T>(lanes, simd::kept(all, simd::all_lanes{}));
      for (std::size_t i = 0; i < w; ++i) CHECK(test::same(lanes[i], from.data()[i]));

      test::guarded<T> to{std::vector<T>(w, T(5))};
      simd::store_partial<Arch, T>(to.data(), all, n);
      for (std::size_t i = 0; i < w; ++i) CHECK(test::same(to.data()[i], i < n ? from.data()[i] : T(5)));
      CHECK(to.intact());
    }
  });
}

#if __has_include(<sys/mman.h>)
TEST_CASE("partial loads and stores stop at the end of a page") {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const both = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(both != MAP_FAILED);
  char* const end = static_cast<char*>(both) + page;
  REQUIRE(mprotect(end, page, PROT_NONE) == 0); // from here on a touch is a crash
  test::for_each_kind([&]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::size_t n = 0; n <= w; ++n) {
      T* const last = reinterpret_cast<T*>(end) - n;
      const auto numbers = test::normals<T>(w, n);
      simd::store_partial<Arch, T>(last, simd::load<Arch>(numbers.data()), n);
      T lanes[w];
      simd::store<Arch, T>(lanes, simd::load_partial<Arch>(static_cast<const T*>(last), n));
      for (std::size_t i = 0; i < w; ++i) CHECK(lanes[i] == (i < n ? numbers[i] : T(0)));
    }
  });
  CHECK(munmap(both, 2 * page) == 0);
}
#endif

TEST_CASE("held, load and store keep every bit") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      test::guarded<T> from(test::mixed<T>(w, seed)), to{std::vector<T>(w, T(5))};
      simd::store<Arch, T>(to.data(), simd::held(simd::load<Arch>(static_cast<const T*>(from.data()))));
      CHECK(std::equal(from.data(), from.data() + w, to.data(), test::same<T>));
      CHECK(to.intact());
    }
  });
}

TEST_CASE("reduce_add is the sum of the lanes") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const auto x = seed % 2 ? test::mixed<T>(w, seed) : test::normals<T>(w, seed);
      T sum{}, size{};
      for (const T number : x) sum += number, size += std::abs(number);
      // Another order of the same terms: w - 1 roundings of at most the sum of their sizes.
      const T got = simd::reduce_add(simd::load<Arch>(x.data()));
      CHECK(
          (got == sum || test::near(got, sum, std::numeric_limits<T>::epsilon() * static_cast<T>(w) * size)));
    }
  });
}

TEST_CASE("for_each_batch covers a range once, in order, with a tail at most") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::size_t n = 0; n <= 67; ++n) {
      std::size_t covered = 0;
      simd::for_each_batch<Arch, T>(n, [&](std::size_t i, auto lanes) {
        CHECK(i == covered);
        if constexpr (std::same_as<decltype(lanes), simd::all_lanes>) {
          covered += w;
        } else {
          CHECK((lanes.count > 0 && lanes.count < w));
          covered += lanes.count;
        }
      });
      CHECK(covered == n);
    }
  });
}
