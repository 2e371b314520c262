#pragma once
// What every local randomiser of categories offers, and what they all check.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/private_coin.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// How many answers a person can choose from: 2 or more. Throws N001 for fewer.
class category_count {
 public:
  category_count(std::uint32_t count) : count_(count) {
    require(count >= 2, fault::argument, "category_count: ", count, " categories, needs at least 2");
  }
  operator std::uint32_t() const noexcept { return count_; }

  /// Throws N001 for a value that is no category.
  void check(std::string_view who, std::uint32_t value) const {
    require(value < count_, fault::argument, who, ": category ", value, " of ", count_);
  }

 private:
  std::uint32_t count_;
};

/// A report that holds 0 or 1 for each category.
using bit_report = std::vector<std::uint8_t>;

namespace detail {

/// A source for concepts to ask with; only declared.
struct any_secret_source {
  static constexpr bool is_secret = true;
  any_secret_source() = default;
  any_secret_source(const any_secret_source&) = delete;
  void fill(std::span<std::uint32_t>);
};

} // namespace detail

/// A local randomiser of one category, and how a collector counts its reports.
///
/// Laws  for any two values, the probability of any report differs by at most e^epsilon;
///       `count` adds one report to counters that start at zero, so the counters of collectors may be added;
///       `support_counts` of them says how many reports support each value, each with the probabilities of
///       `support()`;
///       `estimate` is unbiased; `randomise(value, source, report)` overwrites a used report, whatever it
///       held
template <class O>
concept FrequencyOracle =
    std::default_initializable<typename O::report> &&
    requires(const O& oracle, std::uint32_t value, detail::any_secret_source& source,
             typename O::report& report, const typename O::report& done, std::span<std::uint64_t> counters,
             std::span<const std::uint64_t> counted) {
      { oracle.categories() } -> std::same_as<std::uint32_t>;
      { oracle.counters() } -> std::same_as<std::size_t>;
      { oracle.randomise(value, source) } -> std::same_as<typename O::report>;
      oracle.randomise(value, source, report);
      oracle.count(done, counters);
      { oracle.support() } -> std::same_as<support_probabilities>;
      { oracle.estimate(counted, std::uint64_t{}) } -> std::same_as<std::vector<frequency_estimate>>;
    };

namespace detail {

/// Sets each bit by a coin of its own: `own` where is_own(j) is 1, `other` where it is 0.
template <class Source, class IsOwn>
void show_each(private_coin own, private_coin other, Source& source, std::span<std::uint8_t> bits,
               IsOwn is_own) {
  constexpr std::size_t block = 64;
  std::uint32_t words[2 * block];
  for (std::size_t first = 0; first < bits.size(); first += block) {
    const std::size_t n = std::min(block, bits.size() - first);
    source.fill(std::span(words).first(2 * n));
    for (std::size_t j = 0; j < n; ++j) {
      const std::uint64_t word = words[2 * j] | std::uint64_t{words[2 * j + 1]} << 32;
      const std::uint32_t yes = own.shows(word), no = other.shows(word);
      bits[first + j] = static_cast<std::uint8_t>(choose(is_own(first + j), yes, no));
    }
  }
  wipe(std::span(words));
}

/// The part of an oracle that is the same for all. `Oracle` has a name, support(), and for this class
/// draw(value, source, report) and add(report, counters).
template <class Oracle, class Report>
class frequency_oracle {
 public:
  using report = Report;

  std::uint32_t categories() const noexcept { return categories_; }
  /// How many numbers a collector keeps.
  std::size_t counters() const noexcept { return categories_; }

  /// A report for `value`. No branch and no address depends on it. Throws N001 for a value that is none of
  /// the categories.
  template <class Source>
  void randomise(std::uint32_t value, Source& source, report& out) const {
    check_secret_coins<Source>();
    categories_.check(Oracle::name, value);
    self().draw(value, source, out);
  }
  template <class Source>
  report randomise(std::uint32_t value, Source& source) const {
    report out{};
    randomise(value, source, out);
    return out;
  }

  /// Counts a report. Throws N001 for one that no person can have sent, N003 for another number of bits or
  /// counters.
  void count(const report& r, std::span<std::uint64_t> counted) const {
    check_counters(counted.size());
    self().add(r, counted);
  }

  /// How many reports support each value. Throws N003 for another number of counters.
  std::vector<std::uint64_t> support_counts(std::span<const std::uint64_t> counted) const {
    check_counters(counted.size());
    return {counted.begin(), counted.end()};
  }
  /// The share of each value among so many reports. Throws N001 without reports or for more support than
  /// reports, N003 for another number of counters.
  std::vector<frequency_estimate> estimate(std::span<const std::uint64_t> counted,
                                           std::uint64_t reports) const {
    return estimate_frequencies(self().support_counts(counted), reports, self().support());
  }

 protected:
  explicit frequency_oracle(category_count categories) : categories_(categories) {}

  void check_counters(std::size_t size) const {
    require(size == self().counters(), fault::shape, Oracle::name, ": got ", size, " counters, expected ",
            self().counters());
  }
  /// How many bits are set.
  std::uint32_t check_bits(std::span<const std::uint8_t> bits) const {
    require(bits.size() == categories_, fault::shape, Oracle::name, ": a report of ", bits.size(),
            " bits, expected ", std::uint32_t{categories_});
    std::uint32_t set = 0;
    for (const std::uint8_t bit : bits) {
      require(bit <= 1, fault::argument, Oracle::name, ": a report holds ", int{bit}, ", expected 0 or 1");
      set += bit;
    }
    return set;
  }
  static void add_bits(std::span<const std::uint8_t> bits, std::span<std::uint64_t> counted) noexcept {
    for (std::size_t j = 0; j < bits.size(); ++j) counted[j] += bits[j];
  }

  category_count categories_;

 private:
  const Oracle& self() const noexcept { return static_cast<const Oracle&>(*this); }
};

} // namespace detail

} // namespace privet
