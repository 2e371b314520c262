#pragma once
// Choosing one of several candidates by utility: the exponential mechanism, and report-noisy-max in the form
// of permute-and-flip.

#include <privet/core/error.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/exact_coins.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

namespace detail {

/// Utilities as whole steps, and the coins exp(-(best - utility) / scale) that both mechanisms are made of.
struct selection {
  power_of_two_grid grid;
  std::uint64_t reach, scale; ///< by how many steps two utilities may part, times 2 unless they move together

  selection(std::string_view who, double epsilon, double sensitivity, bool monotone) {
    check_pure(who, epsilon, sensitivity);
    grid = power_of_two_grid::below(sensitivity / epsilon);
    reach = grid.steps_in(sensitivity) * (monotone ? 1 : 2);
    scale = scale_for(who, static_cast<double>(reach), epsilon);
  }

  double spent(double epsilon) const {
    return std::min(static_cast<double>(reach) / static_cast<double>(scale) * (1 + 1e-15), epsilon);
  }
  std::vector<std::uint64_t> gaps(std::string_view who, std::span<const double> utilities) const {
    require(!utilities.empty(), fault::argument, who, ": got no candidates, expected 1 or more");
    std::vector<std::int64_t> steps;
    for (const double u : utilities) steps.push_back(grid.floor(u));
    const std::int64_t best = *std::ranges::max_element(steps);
    std::vector<std::uint64_t> gaps;
    for (const auto s : steps) gaps.push_back(static_cast<std::uint64_t>(best - s));
    return gaps;
  }
};

} // namespace detail

/// The exponential mechanism: candidate i with probability ~ exp(epsilon u_i / (2 sensitivity)), exactly.
///
/// Formula   P(i) ~ exp(floor(u_i / g) / t), drawn by rejection with exact coins; g a power of two near
///           2^-30 sensitivity / epsilon, D = ceil(sensitivity / g), t = 2 D / epsilon rounded up;
///           t = D / epsilon if `monotone`
/// Requires  one unit moves each utility by at most `sensitivity`; `monotone` if under the relation all
///           utilities move the same way, as counts do when a record is added
/// Privacy   epsilon-private without a delta, for one unit under `relation`; also rho() zCDP. The number of
///           words drawn depends on the utilities
/// Errors    N001 for epsilon, a sensitivity out of range, or no candidates
/// Source    McSherry, Talwar, FOCS 2007, Theorem 6; bounded range: Durfee, Rogers, arXiv:1905.04273; zCDP:
///           Cesar, Rogers, arXiv:2004.07223
/// Test      tests/privacy/exponential.test.cpp
struct exponential_mechanism {
  static constexpr std::string_view name = "exponential_mechanism";
  double epsilon = 1;
  double sensitivity = 1;
  bool monotone = false;
  neighbours relation = neighbours::add_remove;

  /// The index of one candidate.
  template <class Source>
  std::size_t choose(std::span<const double> utilities, Source& source) const {
    detail::check_secret_noise<Source>();
    const auto terms = selection();
    const auto gaps = terms.gaps(name, utilities);
    for (;;) {
      const auto i = static_cast<std::size_t>(uniform_below(source, gaps.size()));
      if (bernoulli_exp(source, {gaps[i], terms.scale})) return i;
    }
  }

  double spent() const { return selection().spent(epsilon); }
  /// Its losses lie in a range of length epsilon, so it is zCDP with an eighth of the square, a quarter of
  /// what epsilon alone says.
  double rho() const { return spent() * spent() / 8 * (1 + 1e-15); }
  privacy_event event() const { return pure_event(spent(), relation); }

 private:
  detail::selection selection() const { return {name, epsilon, sensitivity, monotone}; }
};

/// Report-noisy-max with exponential noise, as permute-and-flip: never worse than the exponential mechanism
/// and up to twice as good.
///
/// Formula   in random order, candidate i is chosen with probability exp(-(max - u_i) / t) when its turn
///           comes; utilities, g, D and t as `exponential_mechanism`
/// Requires  as `exponential_mechanism`
/// Privacy   epsilon-private without a delta, for one unit under `relation`, also if `monotone`
///           (docs/privacy/exponential.md). The number of words drawn depends on the utilities
/// Errors    N001 for epsilon, a sensitivity out of range, or no candidates
/// Source    McKenna, Sheldon, arXiv:2010.12603; that it is report-noisy-max: Ding and others,
///           arXiv:2105.07260
/// Test      tests/privacy/exponential.test.cpp
struct permute_and_flip {
  static constexpr std::string_view name = "permute_and_flip";
  double epsilon = 1;
  double sensitivity = 1;
  bool monotone = false;
  neighbours relation = neighbours::add_remove;

  /// The index of one candidate.
  template <class Source>
  std::size_t choose(std::span<const double> utilities, Source& source) const {
    detail::check_secret_noise<Source>();
    const auto terms = selection();
    const auto gaps = terms.gaps(name, utilities);
    std::vector<std::size_t> left(gaps.size());
    std::iota(left.begin(), left.end(), std::size_t{0});
    for (;;) { // the best one's coin always shows 1
      auto& turn = left[static_cast<std::size_t>(uniform_below(source, left.size()))];
      if (bernoulli_exp(source, {gaps[turn], terms.scale})) return turn;
      turn = left.back();
      left.pop_back();
    }
  }

  double spent() const { return selection().spent(epsilon); }
  privacy_event event() const { return pure_event(spent(), relation); }

 private:
  detail::selection selection() const { return {name, epsilon, sensitivity, monotone}; }
};

} // namespace privet
