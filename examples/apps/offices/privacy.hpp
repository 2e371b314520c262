#pragma once
// A private run: what each office runs, what it pays and where that is written down.

#include "data.hpp"

#include <privet/federated/office.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/ledger_file.hpp>

#include <cmath>
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
  std::vector<privet::privacy_event> events;
};

/// Calls `f` with the recipe of an office, whose noise has this multiplier.
template <class F>
auto with_private_recipe(const settings& s, double noise_multiplier, privet::payment pay, F&& f) {
  using namespace privet;
  const auto batches =
      static_cast<std::size_t>(std::max(std::round(static_cast<double>(s.local_epochs) / s.rate), 1.0));
  const auto call = [&](auto optimizer) {
    const auto steps =
        chain(clip_l2{.bound = s.clip}, average_over_batch{}, gaussian{.noise_multiplier = noise_multiplier},
              optimizer, cosine_rate{.steps = s.rounds * batches, .floor = s.cosine ? 0.0 : 1.0});
    return f(private_recipe<std::remove_const_t<decltype(steps)>>{
        steps, {.rate = s.rate}, batches, std::move(pay), scaling_of(s)});
  };
  if (s.optimizer == "adam") return call(adam{.learning_rate = s.lr});
  return call(sgd{.learning_rate = s.lr, .momentum = s.momentum});
}

inline private_plan plan_for(const settings& s, const privet::network& model, std::size_t rows,
                             std::size_t columns) {
  using namespace privet;
  private_plan plan;
  pld_accountant before;
  if (const auto scaling = scaling_of(s)) {
    plan.events.push_back(scaling->event(columns));
    before.compose(plan.events.back());
  }
  const auto training = [&](double noise, auto&& f) {
    return with_private_recipe(s, noise, {}, [&](const auto& recipe) {
      return f(recipe.template training<simd::default_arch>(model, rows, s.seed, 1));
    });
  };
  plan.noise_multiplier = training(1, [&](const auto& t) {
    auto all = t.event();
    all.count *= s.rounds;
    return gaussian::asked_for(noise_multiplier_for(all, s.epsilon, s.delta, before), t.sum_of_one());
  });
  auto round = training(plan.noise_multiplier, [](const auto& t) { return t.event(); });
  round.count *= s.rounds;
  plan.events.push_back(round);
  return plan;
}

/// The account of one office: a file beside the results, or where --ledgers says.
inline privet::ledger open_account(const settings& s, const std::filesystem::path& folder, std::size_t office,
                                   const privet::dataset<float>& rows, const private_plan& plan,
                                   const std::optional<privet::ledger_head>& head) {
  using namespace privet;
  const ledger_terms terms{.data = fingerprint_of({&rows}),
                           .unit = privacy_unit::example,
                           .relation = neighbours::add_remove,
                           .delta = s.delta,
                           .epsilon = s.epsilon,
                           .filter = schedule_filter{plan.events, stop_rule::public_only}};
  return open_or_create_ledger(folder / concat("office-", office, ".ledger"), terms,
                               {.contains = head, .anchor = {}})
      .value();
}

} // namespace apps
