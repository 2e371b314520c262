#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>
#include <privet/privacy/laplace.hpp>
#include <privet/privacy/sparse_vector.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Releases numbers whose magnitude is above a threshold, up to noise: the private variant of selective SGD. Which ones
/// is said by the sparse vector technique, how large they are by Laplace noise.
///
/// Formula   numbers are clipped to [-bound, bound] and asked in an order that public coins draw: is |x| above the
///           threshold? Each number that is costs a sparse vector of its own, of `choice` epsilon, and is sent
///           with Laplace noise of the rest, clipped again; the first k end it, k = fraction of all. Where none is, the
///           first one asked is sent
/// Privacy   of whoever's update it is, zero-out. `epsilon` is that of ONE number that is sent, as in the paper; an
///           upload spends up to k times that (`epsilon_in_all`), and so does the next: pure epsilon, without a delta.
///           `events` are what an accountant composes, which says less for many and small ones. Answers of a client
///           all fall if it is zeroed, so the technique is monotone. The running time depends on the noise
/// Errors    N001 for numbers out of range: either part of epsilon from 1e-6 to 64, threshold within [0, bound]; for no
///           parameters
/// Cost      some ten secret words for each number that is asked
/// Source    Shokri, Shmatikov, CCS 2015, section 6 and figure 12, with the sparse vector technique of Lyu, Su, Li,
///           VLDB 2017 in place of theirs
/// Test      tests/federated/selective_sgd.test.cpp
struct noisy_selection {
  static constexpr stage_role role = stage_role::encoding;
  static constexpr bool releases = true;

  double fraction = 0.01;  ///< theta_u
  double epsilon = 1;      ///< of one number
  double bound = 1e-3;     ///< gamma
  double threshold = 1e-4; ///< tau
  double choice = 8.0 / 9; ///< part of epsilon for which number, the rest for its value

  void check() const {
    detail::check_part("noisy_selection", fraction, 0);
    require(choice > 0 && choice < 1, fault::argument, "noisy_selection: choice ", choice,
            ", expected a part of epsilon between 0 and 1");
    detail::check_pure("noisy_selection, which number", choice * epsilon, bound);
    detail::check_pure("noisy_selection, its value", (1 - choice) * epsilon, bound);
    require(threshold >= 0 && threshold <= bound, fault::argument, "noisy_selection: threshold ", threshold,
            ", expected 0 to the bound, ", bound);
  }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    check();
    if (auto good = detail::check_upload(x); !good) return good.error();
    std::vector<std::uint32_t> order(x.size()), chosen;
    replayable_random coins(who.seed, stream_id(purpose::upload_masks, who.round, who.client));
    permutation(coins, std::span(order));
    auto& source = thread_system_random();
    const auto clipped = [&](std::uint32_t i) {
      return std::clamp(static_cast<double>(x[i]), -bound, bound);
    };
    const std::size_t most = kept(x.size());
    for (std::size_t next = 0; next < order.size() && chosen.size() < most;) {
      sparse_vector asked(of_choice(), source);
      while (next < order.size() && asked.positives_left() > 0) {
        const auto i = order[next++];
        if (asked.above(std::abs(clipped(i)), threshold, source)) chosen.push_back(i);
      }
    }
    if (chosen.empty()) chosen.push_back(order.front());
    std::ranges::sort(chosen);
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size()), .holds = support::listed};
    for (const auto i : chosen)
      out.values.push_back(
          static_cast<float>(std::clamp(of_value().release(clipped(i), source), -bound, bound)));
    out.places = std::move(chosen);
    return out;
  }

  /// How many of n numbers it sends at most.
  std::size_t kept(std::size_t n) const noexcept { return detail::part_of(n, fraction, 0); }

  /// Of one upload of so many numbers.
  std::vector<privacy_event> events(std::size_t parameters) const {
    check();
    require(parameters > 0, fault::argument, "noisy_selection: uploads of 0 numbers");
    system_random unused;
    auto which = sparse_vector(of_choice(), unused).event(), value = of_value().event();
    which.count = value.count = kept(parameters);
    return {which, value};
  }
  /// What so many uploads spend without a delta: epsilon for each number that they may send.
  double epsilon_in_all(std::size_t parameters, std::uint64_t uploads) const {
    check();
    require(parameters > 0, fault::argument, "noisy_selection: uploads of 0 numbers");
    return epsilon * static_cast<double>(kept(parameters)) * static_cast<double>(uploads);
  }

 private:
  sparse_vector_terms of_choice() const {
    return {.epsilon = choice * epsilon,
            .sensitivity = bound,
            .positives = 1,
            .monotone = true,
            .relation = neighbours::zero_out};
  }
  laplace of_value() const {
    return {.epsilon = (1 - choice) * epsilon, .sensitivity = bound, .relation = neighbours::zero_out};
  }
};

} // namespace privet
