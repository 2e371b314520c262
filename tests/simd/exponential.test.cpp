// exp, log and tanh: errors against <cmath> with more digits, ends, and lanes against single numbers.

#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/ulps.hpp"

#include <privet/simd/exponential.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using namespace privet;

namespace {

const auto exp_of = [](const auto& x) { return simd::exp(x); };
const auto log_of = [](const auto& x) { return simd::log(x); };
const auto tanh_of = [](const auto& x) { return simd::tanh(x); };

/// Above them exp is infinite, below them not normal.
template <class T>
const T exp_last = sizeof(T) == 4 ? T(0x1.62e42ep6) : T(0x1.62e42fefa39efp9);
template <class T>
const T exp_first = sizeof(T) == 4 ? T(-0x1.5d589ep6) : T(-0x1.6232bdd7abcd2p9);

/// `fused` where multiply and add round once, `apart` elsewhere.
template <class Arch>
double limit(double fused, double apart) {
  return (test::fused<Arch> ? fused : apart) + test::slack;
}

/// Numbers of both signs and every size, most where the functions are neither 0, 1 nor infinite.
template <class T>
std::vector<T> arguments() {
  auto x = test::of_every_size(T(0), std::numeric_limits<T>::infinity(), 20000);
  for (const T more : test::of_every_size(T(0.01), T(800), 60000)) x.push_back(more);
  return test::and_negated(x);
}

} // namespace

TEST_CASE("exp is within 1 ulp") {
  test::for_each_kind([]<class Arch, class T>() {
    const auto exact = [](auto x) { return std::exp(x); };
    const double most = limit<Arch>(1, 2);
    test::check_ulps<Arch>("exp", test::of_every_size(T(0), exp_last<T>), most, exp_of, exact);
    test::check_ulps<Arch>("exp", test::of_every_size(T(-0.0), exp_first<T>), most, exp_of, exact);
    test::check_ulps<Arch>("exp", test::of_every_size(T(0.1), exp_last<T>), most, exp_of, exact);
    test::check_ulps<Arch>("exp", test::of_every_size(T(-0.1), exp_first<T>), most, exp_of, exact);
    test::check_awkward<Arch, T>(exp_of, exact);
  });
}

TEST_CASE("exp is infinite from where it must be, and 0 below the normal range") {
  test::for_each_kind([]<class Arch, class T>() {
    const double most = limit<Arch>(1, 2);
    for (const T x : test::around(exp_last<T>, 500)) {
      INFO("x " << x);
      const T got = test::apply<Arch>(std::vector{x}, exp_of)[0];
      CHECK(std::isinf(got) == (x > exp_last<T>));
      CHECK(test::ulps<T>(got, std::exp(test::precise<T>(x))) <= most);
    }
    for (const T x : test::around(exp_first<T>, 500)) {
      INFO("x " << x);
      const T got = test::apply<Arch>(std::vector{x}, exp_of)[0];
      const auto exact = std::exp(test::precise<T>(x));
      CHECK((exact < std::numeric_limits<T>::min() ? test::same(got, T(0))
                                                   : test::ulps<T>(got, exact) <= most));
    }
    for (const T x : test::of_every_size(exp_first<T> * T(1.001), std::numeric_limits<T>::lowest(), 999))
      CHECK(test::same(test::apply<Arch>(std::vector{x}, exp_of)[0], T(0)));
    for (const T x : test::of_every_size(exp_last<T> * T(1.001), std::numeric_limits<T>::max(), 999))
      CHECK(std::isinf(test::apply<Arch>(std::vector{x}, exp_of)[0]));
  });
}

TEST_CASE("log is within 1 ulp, denormals included") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto exact = [](auto x) { return std::log(x); };
    test::check_ulps<Arch>("log", test::of_every_size(limits::min(), limits::max()), 1, log_of, exact);
    test::check_ulps<Arch>("log", test::of_every_size(T(0.5), T(2)), 1, log_of, exact);
    test::check_ulps<Arch>("log", test::of_every_size(limits::denorm_min(), limits::min()), 1, log_of, exact);
    test::check_awkward<Arch, T>(log_of, exact);
    CHECK(std::isnan(test::apply<Arch>(std::vector{T(-1)}, log_of)[0]));
  });
}

TEST_CASE("tanh is within 2 ulp, odd and never beyond 1") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    const auto exact = [](auto x) { return std::tanh(x); };
    const auto every = test::and_negated(test::of_every_size(T(0), limits::max()));
    test::check_ulps<Arch>("tanh", every, 2, tanh_of, exact);
    test::check_ulps<Arch>("tanh", test::and_negated(test::of_every_size(T(0.01), T(0.7))), 2, tanh_of,
                           exact);
    test::check_ulps<Arch>("tanh", test::and_negated(test::of_every_size(T(0.6), T(30))), 2, tanh_of, exact);
    test::check_ulps<Arch>("tanh", test::around(T(0.625), 500), 2, tanh_of, exact); // where the pieces meet
    test::check_ulps<Arch>("tanh", test::of_every_size(limits::denorm_min(), limits::min()), 0, tanh_of,
                           exact);
    test::check_awkward<Arch, T>(tanh_of, exact);

    const auto got = test::apply<Arch>(every, tanh_of);
    for (std::size_t i = 0, half = got.size() / 2; i < half; ++i) {
      CHECK(got[i] <= 1);
      CHECK(test::same(got[i], -got[i + half]));
    }
    for (const T x : {T(20), limits::max(), limits::infinity()}) {
      CHECK(test::apply<Arch>(std::vector{x}, tanh_of)[0] == 1);
      CHECK(test::apply<Arch>(std::vector{-x}, tanh_of)[0] == -1);
    }
  });
}

TEST_CASE("every lane has the bits of a single number where multiply and add are fused") {
  if (!test::fused<simd::default_arch>) return;
  const auto compare = []<class T>(const std::vector<T>& x) {
    const auto one = [&](const char* name, auto f) {
      const auto lanes = test::apply<simd::default_arch>(x, f), single = test::apply<simd::scalar>(x, f);
      std::size_t differ = 0;
      for (std::size_t i = 0; i < x.size(); ++i) differ += !test::same(lanes[i], single[i]);
      INFO(name << " of " << sizeof(T) << " bytes");
      CHECK(differ == 0);
    };
    one("exp", exp_of);
    one("log", log_of);
    one("tanh", tanh_of);
  };
  compare(arguments<float>());
  compare(arguments<double>());
}
