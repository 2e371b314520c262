// The functions of simd/arch.hpp: arithmetic against <cmath>, and the ones that move lanes.

#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <algorithm>
#include <bit>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace privet;

namespace {

/// What errors are measured against.
template <class T>
using precise = std::conditional_t<std::same_as<T, float>, double, long double>;

/// |got - exact| in units of the last place of a T of that size, or of the smallest normal one.
template <class T>
double ulps(T got, precise<T> exact) {
  using limits = std::numeric_limits<T>;
  const T rounded = static_cast<T>(exact);
  if (!std::isfinite(got) || !std::isfinite(rounded))
    return test::same(got, rounded) ? 0 : std::numeric_limits<double>::infinity();
  int exponent = 0;
  std::frexp(exact, &exponent);
  exponent = exact == 0 ? limits::min_exponent : std::max(exponent, limits::min_exponent);
  return static_cast<double>(std::ldexp(std::abs(got - exact), limits::digits - exponent));
}

template <class Arch, class T, class F>
std::vector<T> apply(const std::vector<T>& x, F f) {
  std::vector<T> out(x.size());
  simd::for_each_batch<Arch, T>(x.size(), [&](std::size_t i, auto lanes) {
    simd::store_lanes<Arch, T>(out.data() + i, f(simd::load_lanes<Arch>(x.data() + i, lanes)), lanes);
  });
  return out;
}

template <class Arch, class T, class F, class Exact>
void check_ulps(const char* name, const std::vector<T>& x, double limit, F f, Exact exact) {
  const auto got = apply<Arch>(x, f);
  double worst = 0;
  T at{};
  for (std::size_t i = 0; i < x.size(); ++i)
    if (const double error = ulps<T>(got[i], exact(static_cast<precise<T>>(x[i]))); error > worst)
      worst = error, at = x[i];
  INFO(name << " of " << sizeof(T) << " bytes, worst at " << at);
  CHECK(worst <= limit);
}

/// About `count` numbers from `low` to `high`, of one sign, as many between 1 and 2 as between 2 and 4:
/// steps in the order of their bits.
template <class T>
std::vector<T> of_every_size(T low, T high, unsigned count = 40000) {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto [first, last] = std::minmax({std::bit_cast<word>(low), std::bit_cast<word>(high)});
  std::vector<T> out{low, high};
  const word step = (last - first) / count | 1;
  for (word at = first; last - at > step; at += step) out.push_back(std::bit_cast<T>(at));
  return out;
}

template <class T>
std::vector<T> and_negated(std::vector<T> x) {
  for (std::size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
  return x;
}

/// f(x) as <cmath> says for the numbers that are not normal, the sign of zero included.
template <class Arch, class T, class F, class Exact>
void check_awkward(F f, Exact exact) {
  const auto x = test::awkward<T>();
  const auto got = apply<Arch>(x, f);
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO("at " << x[i]);
    const T expected = exact(x[i]);
    if (expected == 0 || !std::isfinite(expected))
      CHECK(test::same(got[i], expected));
    else
      CHECK(std::abs(got[i] - expected) <= 2 * std::numeric_limits<T>::epsilon() * std::abs(expected));
  }
}

/// What the comparison itself may add, if the compiler has nothing more precise than T.
constexpr double slack = 1e-3;

} // namespace

TEST_CASE("exp is within 2 ulp") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto f = [](const auto& x) { return simd::exp(x); };
    const auto exact = [](auto x) { return std::exp(x); };
    const T log2 = T(0.69314718055994530942);
    const T top = sizeof(T) == 4 ? T(88.37) : T(709.4), bottom = T(limits::min_exponent - 1) * log2;
    check_ulps<Arch>("exp", of_every_size(T(0), top), 2, f, exact);
    check_ulps<Arch>("exp", of_every_size(T(-0.0), bottom * (1 - 2 * limits::epsilon())), 2, f, exact);
    check_awkward<Arch, T>(f, [](T x) { return std::exp(x); });

    // The ends: infinity may come half a power of two early, and zero instead of denormals.
    for (const T x : of_every_size(top, T(limits::max_exponent + 1) * log2, 999)) {
      const T got = apply<Arch>(std::vector{x}, f)[0];
      CHECK((std::isinf(got) || ulps<T>(got, exact(precise<T>(x))) <= 2));
    }
    for (const T x : of_every_size(bottom, 2 * bottom, 999)) {
      const T got = apply<Arch>(std::vector{x}, f)[0];
      CHECK((got == 0 || ulps<T>(got, exact(precise<T>(x))) <= 2));
    }
  });
}

TEST_CASE("log is within 1 ulp, denormals included") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto f = [](const auto& x) { return simd::log(x); };
    const auto exact = [](auto x) { return std::log(x); };
    check_ulps<Arch>("log", of_every_size(limits::min(), limits::max()), 1, f, exact);
    check_ulps<Arch>("log", of_every_size(T(0.5), T(2)), 1, f, exact);
    check_ulps<Arch>("log", of_every_size(limits::denorm_min(), limits::min()), 1, f, exact);
    check_awkward<Arch, T>(f, [](T x) { return std::log(x); });
    CHECK(std::isnan(apply<Arch>(std::vector{T(-1)}, f)[0]));
  });
}

TEST_CASE("tanh is within 2 ulp, and the scalar one within 3") {
  test::for_each_kind([]<class Arch, class T>() {
    const auto f = [](const auto& x) { return simd::tanh(x); };
    const auto exact = [](auto x) { return std::tanh(x); };
    const double limit = std::same_as<Arch, simd::scalar> ? 3 : 2; // the C library's own is 2 to 3
    check_ulps<Arch>("tanh", and_negated(of_every_size(T(0), std::numeric_limits<T>::max())), limit, f,
                     exact);
    check_ulps<Arch>("tanh", and_negated(of_every_size(T(0.01), T(30))), limit, f, exact);
    check_awkward<Arch, T>(f, [](T x) { return std::tanh(x); });
  });
}

TEST_CASE("sqrt and divide are rounded correctly") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto root = [](const auto& x) { return simd::sqrt(x); };
    check_ulps<Arch>("sqrt", of_every_size(T(0), limits::max()), 0.5 + slack, root,
                     [](auto x) { return std::sqrt(x); });
    check_awkward<Arch, T>(root, [](T x) { return std::sqrt(x); });
    for (const T over : {T(1), T(-3), T(0.1), limits::max() / 8}) {
      const auto quotient = [over](const auto& x) {
        return simd::divide(std::remove_cvref_t<decltype(x)>(over), x);
      };
      const auto x = and_negated(of_every_size(limits::min(), limits::max(), 9000));
      const auto got = apply<Arch>(x, quotient);
      for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(got[i] == over / x[i]);
      check_awkward<Arch, T>(quotient, [over](T divisor) { return over / divisor; });
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
    const auto out = apply<Arch>(x, [](const auto& v) { return simd::positive_part(v); });
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
