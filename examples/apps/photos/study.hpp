#pragma once
// The experiment: an initial model from public photos, then days of updates from users, beside no update and beside
// all photos in one place.

#include "features.hpp"

#include <privet/data/partition.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/noisy_random_k.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/federated/released_uploads.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/top_k.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/network.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/rmsprop.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/ledger.hpp>
#include <privet/train/trainer.hpp>
#include <privet/train/user_level_training.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace photo_study {

inline constexpr std::array<const char*, 3> optimizers = {"sgd", "rmsprop", "adam"};

struct settings {
  std::string data = "generated", initial = "best", partition = "random", json, svg;
  std::vector<std::string> classes, selection;
  std::vector<double> shares = {0.1, 0.2, 1};
  std::size_t drawn = 3000, seeds = 3, threads = 1; ///< images that are drawn where there are no data
  double held_out = 0.2, open = 0.15;               ///< of the training photos; of the rest
  bool validate = false; ///< test on other training photos, and leave the test photos alone
  std::size_t cells = 4;
  // The initial model.
  std::size_t initial_epochs = 30, initial_batch = 16, folds = 5;
  double sgd_lr = 1, rmsprop_lr = 0.003, adam_lr = 0.01;
  // Days.
  std::size_t users = 50, days = 40, epochs = 6, batch = 8;
  std::optional<double> lr, server_momentum;
  double central_lr = 1;
  // Privacy.
  std::optional<double> epsilon;
  double delta = 1e-5, clip = 0.1, sum_clip = 1; ///< clip: of what a user sends; sum_clip: of a whole update

  /// Users' rate and the server's momentum. What is noisy, by privacy or by a mask that multiplies what it lets through,
  /// takes a shorter memory.
  struct pace {
    double lr, server_momentum;
  };
  pace pace_of(std::string_view how) const {
    const bool noisy = epsilon || how == "mask";
    return {lr.value_or(noisy ? 4 : 2), server_momentum.value_or(noisy ? 0.5 : 0.9)};
  }

  double learning_rate_of(std::string_view optimizer) const {
    return optimizer == "adam" ? adam_lr : optimizer == "rmsprop" ? rmsprop_lr : sgd_lr;
  }
};

/// Softmax regression on what the features say.
using linear = sequential<dense<>>;

/// Who has which photos, as rows that the model reads.
struct parts {
  dataset<> open, test; ///< open: public
  std::vector<dataset<>> users;
  linear model;

  /// The users, and behind them, where they take part, the public photos.
  std::vector<const dataset<>*> members(bool with_open) const {
    std::vector<const dataset<>*> all;
    for (const auto& own : users) all.push_back(&own);
    if (with_open) all.push_back(&open);
    return all;
  }
  std::size_t users_rows() const {
    std::size_t all = 0;
    for (const auto& own : users) all += own.rows();
    return all;
  }
};

inline replayable_random coins(std::uint64_t seed, std::uint64_t what) {
  return replayable_random(seed, stream_id(purpose::split, what));
}

/// Test photos, public photos, and what is left to the users, by the seed. `train` and `test` are not scaled yet.
inline parts divide(const settings& s, const dataset<>& train, const dataset<>& test, std::uint64_t seed) {
  train_test<float> first{train, test};
  if (s.held_out > 0) {
    first = split_rows_ignoring_groups(train, s.held_out, coins(seed, 0));
    if (test.rows() > 0) first.test = joined<float>(std::array{test, std::move(first.test)});
  }
  require(first.test.rows() > 0, fault::argument,
          "photos: these data have no test images of their own: --held-out must be above 0");
  if (s.validate) first = split_rows_ignoring_groups(first.train, 0.2, coins(seed, 4));
  auto [left, open] = split_rows_ignoring_groups(first.train, s.open, coins(seed, 1));
  require(left.rows() >= s.users, fault::argument, "photos: ", s.users, " users for ", left.rows(),
          " photos that are neither public nor for testing");
  require(open.rows() >= s.folds, fault::argument, "photos: ", open.rows(),
          " public photos, cross-validation needs at least ", s.folds);
  const row_scaling scale(open);
  left = scale.apply(std::move(left));
  const auto whose = s.partition == "pick-two" ? partition_pick_two(left.labels, s.users, coins(seed, 2))
                                               : partition_power_law(left.rows(), s.users, 0, coins(seed, 2));
  const std::size_t columns = left.columns(), classes = left.classes();
  return {scale.apply(std::move(open)), scale.apply(std::move(first.test)), split_by(left, whose),
          linear{dense<>{columns, classes}}};
}

inline double accuracy_of(const linear& model, const parameters<float>& weights, const dataset<>& rows) {
  return evaluate(model, weights, rows).confusion.accuracy();
}

