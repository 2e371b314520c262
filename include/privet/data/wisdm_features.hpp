#pragma once
// Ten seconds of raw three-axis acceleration become the 43 columns of the WISDM data set, on the
// device, sample by sample, in a fixed amount of memory.

#include <privet/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace privet {

inline constexpr std::size_t wisdm_window_samples = 200; ///< 10 s
inline constexpr int wisdm_sample_milliseconds = 50;     ///< 20 Hz

/// Column names, exactly as in WISDM_ar_v1.1_transformed.arff (without UNIQUE_ID, user and class).
inline constexpr std::array<std::string_view, 43> wisdm_feature_names = {
    "X0",        "X1",        "X2",       "X3",    "X4",        "X5",        "X6",        "X7",
    "X8",        "X9",        "Y0",       "Y1",    "Y2",        "Y3",        "Y4",        "Y5",
    "Y6",        "Y7",        "Y8",       "Y9",    "Z0",        "Z1",        "Z2",        "Z3",
    "Z4",        "Z5",        "Z6",       "Z7",    "Z8",        "Z9",        "XAVG",      "YAVG",
    "ZAVG",      "XPEAK",     "YPEAK",    "ZPEAK", "XABSOLDEV", "YABSOLDEV", "ZABSOLDEV", "XSTANDDEV",
    "YSTANDDEV", "ZSTANDDEV", "RESULTANT"};

/// Class names in the order of the same file.
inline constexpr std::array<std::string_view, 6> wisdm_class_names = {"Walking",    "Jogging", "Upstairs",
                                                                      "Downstairs", "Sitting", "Standing"};

/// Which of two readings of the columns is meant. They differ in XAVG, XABSOLDEV, XSTANDDEV,
/// ZSTANDDEV and the three peak columns; docs/data/wisdm_features.md shows the evidence.
enum class wisdm_columns {
  as_described, ///< what the paper says, for data of one's own
  as_published  ///< what the published file holds, for models trained on it
};

/// Turns a stream of accelerations into one row of 43 features per 200 samples.
///
/// Input     m/s^2 with gravity, 20 Hz, three axes of the device
/// Output    per axis ten fractions of the samples in equal bins from the window's least to its
///           greatest value; means; milliseconds between peaks (NaN: fewer than three peaks); mean
///           absolute and standard deviation (divisor 200); mean length of the vector
/// Windows   follow each other without overlap
/// Cost      a fixed 3 x 200 scalars; no allocation; all the work is in every 200th `push`
/// Source    Kwapisz, Weiss, Moore, "Activity Recognition using Cell Phone Accelerometers", 2010, 2.2
/// Test      tests/data/wisdm_features.test.cpp
template <std::floating_point T = float>
class wisdm_feature_extractor {
 public:
  static constexpr std::size_t feature_count = wisdm_feature_names.size();

  explicit wisdm_feature_extractor(wisdm_columns columns = wisdm_columns::as_described) noexcept
      : columns_(columns) {
    features_.fill(missing);
  }

  /// Adds one sample; true when it completes a window, whose features are then ready.
  /// Throws [N001] for a value that is not finite or beyond 1e6 m/s^2; the sample is not added.
  bool push(T x, T y, T z) {
    for (const T a : {x, y, z})
      if (!(std::abs(a) <= T(1e6)))
        fail(fault::argument, "acceleration: got ", a, " m/s^2, expected at most 1e6 either way");
    samples_[0][filled_] = x;
    samples_[1][filled_] = y;
    samples_[2][filled_] = z;
    if (++filled_ < wisdm_window_samples) return false;
    filled_ = 0;
    describe_window();
    return true;
  }

  /// The last complete window; all NaN before the first.
  std::span<const T, feature_count> features() const noexcept { return features_; }

  /// Forgets the unfinished window, after a gap in the stream. `features()` stay.
  void restart() noexcept { filled_ = 0; }

