// The offices of a federation, with what each of them runs.

#include "training.hpp"

#include <privet/federated/scaffold.hpp>

namespace apps {

namespace {

/// What each office does, and the noise that keeps it within the budget: of its own, or, when it is shared, of
/// the office that needs most.
std::vector<private_plan> plans_for(const settings& s, const privet::network& model,
                                    const std::vector<privet::dataset<float>>& offices) {
  using namespace privet;
  std::vector<private_plan> plans;
  const auto training = [&](double noise, const dataset<float>& rows, auto&& f) {
    return with_private_recipe(s, noise, {}, [&](const auto& recipe) {
      return f(recipe.template training<simd::default_arch>(model, rows, s.seed, 1));
    });
  };
  double most = 0;
  for (const auto& rows : offices) {
    auto& plan = plans.emplace_back();
    pld_accountant before;
    if (const auto scaling = scaling_of(s)) {
      plan.events.push_back(scaling->event(rows.columns()));
      before.compose(plan.events.back());
    }
    plan.noise_multiplier = training(1, rows, [&](const auto& t) {
      auto all = t.event();
      all.count *= s.rounds;
      const double effective = noise_multiplier_for(all, s.epsilon, s.delta, before);
      if constexpr (requires { t.chain().encoding(); })
        return t.chain().encoding().asked_for(effective, t.sum_of_one());
      else
        return gaussian::asked_for(effective, t.sum_of_one());
    });
    most = std::max(most, plan.noise_multiplier);
  }
  for (std::size_t k = 0; k < plans.size(); ++k) {
    auto& plan = plans[k];
    if (s.shares_noise()) plan.noise_multiplier = most;
    plan.events.push_back(
        training(plan.noise_multiplier, offices[k], [](const auto& t) { return t.event(); }));
    plan.events.back().count *= s.rounds;
  }
  return plans;
}

} // namespace

std::vector<std::unique_ptr<privet::participant>> make_offices(const settings& s, const study& data,
                                                               const privet::network& model,
                                                               federated_run& run,
                                                               const std::filesystem::path& folder) {
  using namespace privet;
  std::vector<std::unique_ptr<participant>> parties;
  run.ledgers.clear();
  std::vector<private_plan> plans;
  if (s.is_private()) {
    plans = plans_for(s, model, data.offices);
    run.noise_multiplier = plans[0].noise_multiplier;
  }
  for (std::size_t k = 0; k < data.offices.size(); ++k) {
    const auto& rows = data.offices[k];
    const auto add_office = [&]<class Recipe>(const Recipe& recipe) {
      parties.push_back(
          std::make_unique<office<Recipe>>(static_cast<std::uint32_t>(k + 1), rows, recipe, s.seed));
    };
    const auto add = [&](const auto& recipe) { with_upload(s, recipe, add_office); };
    if (s.strategy == "scaffold") { // as fast as the recipe with its momentum
      add_office(scaffold_recipe<>{.learning_rate = s.lr / (1 - s.momentum),
                                   .schedule = schedule_of(s, rows.rows()),
                                   .epochs = s.local_epochs,
                                   .batch = s.batch,
                                   .loss = softmax_cross_entropy{.smoothing = s.smoothing}});
      continue;
    }
    if (!s.is_private()) {
      with_recipe(s, rows.rows(), s.proximal, add);
      continue;
    }
    const auto& plan = plans[k];
    run.heads.resize(data.offices.size());
    const auto account = std::make_shared<ledger>(open_account(s, folder, k + 1, rows, plan, run.heads[k]));
    run.ledgers.push_back(account);
    const payment pay = [account](const privacy_event& e, std::string_view what) {
      return account->debit(e, what);
    };
    with_private_recipe(s, plan.noise_multiplier, pay, add);
  }
  run.parties.clear();
  const std::size_t each = run.memories.size() / parties.size();
  for (std::size_t k = 0; k < parties.size(); ++k) {
    run.parties.push_back(parties[k].get());
    if (each == 0) continue;
    const auto own = std::span(run.memories).subspan(k * each, each);
    parties[k]->restore({own.begin(), own.end()});
  }
  return parties;
}

} // namespace apps
