#pragma once
// The Gaussian mechanism as a stage of a chain.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/data/poisson.hpp>
#include <privet/privacy/event.hpp>
#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/rounded_normal.hpp>
#include <privet/random/system.hpp>
#include <privet/simd/noise_grid.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace privet {

namespace unsafe {
/// Noise that can be drawn again, for tests and simulations: what carries it is never `released`.
class replayable_noise : public replayable_random {
 public:
  /// The reason is for whoever searches for `unsafe::`.
  replayable_noise(std::uint64_t seed, std::string_view reason)
      : replayable_random(seed, stream_id(purpose::simulated_noise)) {
    require(!reason.empty(), fault::argument, "unsafe::replayable_noise: no reason is given");
  }
};
} // namespace unsafe

/// How noise is rounded.
namespace noise {
/// Value and noise are whole numbers of steps, a step 2^-20 of the noise's deviation.
struct grid {};
/// Value and noise are whole numbers of steps, a step 2^-15 of the noise's deviation; the noise is a discrete
/// Gaussian, drawn exactly.
struct exact {};
/// Both are floating-point numbers, whose low bits tell which values were possible (Mironov, CCS 2012):
/// fast, and for simulations.
struct floating_point {};
} // namespace noise

namespace detail {

/// Steps in one deviation of exact noise: the most for which the sampler divides by 64 bits.
inline constexpr std::uint64_t exact_noise_scale = std::uint64_t{1} << 15;

/// Adds N(0, deviation^2) to each number, in one of the forms.
template <class Arch, class Form, class T, class Source>
void add_normal(std::span<T> x, double deviation, Source& source) {
  constexpr std::size_t piece = 2048;
  if constexpr (std::same_as<Form, noise::grid>) {
    alignas(64) std::array<std::int32_t, piece> drawn;
    const wiped_at_exit<std::int32_t> wiped{std::span<std::int32_t>(drawn)};
    const double step = deviation / rounded_normal_scale;
    for (; !x.empty(); x = x.subspan(std::min(x.size(), piece))) {
      const auto noise = std::span(drawn).first(std::min(x.size(), piece));
      fill_rounded_normal<Arch>(source, noise);
      simd::add_on_grid<Arch>(x.first(noise.size()), static_cast<T>(1 / step), static_cast<T>(step),
                              std::span<const std::int32_t>(noise));
    }
  } else if constexpr (std::same_as<Form, noise::exact>) {
    std::array<std::int64_t, piece> drawn;
    const wiped_at_exit<std::int64_t> wiped{std::span<std::int64_t>(drawn)};
    const discrete_gaussian sampler({exact_noise_scale * exact_noise_scale, 1});
    const double step = deviation / static_cast<double>(exact_noise_scale), per_step = 1 / step;
    for (; !x.empty(); x = x.subspan(std::min(x.size(), piece))) {
      const auto noise = std::span(drawn).first(std::min(x.size(), piece));
      sampler.fill(source, noise);
      // Of two integers that a double holds: what rounds their sum is a function of the sum.
      for (std::size_t i = 0; i < noise.size(); ++i)
        x[i] = static_cast<T>(
            (std::rint(static_cast<double>(x[i]) * per_step) + static_cast<double>(noise[i])) * step);
    }
  } else {
    privet::add_normal<Arch>(source, static_cast<T>(deviation), x);
  }
}

/// The operating system's randomness, this thread's stream of it.
struct system_source {
  static system_random& get() { return thread_system_random(); }
};
template <class Source>
struct given_source {
  Source* source;
  Source& get() const noexcept { return *source; }
};
template <class From>
using source_type = std::remove_cvref_t<decltype(std::declval<const From&>().get())>;

/// Below this deviation, 1 / step is no float.
inline constexpr double least_deviation = 1e-28;

/// Noise over sensitivity of a sum of which each number is moved to a grid with so many steps in one
/// deviation of the noise, for a multiplier asked for; and the reverse: docs/privacy/training.md.
inline double multiplier_on_grid(double asked, const bounded_sum& sum, double steps) {
  return asked / (1 + sum.rounding + asked * std::sqrt(static_cast<double>(sum.parameters)) / steps) *
         (1 - 1e-12);
}
inline double multiplier_to_ask(std::string_view who, double effective, const bounded_sum& sum,
                                double steps) {
  const double grid = effective * std::sqrt(static_cast<double>(sum.parameters)) / steps;
  require(sum.count_noise == 0 && grid < 0.5, fault::unsupported, who,
          ": no noise multiplier has the effect of ", effective, " on ", sum.parameters,
          " numbers and a count");
  return effective * (1 + sum.rounding) / (1 - grid) * (1 + 1e-11);
}
inline void check_multiplier(std::string_view who, double noise_multiplier) {
  require(noise_multiplier >= 1e-3 && noise_multiplier <= 1e9, fault::argument, who,
          ": got the noise multiplier ", noise_multiplier, ", expected 1e-3 to 1e9");
}

} // namespace detail