/// Weights that an optimiser finds from the public photos.
inline parameters<float> initial_weights(const settings& s, const linear& model, const dataset<>& rows,
                                         std::string_view optimizer, std::uint64_t seed) {
  const cosine_rate falling{.steps = s.initial_epochs * ((rows.rows() - 1) / s.initial_batch + 1)};
  const auto train_by = [&](const auto& steps) {
    trainer train{model, softmax_cross_entropy{}, chain(average_over_batch{}, steps, falling),
                  shuffled{.batch = s.initial_batch}, seed};
    train.fit(rows, epochs{s.initial_epochs});
    return train.parameters();
  };
  const double lr = s.learning_rate_of(optimizer);
  if (optimizer == "adam") return train_by(adam{.learning_rate = lr});
  if (optimizer == "rmsprop") return train_by(rmsprop{.learning_rate = lr});
  return train_by(sgd{.learning_rate = lr, .momentum = 0.9});
}

struct initial_result {
  std::string optimizer;
  double validated = 0, tested = 0; ///< accuracies; validated: cross-validation on public photos
  parameters<float> weights;
};

inline initial_result initial_model(const settings& s, const parts& p, std::string_view optimizer,
                                    std::uint64_t seed) {
  initial_result out{std::string(optimizer), 0, 0, initial_weights(s, p.model, p.open, optimizer, seed)};
  out.tested = accuracy_of(p.model, out.weights, p.test);
  double right = 0;
  const auto folds = partition_power_law(p.open.rows(), s.folds, 0, coins(seed, 3));
  for (const auto& fold : folds) {
    std::vector<std::uint32_t> others;
    for (const auto& other : folds)
      if (&other != &fold) others.insert(others.end(), other.begin(), other.end());
    const auto held_out = p.open.select(fold);
    const auto weights = initial_weights(s, p.model, p.open.select(others), optimizer, seed);
    right += accuracy_of(p.model, weights, held_out) * static_cast<double>(fold.size());
  }
  out.validated = right / static_cast<double>(p.open.rows());
  return out;
}

/// What came of one way to go on from the initial model.
struct course {
  std::vector<double> accuracy;  ///< on the test photos: at the start, then after each day
  double bytes = 0;              ///< that a user sends each day
  std::string promise;           ///< of a private one: what a user has spent over all days
  double epsilon = 0, noise = 0; ///< of a private one, over all days
};

/// One way of sharing.
struct way {
  double share = 1;
  std::string selection; ///< "largest" or "mask"
};

/// Steps at a rate that falls over all days, each of so many epochs.
inline auto steps_of(const settings& s, std::size_t rows, std::size_t epochs, double lr) {
  return chain(average_over_batch{}, sgd{.learning_rate = lr},
               cosine_rate{.steps = s.days * epochs * ((rows - 1) / s.batch + 1), .floor = 0.1});
}
/// What a user does in a day.
inline auto recipe_of(const settings& s, const dataset<>& rows, double lr) {
  return local_recipe{steps_of(s, rows.rows(), s.epochs, lr), s.epochs, s.batch};
}

/// What the server does with the mean of the updates.
inline auto server_of(double momentum) {
  return server_optimizer{chain(sgd{.learning_rate = 1, .momentum = momentum})};
}

/// Days of a federation from given weights. Member i runs recipe_for(i).
template <class A, class RecipeFor>
course federate(const settings& s, const parts& p, std::span<const dataset<>* const> members,
                std::span<const float> start, std::uint64_t seed, const A& aggregator,
                const RecipeFor& recipe_for) {
  using recipe = std::remove_cvref_t<decltype(recipe_for(std::size_t{}))>;
  offices all(p.model);
  for (std::size_t i = 0; i < members.size(); ++i)
    all.add(std::make_unique<office<recipe>>(static_cast<std::uint32_t>(i + 1), *members[i], recipe_for(i),
                                             seed));
  aggregation_server server{aggregator, {.standardise = false, .seed = seed}};
  server.open(all.links(), all.model(), start);
  const auto before = server.bytes_up();
  course out;
  const auto look = [&] {
    out.accuracy.push_back(accuracy_of(p.model, server.weights_for(p.model), p.test));
  };
  look();
  for (std::size_t day = 0; day < s.days; ++day) server.round(day), look();
  out.bytes = static_cast<double>(server.bytes_up() - before) / static_cast<double>(s.days * members.size());
  return out;
}

/// The least noise, found on the mechanism itself and then raised by what rounding costs, with which what
/// `all_days(noise)` says stays within epsilon.
template <class AllDays>
double noise_within(const settings& s, const AllDays& all_days) {
  double noise = noise_multiplier_for(all_days(1.0), *s.epsilon, s.delta);
  while (detail::epsilon_after(pld_accountant{}, all_days(noise), s.delta) > *s.epsilon) noise *= 1.0005;
  return noise;
}

/// The account of one user, or of all where the server keeps it, for what is declared in advance.
inline std::shared_ptr<ledger> account_of(const settings& s, const dataset<>& rows,
                                          const privacy_event& all_days) {
  return std::make_shared<ledger>(
      ledger_terms{.data = sha256(std::as_bytes(as_span(rows.features))),
                   .unit = privacy_unit::user,
                   .relation = all_days.relation,
                   .delta = s.delta,
                   .epsilon = *s.epsilon,
                   .filter = schedule_filter{{all_days}, stop_rule::public_only}});
}

inline void say_what_was_spent(course& out, const ledger& account, double noise) {
  const auto spent = account.spent();
  out.noise = noise, out.epsilon = spent.epsilon.upper, out.promise = spent.sentence();
}

