#pragma once
// What a client remembers of updates that a thin link did not carry.

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>

#include <utility>

namespace privet {

/// An encoding with a memory around it; made by `error_feedback{}.around(..)` or `momentum_correction{..}.around(..)`.
///
/// Memory    `Memory::slots` floats for each parameter, in the state of the chain
template <class Encoder, class Memory>
struct remembering {
  static constexpr stage_role role = stage_role::encoding;
  static constexpr bool selects = Selecting<Encoder>;
  static constexpr std::size_t slots = Memory::slots;

  Encoder encoder;
  Memory memory;

  void check() const {
    if constexpr (requires { encoder.check(); }) encoder.check();
    memory.check();
    require(
        encoder.contracts(), fault::argument,
        "a memory of what was not sent grows without end around an encoding whose error can be larger than "
        "the number: random_k{.unbiased = true}, or one bit by chance. Take random_k{} or sign{}");
  }

  /// Errors    as the encoding's; the memory is then as before
  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> given, const state_slice<float>& state,
                                 const upload_context& who) const {
    aligned_vector<float> fresh(given.begin(), given.end()), all(given.size());
    if constexpr (Memory::slots > 1) {
      const auto velocity = state.slot(1);
      const auto mu = static_cast<float>(memory.momentum);
      for (std::size_t i = 0; i < fresh.size(); ++i) fresh[i] = mu * velocity[i] + fresh[i];
    }
    const auto kept = state.slot(0);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kept[i] + fresh[i];
    auto sent = encoder.template encode<Arch>(all, who);
    if (!sent) return sent;
    sent->for_each([&](std::size_t place, std::size_t i) {
      all[place] -= (*sent)[i];
      if constexpr (Memory::slots > 1)
        if (memory.masking && sent->holds != support::all) fresh[place] = 0;
    });
    std::ranges::copy(all, kept.begin());
    if constexpr (Memory::slots > 1) std::ranges::copy(fresh, state.slot(1).begin());
    return sent;
  }
};

/// What was not sent is added to the next update.
///
/// Formula   v = kept + given;  sent = encoding(v);  kept = v - sent
/// Ensures   sent + kept = v, exactly for numbers that are sent as they are or not at all, otherwise to a rounding
/// Privacy   none of its own: before a release it would show later what was not paid for (P009). Behind noise it
///           remembers what is released already
/// Source    Stich, Cordonnier, Jaggi, NeurIPS 2018, arXiv:1809.07599
/// Test      tests/federated/thin_links.test.cpp
struct error_feedback {
  static constexpr std::size_t slots = 1;
  static void check() noexcept {}

  template <class Encoder>
  constexpr remembering<Encoder, error_feedback> around(Encoder encoder) const {
    return {std::move(encoder), *this};
  }
};

/// The same where momentum stands before the memory, so that what is sent late arrives as it would have with momentum
/// at the server. Updates come out 1 / (1 - momentum) times as large.
///
/// Formula   u = momentum u + given;  v = kept + u;  sent = encoding(v);  kept = v - sent;  masking: u = 0 where sent
/// Source    Lin, Han, Mao, Wang, Dally, ICLR 2018, arXiv:1712.01887, sections 3.1 and 3.2
/// Test      tests/federated/thin_links.test.cpp
struct momentum_correction {
  static constexpr std::size_t slots = 2;

  double momentum = 0.9;
  bool masking = true; ///< stops stale momentum where a number was just sent

  void check() const {
    require(momentum >= 0 && momentum < 1, fault::argument, "momentum_correction: momentum ", momentum,
            ", expected 0 <= momentum < 1");
  }
  template <class Encoder>
  constexpr remembering<Encoder, momentum_correction> around(Encoder encoder) const {
    return {std::move(encoder), *this};
  }
};

} // namespace privet