/// Noise as `gaussian` adds it, in another form or from another source.
template <class Form, class From>
struct gaussian_noise {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  static constexpr bool adds_noise = true;
  template <Label L>
  static constexpr bool fits = requires { requires std::same_as<typename L::norm, norm::l2>; };
  template <Label L>
  using after = std::conditional_t<SecretRandomSource<detail::source_type<From>>,
                                   released<measure::zcdp, typename L::unit>, L>;

  double noise_multiplier = 1;
  [[no_unique_address]] From from{};

  /// From another secret source, which must outlive the chain and be used by one thread; or, for tests, from
  /// unsafe::replayable_noise.
  template <class Source>
  auto drawn_from(Source& source) const {
    static_assert(
        SecretRandomSource<Source> || std::same_as<Source, unsafe::replayable_noise>,
        "[P003 replayable-noise] whoever can replay this noise subtracts it: draw from a system_random, "
        "or say unsafe::replayable_noise in a simulation. docs/errors/P003.md");
    return gaussian_noise<Form, detail::given_source<Source>>{noise_multiplier, {&source}};
  }

  void check() const { detail::check_multiplier("gaussian", noise_multiplier); }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T>, const update_context<T>& context) const {
    detail::add_normal<Arch, Form>(g, deviation(context), from.get());
  }
  /// weights -= scale times what `update` makes of `g`, to the bit: the noisy gradient is never written.
  template <class Arch = simd::default_arch, class T>
  void descend(std::span<T> g, double scale, const update_context<T>& context, std::span<T> weights) const
    requires std::same_as<Form, noise::floating_point>
  {
    descend_with_normal<Arch>(from.get(), std::span<const T>(g), static_cast<T>(deviation(context)),
                              static_cast<T>(scale), weights);
  }

  /// Adds noise of this deviation to numbers.
  void release(std::span<double> values, double deviation) const {
    detail::add_normal<simd::scalar, Form>(values, deviation, from.get());
  }
  double release(double value, double deviation) const {
    release(std::span<double>(&value, 1), deviation);
    return value;
  }

  /// The noise multiplier to ask for so that the event has this one: more, by what rounding costs.
  static double asked_for(double effective, const bounded_sum& sum) {
    return detail::multiplier_to_ask("gaussian", effective, sum, steps);
  }

  /// What the gradients' noise is multiplied by beside a count whose noise has this deviation and which one
  /// unit moves by 1/2; 1 without a count.
  double factor_beside(double count_noise) const {
    if (count_noise == 0) return 1;
    const double share = noise_multiplier / (2 * count_noise);
    require(share < 1, fault::argument, "gaussian: the noise multiplier ", noise_multiplier,
            " is not above what a count with noise of deviation ", count_noise,
            " leaves; more noise on the count is needed");
    return 1 / std::sqrt(1 - share * share);
  }

  // The events, and their kinds for types to ask. Another sampler has no theorem here.

  static constexpr bool is_exact = std::same_as<Form, noise::exact>;
  using sampled =
      std::conditional_t<is_exact, event::subsampled_discrete_gaussian, event::subsampled_gaussian>;
  using whole = std::conditional_t<is_exact, event::subsampled_discrete_gaussian, event::gaussian>;
  static sampled kind(const poisson&);
  static whole kind(const public_poisson&);
  privacy_event event(const poisson& sampler, std::size_t rows, const bounded_sum& sum) const {
    return {sampled{multiplier(sum), poisson_batches::exact_rate(sampler.rate)}, 1, neighbours::add_remove,
            distance(sum) + sampler.overflow(rows)};
  }
  /// Zero-out: coins that others know belong to the places of rows, and a row that is gone would move the
  /// rest.
  privacy_event event(const public_poisson& sampler, std::size_t rows, const bounded_sum& sum) const {
    return {whole{multiplier(sum)}, 1, neighbours::zero_out, distance(sum) + sampler.law().overflow(rows)};
  }
  /// Of a sum over all rows.
  privacy_event event(const bounded_sum& sum) const {
    return {whole{multiplier(sum)}, 1, neighbours::add_remove, distance(sum)};
  }

 private:
  /// Steps of the grid in one deviation.
  static constexpr double steps = std::same_as<Form, noise::grid> ? rounded_normal_scale
                                  : is_exact ? static_cast<double>(detail::exact_noise_scale)
                                             : 0x1p60;

  template <class T>
  double deviation(const update_context<T>& context) const {
    const double deviation = noise_multiplier * context.noise_factor * context.sensitivity;
    require(deviation >= detail::least_deviation && std::isfinite(deviation), fault::argument,
            "gaussian: noise of deviation ", deviation,
            ": nothing before it states a bound that it could hide");
    return deviation;
  }

  /// Noise over sensitivity, when both are rounded as they are: docs/privacy/training.md.
  double multiplier(const bounded_sum& sum) const {
    const double z = noise_multiplier * factor_beside(sum.count_noise);
    const double own = detail::multiplier_on_grid(z, sum, steps);
    if (sum.count_noise == 0) return own;
    const double count = sum.count_noise / (0.5 + sum.count_noise / steps);
    return 1 / std::sqrt(1 / (own * own) + 1 / (count * count));
  }
  static double distance(const bounded_sum& sum) {
    if constexpr (!std::same_as<Form, noise::grid>) return 0;
    return rounded_normal_distance * static_cast<double>(sum.parameters + (sum.count_noise > 0));
  }
};

