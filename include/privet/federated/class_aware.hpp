#pragma once
// Weights of clients by how much of their classes others lack.

#include <privet/core/result.hpp>
#include <privet/federated/fedavg.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace privet {

/// What a client multiplies its share of the rows by: 1 / sum_j P_j p_j^2, where P is what part of all rows each
/// class has and p what part of the client's, relative to the largest value that this can have for any p. Large for
/// a client with many classes, and for one whose classes are rare elsewhere.
///
/// Errors    N003 for another number of classes, N009 for shares that are none, or that miss a class which the client
///           has
/// Source    aggregation of the UNECE privacy-preserving ML pilot, 2021 (StatCan/UN-PML-Pilot)
inline result<double> class_factor(std::span<const double> shares, std::span<const std::size_t> own) {
  if (shares.size() != own.size())
    return error::of(fault::shape, "shares of ", shares.size(), " classes, the data has ", own.size());
  const auto rows = static_cast<double>(std::accumulate(own.begin(), own.end(), std::size_t{0}));
  double concentration = 0, inverses = 0;
  for (std::size_t j = 0; j < own.size(); ++j) {
    if (!(shares[j] >= 0 && shares[j] <= 1 + 1e-9))
      return error::of(fault::message, "class ", j, " has the share ", shares[j], " of all rows");
    const double p = static_cast<double>(own[j]) / rows;
    if (own[j] > 0 && !(shares[j] * rows > 1e-9 * p))
      return error::of(fault::message, "class ", j, " has the share ", shares[j],
                       " of all rows, and more rows here");
    concentration += shares[j] * p * p;
    if (shares[j] > 0) inverses += 1 / shares[j];
  }
  return std::min(1 / (concentration * inverses), 1.0); // by Cauchy and Schwarz, but for rounding
}

/// Federated averaging, where each client's share of the rows is multiplied by its `class_factor`.
///
/// Privacy   clients tell the server how many rows of each class they have; private offices refuse to
/// Test      tests/federated/class_aware.test.cpp
template <class Trust = trusted>
struct class_aware_average : federated_average<Trust> {
  static constexpr bool weighs_classes = true;

  template <class Other>
  constexpr class_aware_average<Other> run_by(Other who) const noexcept {
    return {federated_average<Trust>::run_by(who)};
  }
};
using class_aware = class_aware_average<>;

} // namespace privet
