#pragma once
// Poisson samples: every row is in a batch with the same probability, independently and in secret.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace privet {

namespace detail {

/// What Chernoff's bound leaves for more than `capacity` of `rows` coins of probability `rate` to show 1.
inline double binomial_tail(std::size_t rows, double rate, std::size_t capacity) {
  const double n = static_cast<double>(rows), a = (static_cast<double>(capacity) + 1) / n;
  if (a > 1) return 0;
  if (a <= rate) return 1;
  const double divergence = a * std::log(a / rate) + (a < 1 ? (1 - a) * std::log((1 - a) / (1 - rate)) : 0);
  return std::exp(-n * divergence * (1 - 1e-9));
}

} // namespace detail

/// A sampler: in each step every row is drawn with probability `rate`.
///
/// Batches   of any size, 0 as well: `rate` times the rows on average. Above `capacity` rows, those that
///           stay are drawn at random; without one it is so large that fewer than one batch in 2^60 meets it
/// Privacy   amplifies what a step does to one row, as long as nobody learns who was drawn: the coins come
///           from the operating system, or from another secret source by `drawn_from` (P003). A batch that
///           was cut is accounted by the probability that it happens: docs/privacy/training.md
/// Errors    N001 for a rate outside (0, 1], a capacity that is below the mean
/// Test      tests/data/poisson.test.cpp
template <class Source>
struct poisson_from;

struct poisson {
  double rate = 0.01;
  std::size_t capacity = 0;

  /// The source must outlive the training, and is used by its thread alone.
  template <class Source>
  poisson_from<Source> drawn_from(Source& source) const;
  /// For batches from this step on: this thread's own source.
  system_random& coins(std::uint64_t) const { return thread_system_random(); }

  void check() const {
    require(rate > 0 && rate <= 1, fault::argument, "poisson: got the rate ", rate,
            ", expected more than 0 and at most 1");
  }
  double expected_batch(std::size_t rows) const noexcept { return rate * static_cast<double>(rows); }
  const poisson& law() const noexcept { return *this; }

  /// The most rows in a batch, of a data set of so many or one more.
  std::size_t most(std::size_t rows) const {
    if (capacity) {
      require(static_cast<double>(capacity) >= expected_batch(rows), fault::argument,
              "poisson: a capacity of ", capacity, " rows, but ", expected_batch(rows),
              " are drawn on average");
      return capacity;
    }
    std::size_t few = static_cast<std::size_t>(expected_batch(rows)), many = rows + 1; // a neighbour's
    while (few < many) {
      const std::size_t middle = few + (many - few) / 2;
      if (detail::binomial_tail(rows + 1, rate, middle) <= 0x1p-60)
        many = middle;
      else
        few = middle + 1;
    }
    return many;
  }
  /// How likely a batch is cut, at most; of one row more than there are, as a neighbour may have.
  double overflow(std::size_t rows) const { return detail::binomial_tail(rows + 1, rate, most(rows)); }
};

template <class Source>
struct poisson_from : poisson {
  Source* source;
  Source& coins(std::uint64_t) const noexcept { return *source; }
};
template <class Source>
poisson_from<Source> poisson::drawn_from(Source& source) const {
  static_assert(
      SecretRandomSource<Source>,
      "[P003 replayable-sample] whoever can replay these coins knows who was in each batch, and sampling "
      "then "
      "amplifies nothing: draw from a system_random, or take public_poisson, which is accounted without "
      "amplification. docs/errors/P003.md");
  return {*this, &source};
}

/// The same sampler with coins that somebody else may know, such as those of a seed that was published: a
/// step is accounted as if every row were in it, for neighbours in which a row is zeroed out: a coin belongs
/// to the place of a row, and one row fewer would move the others to other coins.
struct public_poisson {
  double rate = 0.01;
  std::uint64_t seed = 0;
  std::size_t capacity = 0;

  poisson law() const noexcept { return {rate, capacity}; }
  void check() const { law().check(); }
  double expected_batch(std::size_t rows) const noexcept { return law().expected_batch(rows); }
  std::size_t most(std::size_t rows) const { return law().most(rows); }
  replayable_random coins(std::uint64_t first_step) const {
    return replayable_random(seed, stream_id(purpose::batches, first_step));
  }
};

/// Draws the batches of one sampler.
///
/// Ensures   allocates when it is made, never in a draw; rows in a batch are in order unless it was cut
/// Method    jumps from one drawn row to the next by a geometric number, in O(batch)
/// Accuracy  a jump is log(u) / log(1 - rate) of a uniform u with 64 bits in double precision: the chance of
///           a row is off by less than 2^-44 of itself and 2^-51. `exact_rate` is the rate to account for
/// Privacy   the time of a draw depends on how many rows were drawn
class poisson_batches {
 public:
  poisson_batches(std::size_t rows, const poisson& sampler)
      : rows_(rows), rate_(sampler.rate), most_(check(rows, sampler)), batch_(most_) {
    if (rate_ < 1) per_jump_ = 1 / std::log1p(-rate_);
  }

  /// Never below the chance that a row has.
  static double exact_rate(double rate) noexcept { return std::min(rate * (1 + 0x1p-40) + 0x1p-51, 1.0); }

  std::size_t most() const noexcept { return most_; }

  /// The rows of the next batch; valid until the next draw.
  template <RandomSource Source>
  std::span<const std::uint32_t> draw(Source& source) {
    std::size_t count = 0;
    const auto take = [&](std::uint32_t row) {
      if (count < most_) {
        batch_[count] = row;
      } else if (const auto place = uniform_below(source, count + 1); place < most_) {
        batch_[static_cast<std::size_t>(place)] = row; // every subset of the drawn is equally likely
      }
      ++count;
    };
    if (rate_ == 1) {
      for (std::size_t row = 0; row < rows_; ++row) take(static_cast<std::uint32_t>(row));
      return std::span(batch_).first(std::min(count, most_));
    }
    std::array<std::uint32_t, 64> words;
    for (std::size_t used = words.size(), row = 0;; ++row) {
      if (used == words.size()) source.fill(words), used = 0;
      const std::uint64_t word = words[used] | std::uint64_t{words[used + 1]} << 32;
      used += 2;
      const double jump = std::log((static_cast<double>(word) + 1) * 0x1p-64) * per_jump_;
      if (!(jump < static_cast<double>(rows_ - row))) break;
      row += static_cast<std::size_t>(jump);
      take(static_cast<std::uint32_t>(row));
      if (row + 1 == rows_) break;
    }
    wipe(std::span(words));
    return std::span(batch_).first(std::min(count, most_));
  }

 private:
  static std::size_t check(std::size_t rows, const poisson& sampler) {
    sampler.check();
    require(rows > 0 && rows < std::numeric_limits<std::uint32_t>::max(), fault::argument, "poisson: ", rows,
            " rows, must be 1 to 2^32 - 2");
    return sampler.most(rows);
  }

  std::size_t rows_;
  double rate_, per_jump_ = 0;
  std::size_t most_;
  std::vector<std::uint32_t> batch_;
};

} // namespace privet