/// Users who send numbers that a public mask names, clipped and noisy, each paying from an account of their own.
inline course share_privately(const settings& s, const parts& p, std::span<const float> start, double share,
                              std::uint64_t seed) {
  noisy_random_k upload{.fraction = share, .bound = s.clip};
  const auto all_days = [&](double noise) {
    upload.noise_multiplier = noise;
    return events_of(upload, p.model.sizes().shared, s.days)[0];
  };
  const double noise = noise_within(s, all_days);
  const auto declared = all_days(noise);
  std::vector<std::shared_ptr<ledger>> accounts;
  for (const auto& own : p.users) accounts.push_back(account_of(s, own, declared));
  const auto pace = s.pace_of("mask");
  const decoded_uploads server{server_of(pace.server_momentum)};
  auto out = federate(s, p, p.members(false), start, seed, server, [&](std::size_t i) {
    return released_uploads{recipe_of(s, p.users[i], pace.lr), chain(upload),
                            payment([account = accounts[i]](const privacy_event& e, std::string_view what) {
                              return account->debit(e, what);
                            })};
  });
  say_what_was_spent(out, *accounts.front(), noise); // all have spent the same
  return out;
}

/// The same with one noise on the sum of whole updates, added by a server that is trusted to see them: DP-FedAvg.
inline course noise_on_the_sum(const settings& s, const parts& p, const parameters<float>& start,
                               std::uint64_t seed) {
  auto rows = joined<float>(p.users);
  for (std::size_t i = 0; i < p.users.size(); ++i)
    rows.groups.insert(rows.groups.end(), p.users[i].rows(), static_cast<std::int32_t>(i));
  const std::span<const std::int32_t> labels(rows.labels);
  const auto pace = s.pace_of("sum");
  const auto training = [&](double noise) {
    return user_level_training{
        p.model,
        softmax_cross_entropy{},
        local_steps{steps_of(s, rows.rows() / p.users.size(), s.epochs, pace.lr), s.epochs, s.batch},
        chain(clip_l2{.bound = s.sum_clip}, average_over_batch{}, gaussian{.noise_multiplier = noise},
              sgd{.learning_rate = 1, .momentum = pace.server_momentum}),
        poisson{.rate = 1},
        std::span<const std::int32_t>(rows.groups),
        seed};
  };
  const auto all_days = [&](double noise) {
    auto all = training(noise).event();
    all.count *= s.days;
    return all;
  };
  const double noise = noise_within(s, all_days);
  const auto account = account_of(s, rows, all_days(noise));
  auto train = training(noise);
  auto weights = start;
  course out;
  out.accuracy.push_back(accuracy_of(p.model, weights, p.test));
  for (std::size_t day = 0; day < s.days; ++day) {
    (void)train
        .resume(weights, rows.view(), labels, day,
                [&](const privacy_event& e) { return account->debit(e, "updates of a day"); })
        .value();
    for (const float w : weights.trained())
      require(std::isfinite(w), fault::range, "photos: noise drove the weights out of their range on day ",
              day + 1);
    out.accuracy.push_back(accuracy_of(p.model, weights, p.test));
  }
  say_what_was_spent(out, *account, noise);
  return out;
}

/// The same without noise. Whoever has the public photos takes part too, so that nothing learned from them is lost.
inline course share_openly(const settings& s, const parts& p, std::span<const float> start, const way& how,
                           std::uint64_t seed) {
  const auto members = p.members(true);
  const auto pace = s.pace_of(how.selection);
  const auto recipe = [&](std::size_t i) { return recipe_of(s, *members[i], pace.lr); };
  const auto server = server_of(pace.server_momentum);
  if (how.share >= 1) return federate(s, p, members, start, seed, server, recipe);
  if (how.selection == "mask")
    return federate(s, p, members, start, seed, decoded_uploads{server}, [&](std::size_t i) {
      return encoded_uploads{recipe(i), chain(random_k{.fraction = how.share, .unbiased = true})};
    });
  return federate(s, p, members, start, seed, decoded_uploads{server}, [&](std::size_t i) {
    return encoded_uploads{recipe(i), chain(error_feedback{}.around(top_k{.fraction = how.share}))};
  });
}

/// All photos in one place, public ones and those of the users: a day is once through them.
inline course in_one_place(const settings& s, const parts& p, const parameters<float>& start,
                           std::uint64_t seed) {
  auto all = p.users;
  all.push_back(p.open);
  const auto rows = joined<float>(all);
  trainer train{p.model, softmax_cross_entropy{}, steps_of(s, rows.rows(), 1, s.central_lr),
                shuffled{.batch = s.batch}, seed};
  std::ranges::copy(start.trained(), train.parameters().trained().begin());
  course out;
  out.accuracy.push_back(accuracy_of(p.model, train.parameters(), p.test));
  for (std::size_t day = 0; day < s.days; ++day) {
    train.fit(rows, epochs{1});
    out.accuracy.push_back(accuracy_of(p.model, train.parameters(), p.test));
  }
  return out;
}

} // namespace photo_study
