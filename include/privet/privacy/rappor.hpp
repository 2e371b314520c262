#pragma once
// RAPPOR: answers to the same question for years, without the noise averaging out.

#include <privet/core/result.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/frequency_oracle.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// How RAPPOR randomises. The defaults are those of the paper's experiments on Chrome.
struct rappor_settings {
  double f = 0.5;           ///< share of the permanent response that is noise, in (0, 1)
  double p = 0.5, q = 0.75; ///< a report sets a bit with q if the permanent one is set, else with p < q
  std::uint32_t bits = 0;   ///< of a Bloom filter; 0: one bit for each category
  std::uint32_t hashes = 1; ///< bits that a category sets in a Bloom filter
  std::uint64_t cohort = 0; ///< which hash functions; public, chosen before the answer
};

/// The permanent response of one person for one value.
///
/// Privacy   a secret: whoever sees it has all that any number of reports will ever tell, and more than any
///           one of them
class permanent_response {
 public:
  permanent_response() = default;
  explicit permanent_response(bit_report bits) : bits_(std::move(bits)) {}
  permanent_response(permanent_response&& other) noexcept : bits_(std::move(other.bits_)) {}
  permanent_response& operator=(permanent_response&& other) noexcept {
    bits_.swap(other.bits_);
    return *this;
  }
  ~permanent_response() { wipe(std::span(bits_)); }

  std::span<const std::uint8_t> bits() const noexcept { return bits_; }

 private:
  bit_report bits_;
};

/// RAPPOR: a permanent response, drawn once for each person and value and remembered, and for every report
/// an instantaneous one on top of it.
///
/// Formula   permanent: a set bit stays set with probability 1 - f/2, another one becomes set with f/2;
///           a report: set with q where the permanent bit is, with p where it is not
/// Privacy   replace-one of one value. epsilon(n) for n reports of the same value, from the same permanent
///           response: the report's coins as they are, rounded up; epsilon_infinity() = 2 h log((2 - f) / f)
///           for any number. Another value of the same person has a permanent response of its own and
///           adds its epsilon; so does a person who forgets and draws again
/// Variance  of a bit's share at 0: p* (1 - p*) / (n (q* - p*)^2), p* and q* of `support()`
/// Errors    N001: f not in (0, 1), not 0 <= p < q <= 1, no or more hashes than bits, a value that is none
///           of the categories; N003: a response or a report of another number of bits
/// Source    Erlingsson, Pihur, Korolova, "RAPPOR", CCS 2014: Theorem 1 and the formula after it. Theirs
///           counts one report; epsilon(n) is proved in docs/privacy/local.md
/// Test      tests/privacy/rappor.test.cpp
class rappor {
 public:
  static constexpr std::string_view name = "rappor";
  using report = bit_report;

  explicit rappor(category_count categories, const rappor_settings& s = {})
      : categories_(categories),
        bits_(s.bits == 0 ? std::uint32_t{categories} : s.bits),
        hashes_(s.hashes),
        cohort_(s.cohort),
        basic_(s.bits == 0) {
    require(s.f > 0 && s.f < 1, fault::argument, name, ": f is ", s.f, ", expected 0 < f < 1");
    require(s.p >= 0 && s.p < s.q && s.q <= 1, fault::argument, name, ": p is ", s.p, " and q is ", s.q,
            ", expected 0 <= p < q <= 1");
    require(hashes_ >= 1 && hashes_ <= bits_ && (!basic_ || hashes_ == 1), fault::argument, name, ": ",
            hashes_, " hashes for ", bits_, " bits, expected 1 to the bits of a Bloom filter, or 1 without");
    stay_ = private_coin::at_most(1 - s.f / 2);
    become_ = private_coin::at_least(s.f / 2);
    set_ = private_coin::at_most(s.q);
    clear_ = private_coin::at_least(s.p);
    require(stay_.threshold > become_.threshold && set_.threshold > clear_.threshold, fault::argument, name,
            ": f is ", s.f, ", p is ", s.p, ", q is ", s.q, ", and no answer comes through");
  }

  std::uint32_t categories() const noexcept { return categories_; }
  std::uint32_t bits() const noexcept { return bits_; } ///< of a report
  std::size_t counters() const noexcept { return bits_; }

