#pragma once
// Noise that partly cancels in later steps: the banded matrix mechanism of BandMF.

#include <privet/core/error.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/privacy/stream_terms.hpp>
#include <privet/random/rounded_normal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// The first bands of the square root of the matrix of prefix sums: c_j = (2j choose j) / 4^j.
///
/// Source  Kalinin, Lampert, arXiv:2405.13763
inline std::vector<double> square_root_bands(std::size_t bands) {
  std::vector<double> c;
  for (std::size_t j = 0; j < bands; ++j)
    c.push_back(j == 0 ? 1 : c.back() * (2 * static_cast<double>(j) - 1) / (2 * static_cast<double>(j)));
  return c;
}

/// What a banded matrix promises.
struct banded_terms {
  double noise_multiplier = 1;  ///< of a single contribution
  double sensitivity = 1;       ///< in l2: how far one unit moves the vector of a step that it is in
  std::uint64_t steps = 1;      ///< at most
  std::uint64_t separation = 1; ///< a unit's steps are at least so far apart; no fewer than there are bands
  std::vector<double> bands = {1}; ///< of the matrix, in any scale: positive and never rising
  double rounding = 0;             ///< by how much, as a share of it, rounded sums may pass the sensitivity
  neighbours relation = neighbours::zero_out;
};

/// Private vectors of a stream of which sums are more accurate than each alone: step by step, x becomes
/// x + C^-1 z, with C the lower triangular Toeplitz matrix of the bands, scaled to columns of norm 1.
///
/// Formula   u_t = sum_j c_j x_{t-j} + z s N(0, I), out_t = (u_t - sum_{j>0} c_j out_{t-j}) / c_0
/// Requires  any two steps that a unit is in are `separation` apart or more, which ones being public and
///           fixed in advance: a unit that is missing leaves its places empty
/// Privacy   all steps together are a Gaussian query: a unit is in k = ceil(steps / separation) of them at
///           most, their columns of C do not overlap, so it moves C x by sqrt(k) s at most. Value and noise
///           are whole steps of z s / 2^20, so the event's multiplier is
///           z / (sqrt(k) (1 + rounding) + 1.2 z sqrt(k bands d) / 2^20), up to 2^-110 of total variation for
///           each number (docs/privacy/banded_matrix.md)
/// Cost      one rounded normal for each number of a step and 2 bands multiplications; memory for
///           2 (bands - 1) vectors of doubles
/// Errors    N001 for numbers out of range, N003 for a vector of another length, N007 for a step more than
///           promised, N011 for add-remove
/// Source    Choquette-Choo and others, arXiv:2306.08153
/// Test      tests/privacy/banded_matrix.test.cpp
class banded_matrix {
 public:
  banded_matrix(banded_terms terms, std::size_t dimension) : terms_(std::move(terms)), dimension_(dimension) {
    detail::check_stream("banded_matrix", terms_.noise_multiplier, terms_.sensitivity, terms_.rounding,
                         terms_.relation, dimension);
    auto& c = terms_.bands;
    bool falling = !c.empty() && c.size() <= most_bands && std::isfinite(c[0]);
    for (std::size_t j = 0; falling && j < c.size(); ++j)
      falling = c[j] >= 1e-6 * c[0] && c[j] > 0 && (j == 0 || c[j] <= c[j - 1]);
    require(
        falling, fault::argument, "banded_matrix: got ", c.size(),
        " bands, expected 1 to 64 positive numbers, none larger than the one before nor below 1e-6 of the "
        "first");
    require(terms_.separation >= c.size() && terms_.steps >= 1 && terms_.steps <= std::uint64_t{1} << 40,
            fault::argument, "banded_matrix: got ", terms_.steps, " steps, ", c.size(),
            " bands and a separation of ", terms_.separation,
            ", expected 1 to 2^40 steps and a separation of at least the bands");
    double squares = 0;
    for (const double x : c) squares += (x / c[0]) * (x / c[0]);
    const double scale = c[0] * std::sqrt(squares) * (1 + 1e-14); // no column is longer than 1
    for (double& x : c) x /= scale;
    step_size_ = terms_.noise_multiplier * terms_.sensitivity / rounded_normal_scale;
    values_.resize(c.size() - 1, std::vector<double>(dimension));
    released_ = values_;
  }
  /// A copy would release the same steps again, with other noise.
  banded_matrix(const banded_matrix&) = delete;
  banded_matrix& operator=(const banded_matrix&) = delete;

