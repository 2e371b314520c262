#pragma once

#include <privet/privacy/frequency_oracle.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// Hadamard response: a report of log2(k + 1) bits, rounded up, for any number of categories. A report is
/// a column of a Hadamard matrix; the row of the person's value more likely has +1 there.
///
/// Formula   +1 with probability e^epsilon / (e^epsilon + 1), then uniform among such columns
/// Privacy   epsilon-local for one report (replace-one)
/// Variance  ((e^epsilon + 1) / (e^epsilon - 1))^2 / n at frequency 0, whatever k
/// Errors    N001: epsilon not in (0, 32], fewer than two categories or more than 2^31 - 2, a value that
///           is none of them
/// Source    Acharya, Sun, Zhang, "Hadamard response", 2019 (its form for high privacy)
class hadamard_response : public detail::frequency_oracle<hadamard_response, std::uint32_t> {
 public:
  static constexpr std::string_view name = "hadamard_response";

  hadamard_response(double epsilon, category_count categories) : frequency_oracle(categories) {
    require(categories < 0x7FFFFFFF, fault::argument, name, ": ", std::uint32_t{categories},
            " categories, expected at most 2^31 - 2");
    columns_ = std::bit_ceil(categories + 1);
    const double e = std::exp(detail::checked_epsilon(name, epsilon));
    own_ = private_coin::at_most(e / (e + 1));
  }

  std::uint32_t columns() const noexcept { return columns_; } ///< reports are below this power of two
  std::size_t counters() const noexcept { return columns_; }  ///< how often each column was reported

  /// By a fast Walsh-Hadamard transform.
  std::vector<std::uint64_t> support_counts(std::span<const std::uint64_t> reports) const {
    check_counters(reports.size());
    std::vector<std::int64_t> sums(reports.begin(), reports.end());
    for (std::size_t half = 1; half < sums.size(); half *= 2)
      for (std::size_t i = 0; i < sums.size(); i += 2 * half)
        for (std::size_t j = i; j < i + half; ++j) {
          const std::int64_t a = sums[j], b = sums[j + half];
          sums[j] = a + b;
          sums[j + half] = a - b;
        }
    std::vector<std::uint64_t> support;
    for (std::uint32_t v = 0; v < categories_; ++v)
      support.push_back(static_cast<std::uint64_t>(sums[0] + sums[v + 1]) / 2);
    return support;
  }

  support_probabilities support() const noexcept { return {own_.probability(), 0.5}; }

 private:
  friend frequency_oracle;

  /// 1 if an odd number of bits is set, without a table.
  static std::uint32_t parity(std::uint32_t x) noexcept {
    for (const int shift : {16, 8, 4, 2, 1}) x ^= x >> shift;
    return x & 1;
  }

  template <class Source>
  void draw(std::uint32_t value, Source& source, std::uint32_t& out) const {
    const std::uint32_t row = value + 1, lowest = row & (0 - row);
    const std::uint32_t column = detail::draw32(source) & (columns_ - 1);
    const std::uint32_t minus = 1 - own_.shows(detail::draw64(source));
    // Turning over the row's lowest bit changes the sign and keeps columns equally likely.
    out = column ^ (lowest & (0 - (parity(row & column) ^ minus)));
  }
  void add(std::uint32_t r, std::span<std::uint64_t> counted) const {
    require(r < columns_, fault::argument, name, ": column ", r, " of ", columns_);
    ++counted[r];
  }

  std::uint32_t columns_ = 0;
  private_coin own_;
};

} // namespace privet
