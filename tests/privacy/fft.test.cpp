#include "support/catch.hpp"

#include <privet/privacy/fft.hpp>

#include <complex>
#include <random>

using namespace privet;

namespace {

std::vector<double> numbers(std::size_t n, unsigned seed) {
  std::mt19937 words(seed);
  std::vector<double> x(n);
  for (auto& v : x) v = static_cast<double>(words()) * 0x1p-31 - 1;
  return x;
}

} // namespace

TEST_CASE("fft equals the sum that defines it, within its own bound") {
  for (std::size_t n = 1; n <= 256; n *= 2) {
    const auto re = numbers(n, 1), im = numbers(n, 2);
    auto fast_re = re, fast_im = im;
    fft transform(n);
    transform.forward(fast_re, fast_im);
    double all = 0;
    for (std::size_t j = 0; j < n; ++j) all += std::hypot(re[j], im[j]);
    for (std::size_t k = 0; k < n; ++k) {
      std::complex<long double> sum = 0;
      for (std::size_t j = 0; j < n; ++j)
        sum += std::complex<long double>(re[j], im[j]) *
               std::polar(1.0L, -2 * std::numbers::pi_v<long double> * static_cast<long double>(j * k % n) /
                                    static_cast<long double>(n));
      INFO("n " << n << ", k " << k);
      CHECK(std::abs(sum - std::complex<long double>(fast_re[k], fast_im[k])) <= transform.error() * all);
    }
  }
}

TEST_CASE("fft and back is where it began") {
  for (const std::size_t n : {std::size_t{1} << 14, std::size_t{1} << 15}) {
    const auto re = numbers(n, 3), im = numbers(n, 4);
    auto there_re = re, there_im = im;
    fft transform(n);
    transform.forward(there_re, there_im);
    transform.inverse(there_re, there_im);
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i)
      worst = std::max({worst, std::abs(there_re[i] - re[i]), std::abs(there_im[i] - im[i])});
    CHECK(worst < 1e-14);
  }
}

TEST_CASE("fft refuses a size that is no power of two") {
  CHECK_THROWS_WITH(fft(12), Catch::Contains("N001") && Catch::Contains("got 12"));
}