  /// The bits that a value sets: its own, or those of its hashes (of which some may coincide). Of the public
  /// parameters and the value alone.
  bit_report encode(std::uint32_t value) const {
    categories_.check(name, value);
    bit_report out(bits_);
    for (std::uint32_t j = 0; j < bits_; ++j) out[j] = static_cast<std::uint8_t>(is_set(value, j));
    return out;
  }

  /// Draws the permanent response: once for each person and value, then keep it. No branch and no address
  /// depends on the value.
  template <class Source>
  permanent_response remember(std::uint32_t value, Source& source) const {
    detail::check_secret_coins<Source>();
    categories_.check(name, value);
    bit_report out(bits_);
    detail::show_each(stay_, become_, source, std::span(out),
                      [&](std::size_t j) { return is_set(value, static_cast<std::uint32_t>(j)); });
    return permanent_response(std::move(out));
  }

  /// One report on top of a permanent response.
  template <class Source>
  void randomise(const permanent_response& kept, Source& source, report& out) const {
    detail::check_secret_coins<Source>();
    check(kept.bits());
    out.resize(bits_);
    detail::show_each(set_, clear_, source, std::span(out),
                      [&](std::size_t j) { return std::uint32_t{kept.bits()[j]}; });
  }
  template <class Source>
  report randomise(const permanent_response& kept, Source& source) const {
    report out;
    randomise(kept, source, out);
    return out;
  }

  /// Counts one report of one person.
  void count(const report& r, std::span<std::uint64_t> counted) const {
    require(counted.size() == bits_, fault::shape, name, ": got ", counted.size(), " counters, expected ",
            bits_);
    check(r);
    for (std::size_t j = 0; j < r.size(); ++j) counted[j] += r[j];
  }

  /// How often a report sets a bit that the value sets, and one that it does not set: q* and p* of the paper.
  support_probabilities support() const noexcept {
    const double a = stay_.probability(), b = become_.probability(), p = clear_.probability(),
                 q = set_.probability();
    return {a * q + (1 - a) * p, b * q + (1 - b) * p};
  }

  /// The share of persons whose value sets each bit, from one report of each: without a Bloom filter, the
  /// share of each category. With one, candidates come from these by least squares on `encode`.
  std::vector<frequency_estimate> estimate(std::span<const std::uint64_t> counted,
                                           std::uint64_t reports) const {
    require(counted.size() == bits_, fault::shape, name, ": got ", counted.size(), " counters, expected ",
            bits_);
    return estimate_frequencies(counted, reports, support());
  }

  /// epsilon of so many reports from one permanent response.
  double epsilon(std::uint64_t reports) const {
    require(reports >= 1, fault::argument, name, ": epsilon of 0 reports");
    const double n = static_cast<double>(reports);
    return std::min(hashes_ * (reach(set_, clear_, stay_, become_, n) +
                               reach(not_(clear_), not_(set_), not_(become_), not_(stay_), n)),
                    epsilon_infinity());
  }
  /// epsilon of any number of reports from one permanent response, and of that response itself.
  double epsilon_infinity() const {
    const double up = std::log(stay_.probability() / become_.probability()),
                 down = std::log(not_(become_).probability() / not_(stay_).probability());
    return hashes_ * (up + down + rounding);
  }

 private:
  static constexpr double rounding = 1e-13; // some twenty operations, each to 2^-52

  /// The coin that shows 0 where this one shows 1; never sure, since no coin is.
  static private_coin not_(private_coin c) noexcept { return {0 - c.threshold}; }

  /// log of how much likelier n set bits in a row are when the value sets the bit:
  /// (a q^n + (1 - a) p^n) / (b q^n + (1 - b) p^n).
  static double reach(private_coin q, private_coin p, private_coin a, private_coin b, double n) {
    const double log_x = std::log(p.probability() / q.probability()), x = std::exp(n * log_x);
    const double above = a.probability() + not_(a).probability() * x,
                 below = b.probability() + not_(b).probability() * x;
    // n rounds log_x along with it, so x is off by this share of itself; above moves less than below.
    const double off = 1e-15 * n * (1 + std::abs(log_x)) * x / below;
    return std::log(above / below) + off + rounding / 2;
  }