 private:
  using series = std::array<T, wisdm_window_samples>;
  static constexpr T missing = std::numeric_limits<T>::quiet_NaN();
  enum column : std::size_t {
    bins = 0,
    mean = 30,
    peak = 33,
    absolute_deviation = 36,
    deviation = 39,
    resultant = 42
  };

  void describe_window() noexcept {
    for (std::size_t axis = 0; axis < 3; ++axis) describe_axis(axis);
    T length{};
    for (std::size_t i = 0; i < wisdm_window_samples; ++i) {
      const T x = samples_[0][i], y = samples_[1][i], z = samples_[2][i];
      length += std::sqrt(x * x + y * y + z * z);
    }
    features_[resultant] = length / T(wisdm_window_samples);
    if (columns_ == wisdm_columns::as_published) features_[deviation + 2] = features_[deviation];
  }

  void describe_axis(std::size_t axis) noexcept {
    const series& s = samples_[axis];
    const auto [least, greatest] = std::minmax_element(s.begin(), s.end());
    const T low = *least, range = *greatest - low;

    std::array<int, 10> counts{};
    for (const T v : s)
      ++counts[range > 0 ? std::min<std::size_t>(9, static_cast<std::size_t>((v - low) / range * 10)) : 0];
    for (std::size_t b = 0; b < 10; ++b)
      features_[bins + 10 * axis + b] = T(counts[b]) / T(wisdm_window_samples);

    T centre{};
    if (axis != 0 || columns_ == wisdm_columns::as_described) {
      for (const T v : s) centre += v;
      centre /= T(wisdm_window_samples);
    }
    T distance{}, square{};
    for (const T v : s) {
      distance += std::abs(v - centre);
      square += (v - centre) * (v - centre);
    }
    features_[mean + axis] = centre;
    features_[absolute_deviation + axis] = distance / T(wisdm_window_samples);
    features_[deviation + axis] = std::sqrt(square / T(wisdm_window_samples));
    features_[peak + axis] = milliseconds_between_peaks(s, *greatest, range);
  }

  /// Peaks within a tenth of the amplitude below the greatest value count; with fewer than three
  /// the limit falls by further tenths. The amplitude is the range, or as published the greatest
  /// value itself, which finds nothing where three peaks above zero are missing.
  T milliseconds_between_peaks(const series& s, T greatest, T range) const noexcept {
    constexpr T none = -std::numeric_limits<T>::max();
    std::array<T, 3> highest{none, none, none};
    for_each_peak(s, [&](std::size_t, T height) {
      if (height > highest[2]) highest[2] = height;
      if (highest[2] > highest[1]) std::swap(highest[1], highest[2]);
      if (highest[1] > highest[0]) std::swap(highest[0], highest[1]);
    });
    const bool published = columns_ == wisdm_columns::as_published;
    const T third = highest[2];
    if (published ? third <= 0 : third == none) return missing;

    const T tenth = (published ? greatest : range) / 10;
    const T steps = std::max(T(1), std::ceil((greatest - third) / tenth));
    const T limit = std::min(third, greatest - steps * tenth);
    std::size_t first = 0, last = 0, intervals = 0;
    for_each_peak(s, [&](std::size_t at, T height) {
      if (height < limit) return;
      if (first == 0)
        first = at;
      else
        ++intervals;
      last = at;
    });
    return T((last - first) * wisdm_sample_milliseconds) / T(intervals);
  }

  /// Calls `visit(position, height)` for each run of equal samples that both neighbours are below,
  /// at its first sample. The ends of the window are no peaks.
  template <class Visit>
  static void for_each_peak(const series& s, Visit&& visit) {
    std::size_t rise = 0; // where the latest rise ended; 0: falling, or the flat start of the window
    for (std::size_t i = 1; i < s.size(); ++i) {
      if (s[i] > s[i - 1]) rise = i;
      if (s[i] < s[i - 1] && rise != 0) visit(std::exchange(rise, 0), s[i - 1]);
    }
  }

  wisdm_columns columns_;
  std::size_t filled_ = 0;
  std::array<series, 3> samples_{};
  std::array<T, feature_count> features_;
};

} // namespace privet
