#pragma once

#include <privet/core/wipe.hpp>
#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/private_coin.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace privet {

/// Unary encoding: one bit for each category, the person's own set, every bit then randomised by itself.
///
/// Formula   a bit is set with probability p if it is the own one, q if not; epsilon is
///           log(p (1 - q) / ((1 - p) q))
/// Privacy   epsilon-local for one report (replace-one)
/// Variance  symmetric(): e^(epsilon/2) / (n (e^(epsilon/2) - 1)^2);
///           optimised(): 4 e^epsilon / (n (e^epsilon - 1)^2), whatever k; both at frequency 0
/// Errors    N001: epsilon not in (0, 32], fewer than two categories, a value that is none of them;
///           N003: a report of another number of bits
/// Source    Erlingsson, Pihur, Korolova, "RAPPOR", 2014 (symmetric); Wang, Blocki, Li, Jha, "Locally
///           differentially private protocols for frequency estimation", 2017 (optimised)
class unary_encoding {
 public:
  /// Basic one-time RAPPOR: p + q = 1.
  static unary_encoding symmetric(double epsilon, std::uint32_t categories) {
    const double e = std::exp(detail::checked_epsilon("unary_encoding", epsilon) / 2);
    return {e / (e + 1), 1 / (e + 1), categories};
  }
  /// OUE, of the least variance: p = 1/2, q = 1 / (e^epsilon + 1).
  static unary_encoding optimised(double epsilon, std::uint32_t categories) {
    return {0.5, 1 / (std::exp(detail::checked_epsilon("unary_encoding", epsilon)) + 1), categories};
  }

  std::uint32_t categories() const noexcept { return categories_; }

  /// A report for `value`: 0 or 1 for each category. No branch and no address depends on it.
  template <class Source>
  void randomise(std::uint32_t value, Source& source, std::span<std::uint8_t> bits) const {
    detail::check_secret_coins<Source>();
    require(value < categories_, fault::argument, "unary_encoding: category ", value, " of ", categories_);
    check(bits.size());
    std::uint32_t words[2 * block];
    for (std::size_t first = 0; first < bits.size(); first += block) {
      const std::size_t n = std::min(block, bits.size() - first);
      source.fill(std::span(words).first(2 * n));
      for (std::size_t j = 0; j < n; ++j) {
        const std::uint64_t word = words[2 * j] | std::uint64_t{words[2 * j + 1]} << 32;
        const auto is_own = static_cast<std::uint32_t>(first + j == value);
        bits[first + j] =
            static_cast<std::uint8_t>(detail::choose(is_own, own_.shows(word), other_.shows(word)));
      }
    }
    wipe(std::span(words));
  }

  /// Counts a report for the values whose bits are set. Throws N001 for a byte other than 0 and 1.
  void count(std::span<const std::uint8_t> bits, std::span<std::uint64_t> support) const {
    check(bits.size());
    check(support.size());
    for (const std::uint8_t bit : bits)
      require(bit <= 1, fault::argument, "unary_encoding: a report holds ", int{bit}, ", expected 0 or 1");
    for (std::size_t j = 0; j < bits.size(); ++j) support[j] += bits[j];
  }

  support_probabilities support() const noexcept { return {own_.probability(), other_.probability()}; }

 private:
  static constexpr std::size_t block = 64;

  unary_encoding(double p, double q, std::uint32_t categories)
      : categories_(categories), own_(private_coin::at_most(p)), other_(private_coin::at_least(q)) {
    require(categories >= 2, fault::argument, "unary_encoding: ", categories,
            " categories, needs at least 2");
  }
  void check(std::size_t size) const {
    require(size == categories_, fault::shape, "unary_encoding: ", size, " numbers for ", categories_,
            " categories");
  }

  std::uint32_t categories_;
  private_coin own_, other_;
};

} // namespace privet
