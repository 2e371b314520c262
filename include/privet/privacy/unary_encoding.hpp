#pragma once

#include <privet/privacy/frequency_oracle.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

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
class unary_encoding : public detail::frequency_oracle<unary_encoding, bit_report> {
 public:
  static constexpr std::string_view name = "unary_encoding";

  /// Basic one-time RAPPOR: p + q = 1.
  static unary_encoding symmetric(double epsilon, category_count categories) {
    const double e = std::exp(detail::checked_epsilon(name, epsilon) / 2);
    return {e / (e + 1), 1 / (e + 1), categories};
  }
  /// OUE, of the least variance: p = 1/2, q = 1 / (e^epsilon + 1).
  static unary_encoding optimised(double epsilon, category_count categories) {
    return {0.5, 1 / (std::exp(detail::checked_epsilon(name, epsilon)) + 1), categories};
  }

  support_probabilities support() const noexcept { return {own_.probability(), other_.probability()}; }

 private:
  friend frequency_oracle;

  unary_encoding(double p, double q, category_count categories)
      : frequency_oracle(categories), own_(private_coin::at_most(p)), other_(private_coin::at_least(q)) {}

  template <class Source>
  void draw(std::uint32_t value, Source& source, bit_report& bits) const {
    bits.resize(categories_);
    detail::show_each(own_, other_, source, std::span(bits),
                      [value](std::size_t j) { return static_cast<std::uint32_t>(j == value); });
  }
  void add(const bit_report& bits, std::span<std::uint64_t> support) const {
    check_bits(bits);
    add_bits(bits, support);
  }

  private_coin own_, other_;
};

} // namespace privet
