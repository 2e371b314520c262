#pragma once

#include <privet/privacy/frequency_oracle.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace privet {

/// Subset selection: the report is a set of d categories, which more likely holds the own one.
///
/// Formula   d = round(k / (e^epsilon + 1)), at least 1; the own value is in the set with probability
///           d e^epsilon / (d e^epsilon + k - d), the others are drawn without replacement
/// Privacy   epsilon-local for one report (replace-one)
/// Variance  the least possible for large n, up to the rounding of d
/// Errors    N001: epsilon not in (0, 32], fewer than two categories, a value that is none of them;
///           N003: a report of another number of bits
/// Source    Ye, Barg, "Optimal schemes for discrete distribution estimation under locally differential
///           privacy", 2018
class subset_selection : public detail::frequency_oracle<subset_selection, bit_report> {
 public:
  static constexpr std::string_view name = "subset_selection";

  subset_selection(double epsilon, category_count categories) : frequency_oracle(categories) {
    const double e = std::exp(detail::checked_epsilon(name, epsilon)), k = categories;
    size_ = std::max(1u, static_cast<std::uint32_t>(std::lround(k / (e + 1))));
    const double d = size_;
    own_ = private_coin::at_most(d * e / (d * e + k - d));
  }

  std::uint32_t size() const noexcept { return size_; } ///< of a reported set

  support_probabilities support() const noexcept {
    const double p = own_.probability(), d = size_, rest = categories_ - 1;
    return {p, (p * (d - 1) + (1 - p) * d) / rest};
  }

 private:
  friend frequency_oracle;

  template <class Source>
  void draw(std::uint32_t value, Source& source, bit_report& bits) const {
    const std::uint32_t others = categories_ - 1, included = own_.shows(detail::draw64(source));
    bits.assign(categories_, 0);
    // d of the others, counted without the own value: Floyd's method.
    for (std::uint32_t last = others - size_; last < others; ++last) {
      const auto drawn = static_cast<std::uint32_t>(uniform_below(source, last + 1));
      bits[bits[drawn] ? last : drawn] = 1;
    }
    // One of them goes if the own value comes.
    auto before = static_cast<std::uint32_t>(uniform_below(source, size_));
    for (std::uint32_t j = 0; j < others; ++j) {
      const auto goes = static_cast<std::uint32_t>((bits[j] != 0) & (before == 0)) & included;
      before -= bits[j];
      bits[j] = static_cast<std::uint8_t>(bits[j] - goes);
    }
    for (std::uint32_t j = others; j > 0; --j) // makes room for the own value
      bits[j] = static_cast<std::uint8_t>(
          detail::choose(j == value, included, detail::choose(j > value, bits[j - 1], bits[j])));
    bits[0] = static_cast<std::uint8_t>(detail::choose(value == 0, included, bits[0]));
  }
  void add(const bit_report& bits, std::span<std::uint64_t> support) const {
    const std::uint32_t chosen = check_bits(bits);
    require(chosen == size_, fault::argument, name, ": a set of ", chosen, ", expected ", size_);
    add_bits(bits, support);
  }

  std::uint32_t size_ = 1;
  private_coin own_;
};

} // namespace privet