/// Adds Gaussian noise to a bounded vector: a private release of it.
///
/// Formula   out = in + N(0, (noise_multiplier s)^2 I), s the l2 sensitivity of what comes in; both are whole
///           multiples of s noise_multiplier / 2^20, so the sum is one of integers
/// Requires  label bounded<norm::l2>
/// Ensures   label released<measure::zcdp>
/// Privacy   add-remove, zero-out: a Gaussian query of multiplier z / (1 + rounding + z sqrt(d) / 2^20), up
///           to 2^-60 of total variation for each of the d numbers. Noise comes from the operating system
/// Cost      two secret words for each number, no allocation
/// Source    Dwork, Roth 2014, appendix A; accounting: docs/privacy/training.md
/// Test      tests/privacy/gaussian.test.cpp
struct gaussian {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  static constexpr bool adds_noise = true;
  using form = gaussian_noise<noise::grid, detail::system_source>;
  template <Label L>
  static constexpr bool fits = form::template fits<L>;
  template <Label L>
  using after = form::template after<L>;

  double noise_multiplier = 1;

  /// From another source, as `gaussian_noise::drawn_from`.
  template <class Source>
  auto drawn_from(Source& source) const {
    return as_form().drawn_from(source);
  }
  /// In integers from the first random word on: a discrete Gaussian.
  ///
  /// Privacy   a sampled discrete Gaussian of multiplier z / (1 + rounding + z sqrt(d) / 2^15), which
  ///           `rdp_accountant` and `zcdp_accountant` know. Drawing takes longer for larger noise, so a
  ///           stopwatch sees a little of it: the grid has no such channel
  /// Cost      60 ns for each number
  /// Source    Canonne, Kamath, Steinke, arXiv:2004.00010; accounting: docs/privacy/accountants.md
  gaussian_noise<noise::exact, detail::system_source> exact() const { return {noise_multiplier, {}}; }
  /// Without the grid: for simulations, as its noise is not hidden in its low bits.
  gaussian_noise<noise::floating_point, detail::system_source> in_floating_point() const {
    return {noise_multiplier, {}};
  }

  void check() const { as_form().check(); }
  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state,
              const update_context<T>& context) const {
    as_form().template update<Arch>(g, offset, state, context);
  }
  void release(std::span<double> values, double deviation) const { as_form().release(values, deviation); }
  double release(double value, double deviation) const { return as_form().release(value, deviation); }
  static double asked_for(double effective, const bounded_sum& sum) {
    return form::asked_for(effective, sum);
  }
  double factor_beside(double count_noise) const { return as_form().factor_beside(count_noise); }
  template <class Sampler>
  static auto kind(const Sampler& s) -> decltype(form::kind(s));
  privacy_event event(const bounded_sum& sum) const { return as_form().event(sum); }
  template <class Sampler>
  privacy_event event(const Sampler& sampler, std::size_t rows, const bounded_sum& sum) const {
    return as_form().event(sampler, rows, sum);
  }

 private:
  form as_form() const noexcept { return {noise_multiplier, {}}; }
};

} // namespace privet
