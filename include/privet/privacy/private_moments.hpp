#pragma once
// Means and deviations of columns as a private release: sums of clipped values and of their squares, with
// noise.

#include <privet/core/error.hpp>
#include <privet/data/standardise.hpp>
#include <privet/privacy/gaussian.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace privet {

/// The moments of a data set for a standardiser, released once.
///
/// Formula   with y = clamp(x / bound, -1, 1), both in steps of 2^-20: sums of y and of y^2 over the rows,
///           each plus N(0, 2 columns noise_multiplier^2), then multiplied by bound and bound^2
/// Requires  `bound` is a public constant, not read off the rows; no missing values
/// Privacy   add-remove of one row moves the 2 columns sums by at most sqrt(2 columns) in l2, so it is a
/// Gaussian
///           query; on a grid as `gaussian`. Counts are the number of rows, which is taken to be public
/// Errors    N001 for a bound that is none, N007 for missing values, naming the column
/// Test      tests/privacy/private_moments.test.cpp
struct private_moments {
  double noise_multiplier = 20;
  double bound = 1;

  void check() const {
    require(bound > 0 && std::isfinite(bound), fault::argument, "private_moments: got the bound ", bound,
            ", expected more than 0");
    gaussian{noise_multiplier}.check();
  }

  /// What a release of so many columns does to one row.
  privacy_event event(std::size_t columns) const {
    // Sums of whole multiples of 2^-20 are exact for 2^33 rows; y and y^2 are rounded towards zero to them.
    return gaussian{noise_multiplier}.event({.parameters = 2 * columns, .rounding = 0x1p-40});
  }

  template <class T>
  moments release(const dataset<T>& data) const {
    check();
    const std::size_t columns = data.columns();
    moments m = moments::none(columns);
    double *const count = m.values.data(), *const sum = count + columns, *const squares = sum + columns;
    for (std::size_t r = 0; r < data.rows(); ++r) {
      const auto x = row(data.features, r);
      for (std::size_t c = 0; c < columns; ++c) {
        require(!std::isnan(x[c]), fault::leak, "private_moments: column ",
                in_quotes(data.schema.features[c]),
                " has missing values: fill them with a public constant before a private run");
        const double y = std::clamp(static_cast<double>(x[c]) / bound, -1.0, 1.0);
        sum[c] += std::trunc(y * 0x1p20) * 0x1p-20;
        squares[c] += std::trunc(y * y * 0x1p20) * 0x1p-20;
      }
    }
    const double deviation = noise_multiplier * std::sqrt(2 * static_cast<double>(columns));
    gaussian{noise_multiplier}.release(std::span<double>(sum, 2 * columns), deviation);
    for (std::size_t c = 0; c < columns; ++c) {
      count[c] = static_cast<double>(data.rows());
      sum[c] *= bound;
      squares[c] *= bound * bound;
    }
    return m;
  }
};

} // namespace privet
