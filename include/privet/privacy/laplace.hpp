#pragma once
// The Laplace mechanism on a grid, and its relative for whole numbers.

#include <privet/core/error.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/random/discrete_laplace.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// Releases one number, or a vector, of a known l1 sensitivity.
///
/// Formula   out = g (floor(x / g) + K + 1), K = floor(t E) for Laplace E of scale 1, drawn exactly; g is a
///           power of two near 2^-30 sensitivity / epsilon, t = D / epsilon rounded up, and
///           D = ceil(sensitivity / g) + numbers - 1 is what rounding leaves of the sensitivity, in steps
/// Requires  neighbours' values, as the doubles that they are, differ by at most `sensitivity` in l1
/// Privacy   epsilon-private without a delta, for one unit under `relation`. Of one number it is
///           post-processing of continuous Laplace noise on a whole number of steps, so its event is a
///           `laplace`; of a vector, whatever is epsilon-private. The running time depends on the noise
/// Cost      some six secret words for each number
/// Errors    N001 for epsilon or a sensitivity out of range; N011 for so many numbers at so small an epsilon
///           that the noise passes 2^40 steps
/// Source    Dwork, McSherry, Nissim, Smith, TCC 2006, Proposition 1; the floor as in docs/privacy/laplace.md
/// Test      tests/privacy/laplace.test.cpp
struct laplace {
  double epsilon = 1;
  double sensitivity = 1;
  neighbours relation = neighbours::add_remove;

  void check() const { detail::check_pure("laplace", epsilon, sensitivity); }

  /// From a secret source.
  template <class Source>
  void release(std::span<double> values, Source& source) const {
    detail::check_secret_noise<Source>();
    if (values.empty()) return;
    const noise n = noise_for(values.size());
    const geometric magnitude(ratio{n.scale, 1});
    detail::word_buffer<Source> words(source, 6 * values.size());
    for (double& x : values) {
      const std::int64_t k = magnitude.draw(words), sign = -static_cast<std::int64_t>(words.bit());
      x = n.grid.value(n.grid.floor(x) + (k ^ sign) + 1);
    }
  }
  template <class Source>
  double release(double value, Source& source) const {
    release(std::span<double>(&value, 1), source);
    return value;
  }
  /// From the operating system's randomness.
  void release(std::span<double> values) const { release(values, thread_system_random()); }
  double release(double value) const { return release(value, thread_system_random()); }

  /// The scale of the noise on each of so many numbers; its deviation is sqrt(2) times that.
  double scale(std::size_t numbers = 1) const {
    const noise n = noise_for(numbers);
    return n.grid.value(static_cast<std::int64_t>(n.scale));
  }
  /// What a release of so many numbers spends: at most `epsilon`.
  double spent(std::size_t numbers = 1) const {
    const noise n = noise_for(numbers);
    return std::min(static_cast<double>(n.sensitivity) / static_cast<double>(n.scale) * (1 + 1e-15), epsilon);
  }
  privacy_event event(std::size_t numbers = 1) const {
    if (numbers != 1) return pure_event(spent(numbers), relation);
    const noise n = noise_for(1);
    return {event::laplace{static_cast<double>(n.scale) / static_cast<double>(n.sensitivity) * (1 - 1e-15)},
            1, relation};
  }

 private:
  struct noise {
    detail::power_of_two_grid grid;
    std::uint64_t sensitivity, scale; // in steps
  };
  noise noise_for(std::size_t numbers) const {
    check();
    require(numbers >= 1 && numbers <= std::size_t{1} << 40, fault::argument, "laplace: got ", numbers,
            " numbers, expected 1 to 2^40");
    const auto grid = detail::power_of_two_grid::below(sensitivity / epsilon);
    const std::uint64_t steps = grid.steps_in(sensitivity) + (numbers - 1);
    return {grid, steps, detail::scale_for("laplace", static_cast<double>(steps), epsilon)};
  }
};

/// Releases whole numbers: counts, histograms.
///
/// Formula   out = x + K, P(K = k) ~ exp(-|k| / t), exact; t = sensitivity / epsilon rounded up to a fraction
///           of 32 bits
/// Requires  neighbours' values differ by at most `sensitivity` in l1. A histogram in which a unit is in one
///           cell has 1 under add-remove and zero-out, 2 under replace-one
/// Privacy   epsilon-private without a delta, for one unit under `relation`. Nothing is rounded. The running
///           time depends on the noise
/// Errors    N001 for epsilon not in [1e-6, 64] or a sensitivity not in [1, 2^20]
/// Source    Ghosh, Roughgarden, Sundararajan, arXiv:0811.2841; sampler: `discrete_laplace`
/// Test      tests/privacy/laplace.test.cpp
struct geometric_mechanism {
  double epsilon = 1;
  std::uint32_t sensitivity = 1;
  neighbours relation = neighbours::add_remove;

  void check() const {
    detail::check_pure("geometric_mechanism", epsilon, sensitivity);
    require(sensitivity <= 1u << 20, fault::argument, "geometric_mechanism: got the sensitivity ",
            sensitivity, ", expected 1 to 1048576");
  }

  /// From a secret source. Values are cut at 2^61, which brings no two further apart.
  template <class Source>
  void release(std::span<std::int64_t> values, Source& source) const {
    detail::check_secret_noise<Source>();
    constexpr std::int64_t most = std::int64_t{1} << 61;
    const discrete_laplace noise(scale());
    detail::word_buffer<Source> words(source, 6 * values.size());
    for (auto& x : values) x = std::clamp(x, -most, most) + noise.draw(words);
  }
  template <class Source>
  std::int64_t release(std::int64_t value, Source& source) const {
    release(std::span<std::int64_t>(&value, 1), source);
    return value;
  }
  /// From the operating system's randomness.
  void release(std::span<std::int64_t> values) const { release(values, thread_system_random()); }
  std::int64_t release(std::int64_t value) const { return release(value, thread_system_random()); }

  /// The scale t of the noise.
  ratio scale() const {
    check();
    const double exact = sensitivity / epsilon;
    const int shift = std::clamp(31 - std::ilogb(exact), 0, 40);
    const double numerator = std::floor(std::ldexp(exact * (1 + 0x1p-50), shift)) + 1;
    return {static_cast<std::uint64_t>(numerator), std::uint64_t{1} << shift};
  }
  /// What a release spends: at most `epsilon`.
  double spent() const {
    const ratio t = scale();
    return std::min(
        sensitivity * static_cast<double>(t.denominator) / static_cast<double>(t.numerator) * (1 + 1e-15),
        epsilon);
  }
  privacy_event event() const { return pure_event(spent(), relation); }
};

} // namespace privet
