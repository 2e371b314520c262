#pragma once
// The experiment: for every user a model from all others, a model from own windows alone, and a personal one.

#include <privet/core/parallel.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/train/personalise.hpp>
#include <privet/train/trainer.hpp>

#include <array>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace personal_study {

using namespace privet;

inline const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

struct settings {
  std::string data, user = "all", split = "random", json, svg;
  std::vector<std::size_t> own = {1, 2, 5, 10, 20, 40, 60, 80, 110, 160};
  std::size_t repeats = 5, threads = 1, epochs = 30;
  std::uint64_t seed = 1;
  double smoothing = 0.1, own_smoothing = 0.2, weight_decay = 1e-2;
  personal_recipe recipe{};
  personal_recipe local{.how = {.part = tuned_part::alone}, .level = 1, .least_rows = 1};
};

/// The models of one user with so many own windows, right on so many test windows.
struct measurement {
  std::size_t own = 0, tested = 0, steps = 0;
  std::size_t shared = 0, local = 0, ungated = 0, personal = 0;
  bool kept = false;
  paired_counts gate{};

  double part(std::size_t right) const { return static_cast<double>(right) / static_cast<double>(tested); }
};

/// Whether more than two points are lost against the shared model.
inline bool loses(std::size_t shared, std::size_t personal, std::size_t tested) {
  return static_cast<double>(shared) - static_cast<double>(personal) > 0.02 * static_cast<double>(tested);
}

struct user_result {
  std::int32_t user = 0;
  std::size_t windows = 0;
  double shared = 0;                     ///< accuracy of the model of the others on all windows
  std::vector<measurement> measurements; ///< repeat by repeat, each in the order of settings::own
};

/// Milliseconds between peaks span two decades: their logarithm takes their place.
inline dataset<float> with_log_peaks(dataset<float> data) {
  for (std::size_t c = 0; c < data.columns(); ++c) {
    if (!data.schema.features[c].ends_with("PEAK")) continue;
    for (std::size_t r = 0; r < data.rows(); ++r) {
      float& x = row(data.features, r)[c];
      x = x > 0 ? std::log(x) : std::numeric_limits<float>::quiet_NaN();
    }
  }
  return data;
}

/// Scaled by the training users' numbers, cut to three deviations either way.
inline dataset<float> scaled(const standardiser& scale, dataset<float> data) {
  data = scale.apply(std::move(data));
  for (float& x : as_span(data.features)) x = std::clamp(x, -3.f, 3.f);
  return data;
}

inline parameters<float> train_shared(const settings& s, const dataset<float>& others) {
  constexpr std::size_t batch = 64;
  const std::size_t steps = s.epochs * ((others.rows() + batch - 1) / batch);
  trainer train{model, softmax_cross_entropy{.smoothing = s.smoothing},
                chain(average_over_batch{}, privet::weight_decay{.rate = s.weight_decay},
                      sgd{.learning_rate = 0.05, .momentum = 0.9}, cosine_rate{.steps = steps}),
                shuffled{batch}, s.seed};
  train.fit(others, epochs{s.epochs});
  return train.parameters();
}

struct own_and_test {
  std::vector<std::uint32_t> own, test;
};

/// A fifth of a user's windows for testing. `random`: repeats 0 to 4 are the folds of a cross-validation, 5 to 9
/// those of another; `time`: always the last ones of each activity in the file. The others come in random order,
/// so that the first n are a random choice.
inline own_and_test split_windows(const dataset<float>& data, const settings& s, std::size_t repeat,
                                  std::uint64_t client) {
  constexpr std::size_t folds = 5;
  const bool by_time = s.split == "time";
  const std::size_t round = by_time ? repeat : repeat / folds, fold = repeat % folds;
  replayable_random source(s.seed, stream_id(purpose::split, round, client));
  std::vector<std::uint32_t> order(data.rows());
  permutation(source, std::span(order));
  const auto in_class = data.class_counts();
  std::vector<std::size_t> before(data.rows()), seen(data.classes());
  for (std::size_t i = 0; i < data.rows(); ++i) before[i] = seen[static_cast<std::size_t>(data.labels[i])]++;
  const auto tested = [&](std::size_t at) {
    if (!by_time) return at % folds == fold;
    const std::size_t i = order[at], count = in_class[static_cast<std::size_t>(data.labels[i])];
    return before[i] + static_cast<std::size_t>(std::llround(0.2 * static_cast<double>(count))) >= count;
  };
  own_and_test parts;
  for (std::size_t at = 0; at < order.size(); ++at)
    (tested(at) ? parts.test : parts.own).push_back(order[at]);
  if (!by_time) shuffle(source, std::span(parts.own));
  return parts;
}

