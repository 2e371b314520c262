#pragma once
// Means and deviations of columns as a private release: sums of clipped values and of their squares, with
// noise.

#include <privet/core/error.hpp>
#include <privet/data/rows_by_group.hpp>
#include <privet/data/standardise.hpp>
#include <privet/privacy/gaussian.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// The moments of a data set for a standardiser, released once.
///
/// Formula   with y = clamp(x / bound, -1, 1): sums over the units of the mean of y and of y^2 over the rows of
///           a unit, in steps of 2^-20, each plus N(0, 2 columns noise_multiplier^2), then multiplied by bound
///           and bound^2
/// Requires  `bound` is a public constant, not read off the rows; no missing values
/// Privacy   add-remove of one unit moves the 2 columns sums by at most sqrt(2 columns) in l2, so it is a
///           Gaussian query; on a grid as `gaussian`. Counts are the number of units, which is taken to be
///           public
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

  /// What a release of so many columns does to one unit.
  privacy_event event(std::size_t columns) const {
    // Sums of whole multiples of 2^-20 are exact for 2^33 rows; y and y^2 are rounded towards zero to them.
    return gaussian{noise_multiplier}.event({.parameters = 2 * columns, .rounding = 0x1p-40});
  }

  /// A row is a unit.
  template <class T>
  moments release(const dataset<T>& data) const {
    check();
    moments m = moments::none(data.columns());
    std::vector<double> sums(2 * data.columns());
    for (std::size_t r = 0; r < data.rows(); ++r) {
      const auto row = static_cast<std::uint32_t>(r);
      add_unit(data, {&row, 1}, sums, m);
    }
    return noised(std::move(m), data.rows());
  }

  /// A person is a unit, and counts once by the mean over their rows: a group of the data set is a person.
  template <class T>
  moments release_by_person(const dataset<T>& data) const {
    check();
    const rows_by_group persons(data.groups);
    moments m = moments::none(data.columns());
    std::vector<double> sums(2 * data.columns());
    for (std::size_t i = 0; i < persons.size(); ++i) add_unit(data, persons[i], sums, m);
    return noised(std::move(m), persons.size());
  }

 private:
  /// The means of y and y^2 over the rows of one unit, rounded towards zero; `sums` is room for them.
  template <class T>
  void add_unit(const dataset<T>& data, std::span<const std::uint32_t> rows, std::span<double> sums,
                moments& m) const {
    const std::size_t columns = data.columns();
    std::ranges::fill(sums, 0);
    for (const auto r : rows) {
      const auto x = row(data.features, r);
      for (std::size_t c = 0; c < columns; ++c) {
        require(!std::isnan(x[c]), fault::leak, "private_moments: column ",
                in_quotes(data.schema.features[c]),
                " has missing values: fill them with a public constant before a private run");
        const double y = std::clamp(static_cast<double>(x[c]) / bound, -1.0, 1.0);
        sums[c] += y;
        sums[columns + c] += y * y;
      }
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      m.values[columns + i] += std::trunc(sums[i] / static_cast<double>(rows.size()) * 0x1p20) * 0x1p-20;
  }

  moments noised(moments m, std::size_t units) const {
    const std::size_t columns = m.columns();
    double *const count = m.values.data(), *const sum = count + columns, *const squares = sum + columns;
    gaussian{noise_multiplier}.release(std::span<double>(sum, 2 * columns),
                                       noise_multiplier * std::sqrt(2 * static_cast<double>(columns)));
    for (std::size_t c = 0; c < columns; ++c) {
      count[c] = static_cast<double>(units);
      sum[c] *= bound;
      squares[c] *= bound * bound;
    }
    return m;
  }
};

} // namespace privet