  /// Makes the vector of the next step private, with noise from a secret source.
  template <class T, class Source>
  void release(std::span<T> x, Source& source) {
    detail::check_secret_noise<Source>();
    require(x.size() == dimension_, fault::shape, "banded_matrix: got ", x.size(), " numbers, expected ",
            dimension_);
    require(step_ < terms_.steps, fault::leak, "banded_matrix: a step beyond the ", terms_.steps,
            " that the noise is for");
    const auto& c = terms_.bands;
    std::vector<double> value(dimension_), out(dimension_);
    for (std::size_t i = 0; i < dimension_; ++i) value[i] = in_steps(static_cast<double>(x[i]));
    for (std::size_t i = 0; i < dimension_; ++i) out[i] = c[0] * value[i];
    for (std::size_t j = 1; j < c.size(); ++j) {
      const auto& past = values_[slot(j)];
      for (std::size_t i = 0; i < dimension_; ++i) out[i] += c[j] * past[i];
    }
    std::vector<std::int32_t> noise(dimension_);
    const detail::wiped_at_exit<std::int32_t> guard{std::span<std::int32_t>(noise)};
    fill_rounded_normal(source, std::span<std::int32_t>(noise));
    for (std::size_t i = 0; i < dimension_; ++i) {
      const auto whole = static_cast<std::int64_t>(std::floor(out[i] + 0.5)) + noise[i];
      out[i] = static_cast<double>(whole) + 0.5;
    }
    // What follows is a function of the whole numbers.
    for (std::size_t j = 1; j < c.size(); ++j) {
      const auto& past = released_[slot(j)];
      for (std::size_t i = 0; i < dimension_; ++i) out[i] -= c[j] * past[i];
    }
    for (std::size_t i = 0; i < dimension_; ++i) {
      out[i] /= c[0];
      x[i] = static_cast<T>(out[i] * step_size_);
    }
    if (c.size() > 1) {
      const std::size_t oldest = slot(c.size() - 1);
      values_[oldest] = std::move(value);
      released_[oldest] = std::move(out);
    }
    ++step_;
  }

  std::uint64_t step() const noexcept { return step_; }
  /// Steps that a unit is in, at most.
  std::uint64_t participations() const noexcept {
    return (terms_.steps + terms_.separation - 1) / terms_.separation;
  }
  /// Of the noise on each number of the sum of the first so many released vectors.
  double prefix_variance(std::uint64_t steps) const {
    const auto& c = terms_.bands;
    std::vector<double> sums; // of row t of A C^-1, from the diagonal on: the series 1 / ((1 - x) c(x))
    double squares = 0;
    for (std::uint64_t t = 0; t < steps; ++t) {
      double now = 1;
      for (std::size_t j = 1; j < c.size() && j <= t; ++j) now -= c[j] * sums[t - j];
      sums.push_back(now / c[0]);
      squares += sums.back() * sums.back();
    }
    const double deviation = terms_.noise_multiplier * terms_.sensitivity;
    return squares * deviation * deviation;
  }

  /// What all steps together spend.
  privacy_event event() const {
    const double z = terms_.noise_multiplier, k = static_cast<double>(participations()),
                 d = static_cast<double>(dimension_), b = static_cast<double>(terms_.bands.size());
    return {event::gaussian{z /
                            (std::sqrt(k) * (1 + terms_.rounding) +
                             1.2 * z * std::sqrt(k * b * d) / rounded_normal_scale) *
                            (1 - 1e-12)},
            1, terms_.relation, rounded_normal_distance * d * static_cast<double>(terms_.steps)};
  }

 private:
  static constexpr std::size_t most_bands = 64;

  /// Where the vector of j steps ago is kept, and the next one takes the place of the oldest.
  std::size_t slot(std::size_t j) const noexcept {
    const std::uint64_t kept = values_.size();
    return static_cast<std::size_t>((step_ + kept - j) % kept);
  }
  /// Cut at 2^40 steps, which brings no two numbers further apart; NaN counts as 0.
  double in_steps(double x) const noexcept {
    const double steps = x / step_size_;
    return std::isnan(steps) ? 0 : std::clamp(steps, -0x1p40, 0x1p40);
  }

  banded_terms terms_;
  std::size_t dimension_;
  double step_size_ = 0;
  std::vector<std::vector<double>> values_, released_; // of the last bands - 1 steps, in whole steps
  std::uint64_t step_ = 0;
};

} // namespace privet
