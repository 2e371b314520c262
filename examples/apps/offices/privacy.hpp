#pragma once
// A private run: what each office runs, what it pays and where that is written down.

#include "data.hpp"

#include <privet/federated/office.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/privacy/ledger_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>

namespace apps {

/// Tells rows from any others. It stays with the ledger, or in the checkpoint.
inline privet::digest fingerprint_of(std::initializer_list<const privet::dataset<float>*> all) {
  privet::sha256_stream hash;
  for (const auto* rows : all) {
    hash.update(std::as_bytes(privet::as_span(rows->features)));
    hash.update(std::as_bytes(std::span(rows->labels)));
    hash.update(std::as_bytes(std::span(rows->groups)));
  }
  return hash.finish();
}

/// Noise on the moments that the columns are scaled by: a small part of any budget near 1.
inline constexpr double moments_noise = 14;

inline std::optional<privet::private_moments> scaling_of(const settings& s) {
  if (!(s.column_bound > 0)) return std::nullopt;
  return privet::private_moments{.noise_multiplier = moments_noise, .bound = s.column_bound};
}

/// What an office of so many rows does in the whole run, and the noise that keeps it within the budget.
struct private_plan {
  double noise_multiplier = 1;
  std::vector<privet::privacy_event> events; ///< the last is that of all rounds
};

/// Calls `f` with an optimiser, and with the rate's schedule over so many steps.
template <class F>
auto with_optimizer(const settings& s, std::size_t steps, F&& f) {
  using namespace privet;
  const cosine_rate rate{.steps = steps, .floor = s.rate_floor()};
  if (s.optimizer == "adam") return f(adam{.learning_rate = s.lr}, rate);
  return f(sgd{.learning_rate = s.lr, .momentum = s.momentum}, rate);
}

/// What an office sends whose noise is part of the noise of all: a share. Another office knows its own noise, so
/// it is not counted.
inline auto share_of(const settings& s, double noise_multiplier) {
  using namespace privet;
  return chain(
      clip_l2{.bound = s.clip}, sum_over_batch{},
      gaussian_share{.noise_multiplier = noise_multiplier,
                     .holders = static_cast<std::uint32_t>(std::max<std::size_t>(s.offices, 2) - 1)});
}

/// Calls `f` with what adds up shares of noise, and takes one step of an optimiser. Updates of persons are steps
/// already, so theirs has the rate 1.
template <class F>
auto with_shared_sum(const settings& s, double noise_multiplier, F&& f) {
  using namespace privet;
  const auto call = [&](const auto& optimizer, const auto& rate) {
    return f(shared_sum(share_of(s, noise_multiplier), poisson{.rate = s.rate}, chain(optimizer, rate)));
  };
  if (!s.protects_persons()) return with_optimizer(s, s.rounds, call);
  return call(sgd{.learning_rate = 1, .momentum = s.momentum},
              cosine_rate{.steps = s.rounds, .floor = s.rate_floor()});
}

/// Calls `f` with the recipe of an office, whose noise has this multiplier.
template <class F>
auto with_private_recipe(const settings& s, double noise_multiplier, privet::payment pay, F&& f) {
  using namespace privet;
  const auto own = chain(average_over_batch{}, sgd{.learning_rate = s.lr}); // of a person
  if (s.shares_noise()) {
    const auto share = share_of(s, noise_multiplier);
    if (s.protects_persons())
      return f(shared_user_recipe<std::remove_const_t<decltype(own)>, std::remove_const_t<decltype(share)>>{
          {own, s.local_epochs, s.batch}, share, {.rate = s.rate}, std::move(pay), scaling_of(s)});
    return f(shared_noise_recipe{share, poisson{.rate = s.rate}, std::move(pay), scaling_of(s)});
  }
  const gaussian noise{.noise_multiplier = noise_multiplier};
  const auto batches =
      s.protects_persons()
          ? s.samples
          : static_cast<std::size_t>(std::max(std::round(static_cast<double>(s.local_epochs) / s.rate), 1.0));
  return with_optimizer(s, s.rounds * batches, [&](const auto& optimizer, const auto& rate) {
    if (s.protects_persons()) {
      const auto steps = chain(clip_l2{.bound = s.clip}, average_over_batch{}, noise,
                               sgd{.learning_rate = 1, .momentum = s.momentum}, rate);
      return f(user_recipe<std::remove_const_t<decltype(own)>, std::remove_const_t<decltype(steps)>>{
          {own, s.local_epochs, s.batch}, steps, {.rate = s.rate}, batches, std::move(pay), scaling_of(s)});
    }
    const auto steps = chain(clip_l2{.bound = s.clip}, average_over_batch{}, noise, optimizer, rate);
    return f(private_recipe<std::remove_const_t<decltype(steps)>>{
        steps, {.rate = s.rate}, batches, std::move(pay), scaling_of(s)});
  });
}

/// The account of one office: a file beside the results, or where --ledgers says.
inline privet::ledger open_account(const settings& s, const std::filesystem::path& folder, std::size_t office,
                                   const privet::dataset<float>& rows, const private_plan& plan,
                                   const std::optional<privet::ledger_head>& head) {
  using namespace privet;
  const ledger_terms terms{.data = fingerprint_of({&rows}),
                           .unit = s.protects_persons() ? privacy_unit::user : privacy_unit::example,
                           .relation = neighbours::add_remove,
                           .delta = s.delta,
                           .epsilon = s.epsilon,
                           .filter = schedule_filter{plan.events, stop_rule::public_only}};
  return open_or_create_ledger(folder / concat("office-", office, ".ledger"), terms,
                               {.contains = head, .anchor = {}})
      .value();
}

} // namespace apps