inline std::size_t right_of(const parameters<float>& p, const dataset<float>& test) {
  const auto counts = evaluate(model, p, test).confusion;
  std::size_t right = 0;
  for (std::size_t c = 0; c < counts.classes(); ++c) right += counts.count(c, c);
  return right;
}

inline user_result study(const settings& s, const dataset<float>& all, std::int32_t user) {
  auto [others, mine] = leave_group_out(all, user);
  const auto scale = standardiser::fit(others);
  others = scaled(scale, std::move(others));
  mine = scaled(scale, std::move(mine));
  const auto shared = train_shared(s, others);
  user_result result{user, mine.rows(), evaluate(model, shared, mine).confusion.accuracy(), {}};
  const auto client = static_cast<std::uint64_t>(user);
  const softmax_cross_entropy loss{.smoothing = s.own_smoothing};
  auto ungated = s.recipe;
  ungated.level = 1;
  for (std::size_t repeat = 0; repeat < s.repeats; ++repeat) {
    const std::uint64_t seed = s.seed + repeat;
    const auto parts = split_windows(mine, s, repeat, client);
    const auto test = mine.select(parts.test);
    for (const std::size_t n : s.own) {
      const auto own = mine.select(std::span(parts.own).first(std::min(n, parts.own.size())));
      const auto made = [&](const personal_recipe& recipe) {
        return personalise(model, loss, recipe, shared, own, seed ^ client << 32);
      };
      const auto personal = made(s.recipe);
      result.measurements.push_back({.own = own.rows(),
                                     .tested = test.rows(),
                                     .steps = personal.steps,
                                     .shared = right_of(shared, test),
                                     .local = right_of(made(s.local).weights, test),
                                     .ungated = right_of(made(ungated).weights, test),
                                     .personal = right_of(personal.weights, test),
                                     .kept = personal.personal,
                                     .gate = personal.gate});
    }
  }
  return result;
}

/// Means over users of what was measured with so many own windows.
struct summary {
  double own = 0, shared = 0, local = 0, ungated = 0, personal = 0; ///< windows; accuracies
  double kept = 0;                                                  ///< users in a repeat
  std::size_t losers = 0;                                           ///< users, over all repeats
  std::size_t most_losers = 0;                                      ///< users, in any repeat
};

inline std::vector<summary> summarise(const settings& s, const std::vector<user_result>& users) {
  std::vector<summary> all(s.own.size());
  for (std::size_t i = 0; i < s.own.size(); ++i) {
    summary& sum = all[i];
    const auto repeats = static_cast<double>(s.repeats);
    const double share = 1 / (repeats * static_cast<double>(users.size()));
    std::vector<std::size_t> losers(s.repeats);
    for (const auto& user : users) {
      std::size_t shared = 0, personal = 0, tested = 0;
      for (std::size_t repeat = 0; repeat < s.repeats; ++repeat) {
        const measurement& m = user.measurements[repeat * s.own.size() + i];
        sum.own += share * static_cast<double>(m.own);
        sum.shared += share * m.part(m.shared);
        sum.local += share * m.part(m.local);
        sum.ungated += share * m.part(m.ungated);
        sum.personal += share * m.part(m.personal);
        sum.kept += m.kept / repeats;
        losers[repeat] += loses(m.shared, m.personal, m.tested);
        shared += m.shared, personal += m.personal, tested += m.tested;
      }
      sum.losers += loses(shared, personal, tested);
    }
    sum.most_losers = *std::ranges::max_element(losers);
  }
  return all;
}

} // namespace personal_study
