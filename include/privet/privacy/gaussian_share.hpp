#pragma once
// Gaussian noise of which each of several parties adds a part: the exact sum of their integers is one private
// release.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/core/fixed_point.hpp>
#include <privet/core/labels.hpp>
#include <privet/core/wipe.hpp>
#include <privet/data/poisson.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/random/rounded_normal.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// One party's share of a noisy sum: its own bounded sum as integers on a public grid, plus its part of the
/// Gaussian noise.
///
/// Formula   floor(x / h) + K + 1, K the floor of N(0, 2^40); h = s noise_multiplier / (2^20 sqrt(holders)), s
///           the l2 sensitivity of x. So h K has the deviation s noise_multiplier / sqrt(holders)
/// Requires  label bounded<norm::l2>; comes last
/// Ensures   label noise_share<measure::zcdp>: private in the sum of the shares of all parties alone; nobody
///           else may see one (a trusted server, or secure aggregation of the integers)
/// Privacy   add-remove of one unit of one party: the party stays, and so does its noise. The sum is a
///           Gaussian query of multiplier z / (1 + rounding + z sqrt(d) / (2^20 sqrt(holders))), up to
///           holders d 2^-110 of total variation. `holders` counts honest parties whose shares arrive and
///           whose noise is unknown to whoever sees the sum: others add nothing to the guarantee and take
///           nothing from it
/// Errors    N001 for a multiplier outside 1e-3 to 1e9, for no holders or more than 2^20
/// Source    docs/privacy/noise_share.md has the proof
/// Test      tests/privacy/gaussian_share.test.cpp
struct gaussian_share {
  static constexpr std::string_view name = "gaussian_share";
  static constexpr stage_role role = stage_role::encoding;
  template <Label L>
  static constexpr bool fits = requires { requires std::same_as<typename L::norm, norm::l2>; };
  template <Label L>
  using after = noise_share<measure::zcdp, typename L::unit>;

  double noise_multiplier = 1; ///< of the sum
  std::uint32_t holders = 1;   ///< shares of noise that are counted on

  /// No number of a share is larger in magnitude.
  static constexpr std::int64_t most = std::int64_t{1} << 53;

  void check() const {
    detail::check_multiplier(name, noise_multiplier);
    require(holders >= 1 && holders <= 1u << 20, fault::argument, name, ": got ", holders,
            " holders, expected 1 to 2^20");
  }
  /// The same, for sums of up to so many units. N001 where they are longer than the integers.
  void check(std::size_t units) const {
    check();
    const double longest = static_cast<double>(units) * steps() / noise_multiplier;
    require(longest <= whole / 2, fault::argument, name, ": ", units, " units and the noise multiplier ",
            noise_multiplier, " make sums of up to ", longest, " steps, a share holds ", whole / 2);
  }

  /// No number of a share of a sum over so many units is larger in magnitude: for whoever packs shares.
  std::int64_t reach(std::size_t units) const {
    check(units);
    const double longest = static_cast<double>(units) * steps() / noise_multiplier;
    return static_cast<std::int64_t>(1.25 * longest) + (std::int64_t{1} << 25); // rounding, and 32 deviations
  }

  /// The step of the grid, for vectors of this l2 sensitivity.
  double step(double sensitivity) const {
    const double h = sensitivity * noise_multiplier / steps();
    require(sensitivity * noise_multiplier >= detail::least_deviation && std::isfinite(1 / h),
            fault::argument, name, ": noise of deviation ", sensitivity * noise_multiplier,
            ": nothing before it states a bound that it could hide");
    return h;
  }

  /// A number beyond 2^52 steps is moved there, which brings no two further apart; NaN counts as zero.
  template <class Arch = simd::default_arch, class T, class Source>
  std::vector<std::int64_t> encode(std::span<const T> sum, double sensitivity, Source& source) const {
    detail::check_secret_noise<Source>();
    return encode_with<Arch>(sum, sensitivity, source);
  }
  /// With noise from the operating system, this thread's stream of it.
  template <class Arch = simd::default_arch, class T>
  std::vector<std::int64_t> encode(std::span<const T> sum, double sensitivity) const {
    return encode<Arch>(sum, sensitivity, thread_system_random());
  }
  /// With noise that can be drawn again: no share of it is private.
  template <class Arch = simd::default_arch, class T>
  std::vector<std::int64_t> encode(std::span<const T> sum, double sensitivity,
                                   unsafe::replayable_noise& source) const {
    return encode_with<Arch>(sum, sensitivity, source);
  }

  /// A sum of shares, in the units of the vectors.
  double decode(int128 sum, double sensitivity) const { return static_cast<double>(sum) * step(sensitivity); }

  /// The noise multiplier to ask for so that the event has this one: more, by what rounding costs.
  double asked_for(double effective, const bounded_sum& sum) const {
    return detail::multiplier_to_ask(name, effective, sum, steps());
  }

  // The event of the sum for one unit of a party, and its kind for types to ask. Another sampler has no
  // theorem here.

  static event::subsampled_gaussian kind(const poisson&);
  /// `rows` and `sum` are the party's own.
  privacy_event event(const poisson& sampler, std::size_t rows, const bounded_sum& sum) const {
    return {event::subsampled_gaussian{multiplier(sum), poisson_batches::exact_rate(sampler.rate)}, 1,
            neighbours::add_remove, distance(sum) + sampler.overflow(rows)};
  }
  /// Of a sum over all rows.
  privacy_event event(const bounded_sum& sum) const {
    return {event::gaussian{multiplier(sum)}, 1, neighbours::add_remove, distance(sum)};
  }

 private:
  static constexpr double whole = 0x1p52;

  /// Steps of the grid in one deviation of the noise of all holders.
  double steps() const { return rounded_normal_scale * std::sqrt(static_cast<double>(holders)); }

  double multiplier(const bounded_sum& sum) const {
    check();
    require(sum.count_noise == 0, fault::unsupported, name,
            ": a bound that adapts by a count has no share of noise for it");
    return detail::multiplier_on_grid(noise_multiplier, sum, steps());
  }
  /// With what the sum of the holders' rounded normals is off from one rounded normal: below 2^-1000.
  double distance(const bounded_sum& sum) const {
    return rounded_normal_distance * (static_cast<double>(holders) + 0x1p-20) *
           static_cast<double>(sum.parameters);
  }

  template <class Arch, class T, class Source>
  std::vector<std::int64_t> encode_with(std::span<const T> sum, double sensitivity, Source& source) const {
    check();
    const double steps_in_one = 1 / step(sensitivity);
    std::vector<std::int64_t> out(sum.size());
    constexpr std::size_t piece = 4096; // a fill in such pieces equals one of all
    std::array<std::int32_t, piece> drawn;
    const detail::wiped_at_exit<std::int32_t> wiped{std::span<std::int32_t>(drawn)};
    for (std::size_t first = 0; first < sum.size(); first += piece) {
      const auto noise = std::span(drawn).first(std::min(piece, sum.size() - first));
      fill_rounded_normal<Arch>(source, noise);
      for (std::size_t i = 0; i < noise.size(); ++i) {
        const double x = static_cast<double>(sum[first + i]) * steps_in_one,
                     held = std::isnan(x) ? 0 : std::clamp(std::floor(x), -whole, whole);
        out[first + i] = static_cast<std::int64_t>(held) + noise[i] + 1;
      }
    }
    return out;
  }
};

} // namespace privet