  std::uint32_t is_set(std::uint32_t value, std::uint32_t bit) const noexcept {
    if (basic_) return static_cast<std::uint32_t>(bit == value);
    std::uint32_t set = 0;
    for (std::uint32_t h = 0; h < hashes_; ++h) set |= static_cast<std::uint32_t>(bit == bit_of(value, h));
    return set;
  }
  /// The h-th hash: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014) of cohort, hash and value.
  std::uint32_t bit_of(std::uint32_t value, std::uint32_t h) const noexcept {
    std::uint64_t z = cohort_ * 0xD1342543DE82EF95 + (std::uint64_t{h} << 32 | value);
    for (int i = 0; i < 2; ++i) {
      z += 0x9E3779B97F4A7C15;
      z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
      z = (z ^ z >> 27) * 0x94D049BB133111EB;
      z ^= z >> 31;
    }
    return static_cast<std::uint32_t>((z >> 32) * bits_ >> 32);
  }
  void check(std::span<const std::uint8_t> bits) const {
    require(bits.size() == bits_, fault::shape, name, ": got ", bits.size(), " bits, expected ", bits_);
    for (const std::uint8_t bit : bits)
      require(bit <= 1, fault::argument, name, ": a report holds ", int{bit}, ", expected 0 or 1");
  }

  category_count categories_;
  std::uint32_t bits_, hashes_;
  std::uint64_t cohort_;
  bool basic_;
  private_coin stay_, become_, set_, clear_;
};

/// The permanent responses of one person to one question, one for each value that was ever true.
///
/// Privacy   a secret that stays on the person's device. `bytes()` are not encrypted: the holder encrypts
///           them before they are stored, and loses the promise of epsilon_infinity with them. How long a
///           look-up takes depends on which values are known: measured time must not leave the device
class rappor_memory {
 public:
  /// A report of `value`, after the permanent response of the first time.
  template <class Source>
  bit_report report(const rappor& r, std::uint32_t value, Source& source) {
    auto found = std::ranges::find(known_, value, &entry::value);
    if (found == known_.end()) {
      known_.push_back({value, r.remember(value, source)});
      found = known_.end() - 1;
    }
    return r.randomise(found->kept, source);
  }

  /// How many values have a permanent response; each costs epsilon_infinity at most.
  std::size_t values() const noexcept { return known_.size(); }

  /// Plain bytes: encrypt them, then `wipe` them.
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> out;
    const auto put = [&](std::uint32_t x) {
      for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::byte>(x >> shift & 0xFF));
    };
    std::size_t size = 0;
    for (const auto& e : known_) size += 8 + e.kept.bits().size();
    out.reserve(size); // no copy is left behind
    for (const auto& e : known_) {
      put(e.value);
      put(static_cast<std::uint32_t>(e.kept.bits().size()));
      for (const auto bit : e.kept.bits()) out.push_back(static_cast<std::byte>(bit));
    }
    return out;
  }
  /// What `bytes()` wrote for this `rappor`, or N004.
  static result<rappor_memory> read(const rappor& r, std::span<const std::byte> bytes) {
    rappor_memory out;
    const std::size_t each = 8 + std::size_t{r.bits()};
    const auto number = [&](std::size_t at) {
      std::uint32_t x = 0;
      for (std::size_t i = 0; i < 4; ++i) x |= std::to_integer<std::uint32_t>(bytes[at + i]) << (8 * i);
      return x;
    };
    if (bytes.size() % each != 0)
      return error::of(fault::format, "rappor_memory: ", bytes.size(), " bytes, expected a multiple of ",
                       each);
    for (std::size_t at = 0; at < bytes.size(); at += each) {
      const std::uint32_t value = number(at), size = number(at + 4);
      bit_report bits(r.bits());
      bool good = value < r.categories() && size == r.bits() &&
                  std::ranges::find(out.known_, value, &entry::value) == out.known_.end();
      for (std::size_t j = 0; j < bits.size(); ++j) {
        bits[j] = std::to_integer<std::uint8_t>(bytes[at + 8 + j]);
        good = good && bits[j] <= 1;
      }
      permanent_response kept(std::move(bits));
      if (!good)
        return error::of(fault::format, "rappor_memory: at byte ", at, " is no permanent response of ",
                         r.bits(), " bits to one of ", r.categories(), " categories");
      out.known_.push_back({value, std::move(kept)});
    }
    return out;
  }

 private:
  struct entry {
    std::uint32_t value;
    permanent_response kept;
  };
  std::vector<entry> known_;
};

} // namespace privet
