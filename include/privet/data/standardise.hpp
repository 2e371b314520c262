#pragma once
// Columns brought to mean 0 and deviation 1, and missing values filled in, by numbers taken from
// the training rows alone. In a federation those numbers are sums over all offices.

#include <privet/core/bytes.hpp>
#include <privet/core/error.hpp>
#include <privet/core/sha256.hpp>
#include <privet/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// Count, sum and sum of squares of what is there in each column: one plain vector, so that it
/// travels through the same aggregator as a model update.
struct moments {
  std::vector<double> values; ///< counts of all columns, then sums, then sums of squares

  static moments none(std::size_t columns) { return {std::vector<double>(3 * columns)}; }

  /// Over all rows; NaN is missing and left out.
  template <class T>
  static moments of(const dataset<T>& data) {
    moments m = none(data.columns());
    double *count = m.values.data(), *sum = count + data.columns(), *squares = sum + data.columns();
    for (std::size_t r = 0; r < data.rows(); ++r) {
      const auto x = row(data.features, r);
      for (std::size_t c = 0; c < x.size(); ++c) {
        if (std::isnan(x[c])) continue;
        const double value = x[c];
        count[c] += 1;
        sum[c] += value;
        squares[c] += value * value;
      }
    }
    return m;
  }

  std::size_t columns() const noexcept { return values.size() / 3; }
  double count(std::size_t c) const { return values[c]; }
  double sum(std::size_t c) const { return values[columns() + c]; }
  double sum_of_squares(std::size_t c) const { return values[2 * columns() + c]; }

  /// Raises the sums of squares until every column's deviation is at least this: noise may have made them less,
  /// or none at all.
  void raise_deviations_to(double least) {
    for (std::size_t c = 0; c < columns(); ++c) {
      const double n = count(c), mean = sum(c) / n;
      double& squares = values[2 * columns() + c];
      squares = std::max(squares, n * (mean * mean + least * least));
    }
  }

  /// Joins the rows of two parties. Throws [N003] when they have different columns.
  moments& operator+=(const moments& other) {
    require(values.size() == other.values.size(), fault::shape, "moments: ", columns(), " columns and ",
            other.columns());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
    return *this;
  }
};

/// Missing values per column, for the record of a run.
template <class T>
std::vector<std::size_t> missing_by_column(const dataset<T>& data) {
  std::vector<std::size_t> missing(data.columns());
  for (std::size_t r = 0; r < data.rows(); ++r) {
    const auto x = row(data.features, r);
    for (std::size_t c = 0; c < x.size(); ++c) missing[c] += std::isnan(x[c]);
  }
  return missing;
}

/// Scales columns to mean 0 and deviation 1 over the rows its moments were taken from.
///
/// Formula  x -> (x - mean) / deviation, deviation^2 = sum of squares / count - mean^2; a missing
///          value becomes the mean, which is 0 after scaling
/// Ensures  a constant column (deviation below 1e-5 of its root mean square, or below 3e-8) is only
///          centred, and so is one without any value
/// Leak     only ever made from training rows; the test rows are scaled by the same numbers
/// Test     tests/data/standardise.test.cpp
class standardiser {
 public:
  /// Only ratios matter, so an average over offices serves as well as a sum.
  /// Throws [N001] for moments that no rows can have: not finite, a negative count, more squared
  /// mean than mean square.
  static standardiser from(const moments& m) {
    require(m.values.size() % 3 == 0, fault::shape, "standardiser: ", m.values.size(),
            " moments, expected three per column");
    standardiser s;
    s.shift_.reserve(m.columns());
    s.scale_.reserve(m.columns());
    for (std::size_t c = 0; c < m.columns(); ++c) {
      const double n = m.count(c), sum = m.sum(c), squares = m.sum_of_squares(c);
      const double mean = n > 0 ? sum / n : 0, mean_square = n > 0 ? squares / n : 0;
      const double variance = mean_square - mean * mean,
                   noise = smallest_ratio * mean_square + smallest_variance;
      require(
          std::isfinite(n) && n >= 0 && std::isfinite(sum) && std::isfinite(squares) && variance >= -noise,
          fault::argument, "standardiser: column ", c + 1, " has count ", n, ", sum ", sum,
          ", sum of squares ", squares, ": no rows have these");
      s.shift_.push_back(mean);
      s.scale_.push_back(variance > noise ? 1 / std::sqrt(variance) : 1);
    }
    byte_writer bytes;
    for (const double value : m.values) bytes.put(value);
    const digest whole = sha256(bytes.view());
    s.fingerprint_ = concat("standardised ", hex(std::span(whole).first(8)));
    return s;
  }

  /// From the training rows of one party.
  template <class T>
  static standardiser fit(const dataset<T>& train) {
    return from(moments::of(train));
  }

  std::size_t columns() const noexcept { return shift_.size(); }
  double mean(std::size_t c) const { return shift_[c]; }
  double deviation(std::size_t c) const { return 1 / scale_[c]; }

  /// What `apply` writes into `schema::scaling`: a hash of the moments, so that offices which scale
  /// by different numbers differ in schema.
  const std::string& fingerprint() const noexcept { return fingerprint_; }

  /// One row in place, as on a device. Throws [N003] unless it has `columns()` values.
  template <class T>
  void apply(std::span<T> x) const {
    require(x.size() == columns(), fault::shape, "standardiser: a row of ", x.size(), " values, expected ",
            columns());
    for (std::size_t c = 0; c < x.size(); ++c)
      x[c] = std::isnan(x[c]) ? T{0} : static_cast<T>((static_cast<double>(x[c]) - shift_[c]) * scale_[c]);
  }

  /// A scaled data set without missing values. Throws [N003] for other columns and [N005] when the
  /// data is scaled already.
  template <class T>
  dataset<T> apply(dataset<T> data) const {
    require(data.columns() == columns(), fault::shape, "standardiser: a data set of ", data.columns(),
            " columns, expected ", columns());
    require(data.schema.scaling.empty(), fault::schema, "standardiser: the data set is scaled already: '",
            data.schema.scaling, "', this is '", fingerprint_, "'");
    for (std::size_t r = 0; r < data.rows(); ++r) apply(row(data.features, r));
    data.schema.scaling = fingerprint_;
    return data;
  }

 private:
  // The rounding of sums stays below these: of doubles in ratio, of a federation's fixed point absolutely.
  static constexpr double smallest_ratio = 1e-10, smallest_variance = 0x1p-50;

  standardiser() = default;
  std::vector<double> shift_, scale_;
  std::string fingerprint_;
};

} // namespace privet
