#pragma once
// How much noise, how many steps, which sampling rate for a wanted epsilon.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/pld.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

namespace privet {

namespace detail {

inline void check_goal(double target, double delta) {
  check_delta(delta);
  require(target > 0 && std::isfinite(target), fault::argument, "calibrate: got the target epsilon ", target,
          ", expected more than 0");
}

/// The upper bound on epsilon after `e`, on top of what the accountant holds already; infinite where no
/// bound can be computed.
template <Accountant A>
double epsilon_after(A accountant, const privacy_event& e, double delta) {
  accountant.compose(e);
  try {
    return accountant.epsilon(delta).upper;
  } catch (const exception& why) {
    if (why.kind() == fault::unsupported) return std::numeric_limits<double>::infinity();
    throw;
  }
}

/// An x in [least, most] at which `epsilon`, falling in log x, is at most `target`, and which is above the
/// smallest such x by little more than a share of `precision`. `start` is a guess.
template <class F>
double smallest_safe(F epsilon, double target, double least, double most, double start, double precision,
                     std::string_view what) {
  const auto miss = [&](double t) { // falls; at most 0 is safe
    const double e = epsilon(std::exp(t));
    return std::isfinite(e) ? std::log(std::max(e, 1e-300) / target) : 50.0;
  };
  const double low = std::log(least), high = std::log(most);
  double bad, good = std::clamp(std::log(start), low, high), fgood = miss(good), fbad = 0,
              step = std::max(100 * precision, 1e-8);
  if (fgood > 0) {
    do {
      require(good < high, fault::argument, "calibrate: at the ", what, ' ', most, " epsilon is ",
              target * std::exp(fgood), ", expected at most ", target);
      bad = good, fbad = fgood;
      good = std::min(good + step, high), fgood = miss(good), step *= 4;
    } while (fgood > 0);
  } else {
    do {
      if (good <= low) return least;
      const double next = std::max(good - step, low), fnext = miss(next);
      step *= 4;
      if (fnext > 0) {
        bad = next, fbad = fnext;
        break;
      }
      good = next, fgood = fnext;
    } while (true);
  }
  // Illinois: the secant, with the value at an end that stays put halved. A hair to the safe side.
  for (int i = 0, last = 0; i < 60 && good - bad > precision; ++i) {
    double middle = bad + (good - bad) * fbad / (fbad - fgood) + precision / 5;
    if (i > 8 || !(middle > bad && middle < good)) middle = (bad + good) / 2;
    const double f = miss(middle);
    if (f > 0) {
      if (last == 1) fgood /= 2;
      bad = middle, fbad = f, last = 1;
    } else {
      if (f > -precision / 2) return std::exp(middle);
      if (last == -1) fbad /= 2;
      good = middle, fgood = f, last = -1;
    }
  }
  return std::exp(good);
}

/// The same, with a rough accountant first where accuracy can be chosen.
template <Accountant A, class Make>
double calibrate(const A& accountant, double target, double delta, double least, double most, double start,
                 std::string_view what, Make event_at) {
  check_goal(target, delta);
  const auto with = [&](const A& a) {
    return [&](double x) { return epsilon_after(a, event_at(x), delta); };
  };
  if constexpr (requires(A a) { a.tolerance = 1.0; }) {
    A rough = accountant;
    rough.tolerance = std::max(1e-3, accountant.tolerance);
    start = smallest_safe(with(rough), target, least, most, start, 1e-3, what);
  }
  const double found = smallest_safe(with(accountant), target, least, most, start, 1e-6, what);
  A there = accountant;
  there.compose(event_at(found));
  const privacy_bounds bounds = there.epsilon(delta);
  // What follows an exact formula can be met more exactly.
  return bounds.two_sided && bounds.looseness() > 1e-9
             ? found
             : smallest_safe(with(accountant), target, least, most, found, 1e-10, what);
}

} // namespace detail

/// The smallest noise multiplier, or Laplace scale, with which `e` keeps epsilon at or below `target`; the
/// noise that `e` itself names is ignored.
///
/// Ensures   the accountant's upper bound at the returned noise is at most `target`; at a noise smaller by a
///           share of 2e-6 it is above
/// Errors    N001 when not even noise of 1e5 is enough, naming the epsilon there and the target; N011 for a
///           mechanism without noise
template <Accountant A = pld_accountant>
double noise_multiplier_for(privacy_event e, double target, double delta, const A& accountant = {}) {
  const auto with_noise = [&](double noise) {
    std::visit(
        [&]<class M>(M& m) {
          if constexpr (std::is_same_v<M, event::laplace>)
            m.scale = noise;
          else if constexpr (requires { m.noise_multiplier; })
            m.noise_multiplier = noise;
          else
            fail(fault::unsupported, "calibrate: got ", M::name, ", expected a mechanism that adds noise");
        },
        e.mechanism);
    return e;
  };
  const double most = std::holds_alternative<event::discrete_gaussian>(e.mechanism) ? 1e4 : 1e5;
  return detail::calibrate(accountant, target, delta, 0.02, most, 1.0, "noise multiplier", with_noise);
}

/// The largest sampling rate with which `e`, a subsampled Gaussian, keeps epsilon at or below `target`.
///
/// Errors    N001 when not even a rate of 1e-9 is small enough; N011 for an event without sampling
template <Accountant A = pld_accountant>
double rate_for(privacy_event e, double target, double delta, const A& accountant = {}) {
  auto* sampled = std::get_if<event::subsampled_gaussian>(&e.mechanism);
  require(sampled != nullptr, fault::unsupported, "calibrate: got ", e.name(),
          ", expected subsampled_gaussian");
  const auto at_rate = [&](double one_in) {
    sampled->rate = std::min(1 / one_in, 1.0);
    return e;
  };
  const double one_in =
      detail::calibrate(accountant, target, delta, 1.0, 1e9, 100.0, "sampling rate one in", at_rate);
  return std::min(1 / one_in, 1.0);
}

/// The largest k from 1 to `most` for which `event_at(k)` keeps epsilon at or below `target`: uses, a batch
/// whose epochs are fixed, or whatever else epsilon grows with.
///
/// Errors    N001 when not even k = 1 does, naming its epsilon and the target; `what` says what k counts
template <Accountant A = pld_accountant, class EventAt>
std::uint64_t largest_for(std::uint64_t most, double target, double delta, std::string_view what,
                          EventAt event_at, const A& accountant = {}) {
  detail::check_goal(target, delta);
  const auto epsilon = [&](std::uint64_t k) { return detail::epsilon_after(accountant, event_at(k), delta); };
  const double one = epsilon(1);
  require(one <= target, fault::argument, "calibrate: 1 ", what, " has epsilon ", one, ", expected at most ",
          target);
  std::uint64_t good = 1, bad = most + 1;
  for (std::uint64_t next = 2; next < bad; next *= 4) {
    if (epsilon(next) > target) {
      bad = next;
      break;
    }
    good = next;
  }
  while (bad - good > 1) {
    const std::uint64_t middle = good + (bad - good) / 2;
    (epsilon(middle) <= target ? good : bad) = middle;
  }
  return good;
}

/// The most uses of `e` that keep epsilon at or below `target`; the count that `e` names is ignored.
///
/// Errors    N001 when not even one use does, naming the epsilon of one and the target
template <Accountant A = pld_accountant>
std::uint64_t uses_for(privacy_event e, double target, double delta, const A& accountant = {}) {
  std::uint64_t held = 0;
  for (const auto& known : accountant.events())
    if (known.mechanism == e.mechanism) held = known.count;
  const auto used = [&](std::uint64_t count) {
    e.count = count;
    return e;
  };
  return largest_for(event::most_uses - held, target, delta, "use", used, accountant);
}

} // namespace privet
