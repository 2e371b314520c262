#pragma once

#include <privet/privacy/golden_section.hpp>
#include <privet/privacy/private_coin.hpp>
#include <privet/privacy/special_functions.hpp>
#include <privet/random/normal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>

namespace privet {

/// PrivUnit: a report about a unit vector, of the least variance known for an unbiased one.
///
/// Formula   a point v of the sphere, with probability p from the cap of all v with <v, u> >= gamma and else
///           from the rest, uniform in either; the report is v / norm(), each coordinate of v rounded up or
///           down to a multiple of 2^-20 without bias
/// Privacy   epsilon() = log(p (1 - c) / ((1 - p) c)), replace-one, with c the cap's share of the sphere, an
///           incomplete beta function; raised by 1e-9 for its rounding. Proved for v in real numbers and the
///           coin as it is: rounding to the grid, from 2^21 + 1 values in each coordinate, comes after. Not
///           proved: that v is made in double arithmetic. That moves a coordinate by some 2^-50, so it
///           changes one by a step of the grid in about 2^-30 of all cases: epsilon holds but for a delta
///           near d 2^-30. Do not use it where that is too much; `duchi` is exact
/// Variance  of the whole vector, expected |report - u|^2 = 1 / norm()^2 - 1, and less than d 2^-42 /
///           norm()^2 for the grid
/// Errors    N001: fewer than two dimensions, gamma not in [0, 1), p not in [c, 1), epsilon not in (0, 32], a
///           vector whose norm is not 1 within 1e-5; N003: another number of numbers
/// Cost      three words for each number and some 60 incomplete beta functions. Time depends on <v, u> as
///           drawn: measured time must not leave the device
/// Source    Bhowmick and others, "Protection against reconstruction and its applications in private
///           federated learning", arXiv:1812.00984, Algorithm 1 and Lemma 4.1; the choice of p and gamma:
///           Asi, Feldman, Talwar, "Optimal algorithms for mean estimation under local differential privacy",
///           ICML 2022
/// Test      tests/privacy/numeric_mean.test.cpp
class priv_unit {
 public:
  static constexpr std::string_view name = "priv_unit";

  priv_unit(std::uint32_t dimensions, double gamma, double p) : dimensions_(dimensions), gamma_(gamma) {
    require(dimensions >= 2, fault::argument, name, ": ", dimensions, " dimensions, expected 2 or more");
    require(gamma >= 0 && gamma < 1, fault::argument, name, ": gamma is ", gamma,
            ", expected 0 <= gamma < 1");
    cap_ = detail::sphere_cap(dimensions, gamma);
    require(cap_ > 0 && p >= cap_ && p < 1, fault::argument, name, ": p is ", p,
            ", expected the cap's share ", cap_, " to less than 1");
    inside_ = private_coin::at_most(p);
    norm_ = norm_of(dimensions, gamma, cap_, inside_.probability());
    require(norm_ > 1e-9, fault::argument, name, ": p is ", p, ", and no answer comes through");
  }
  /// With the p and gamma of the least variance for this epsilon.
  static priv_unit for_epsilon(double epsilon, std::uint32_t dimensions) {
    require(dimensions >= 2, fault::argument, name, ": ", dimensions, " dimensions, expected 2 or more");
    const double d = dimensions, e = std::exp(-detail::checked_epsilon(name, epsilon) + 1.1 * rounding);
    const auto p_at = [&](double cap) { return cap / (cap + (1 - cap) * e); };
    const auto loss = [&](double gamma) {
      const double cap = detail::sphere_cap(d, gamma);
      return -norm_of(d, gamma, cap, p_at(cap));
    };
    const double gamma =
        detail::golden_section(loss, 0, std::min(0.999, std::sqrt((2 * epsilon + 20) / d)), 60).at;
    return {dimensions, gamma, p_at(detail::sphere_cap(d, gamma))};
  }

  std::uint32_t dimensions() const noexcept { return dimensions_; }
  double gamma() const noexcept { return gamma_; }
  double p() const noexcept { return inside_.probability(); }
  double cap() const noexcept { return cap_; }
  double norm() const noexcept { return norm_; } ///< the mean of <v, u>
  double epsilon() const noexcept {
    const double p = inside_.probability();
    return std::log(p / (1 - p)) + std::log1p(-cap_) - std::log(cap_) + rounding;
  }
  /// Expected |report - u|^2.
  double variance() const noexcept { return 1 / (norm_ * norm_) - 1; }

  template <class Source>
  void randomise(std::span<const double> unit, Source& source, std::span<double> out) const {
    detail::check_secret_coins<Source>();
    require(unit.size() == dimensions_ && out.size() == dimensions_, fault::shape, name, ": got ",
            unit.size(), " numbers and room for ", out.size(), ", expected ", dimensions_);
    double squares = 0;
    for (const double x : unit) squares += x * x;
    const double length = std::sqrt(squares);
    require(std::abs(length - 1) <= 1e-5, fault::argument, name, ": a vector of norm ", length,
            ", expected 1");

    const double along = draw_along(source);
    fill_normal(source, out);
    double inner = 0, left = 0;
    for (std::size_t j = 0; j < out.size(); ++j) inner += out[j] * unit[j] / length;
    for (std::size_t j = 0; j < out.size(); ++j) {
      out[j] -= inner * unit[j] / length;
      left += out[j] * out[j];
    }
    const double across = std::sqrt((1 - along) * (1 + along) / left);
    constexpr double steps = 0x1p20;
    for (std::size_t j = 0; j < out.size(); ++j) {
      const double v = std::clamp(along * unit[j] / length + across * out[j], -1.0, 1.0) * steps,
                   low = std::floor(v);
      const bool up = static_cast<double>(detail::draw32(source)) * 0x1p-32 < v - low;
      out[j] = (low + static_cast<double>(up)) * (1 / (steps * norm_));
    }
  }

 private:
  static constexpr double rounding = 1e-9;

  /// The mean of <v, u>: the integral of t (1 - t^2)^((d - 3) / 2) / B((d - 1) / 2, 1/2) over a cap, for
  /// both.
  static double norm_of(double d, double gamma, double cap, double p) {
    const double a = (d - 1) / 2;
    const double moment = detail::gamma_half_ratio(a) / std::sqrt(std::numbers::pi) *
                          std::exp(a * std::log1p(-gamma * gamma)) / (2 * a);
    return moment * (p / cap - (1 - p) / (1 - cap));
  }

  /// <v, u>: the point above which lies a uniform share of the cap, or of the rest.
  template <class Source>
  double draw_along(Source& source) const {
    const bool within = inside_.shows(detail::draw64(source)) != 0;
    const double uniform = uniform01<double>(source);
    const double above = within ? cap_ * uniform : cap_ + (1 - cap_) * uniform;
    double low = within ? gamma_ : -1, high = within ? 1 : gamma_;
    for (int i = 0; i < 56; ++i) {
      const double middle = (low + high) / 2;
      (detail::sphere_cap(dimensions_, middle) > above ? low : high) = middle;
    }
    return low;
  }

  std::uint32_t dimensions_;
  double gamma_, cap_ = 0, norm_ = 1;
  private_coin inside_;
};

} // namespace privet
