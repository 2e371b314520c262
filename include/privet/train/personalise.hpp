#pragma once
// From shared weights and the rows of one device to weights for that device.

#include <privet/train/evaluate.hpp>
#include <privet/train/fine_tuning.hpp>
#include <privet/train/paired_counts.hpp>

#include <cmath>
#include <utility>

namespace privet {

/// How a personal model is made and when it is kept.
///
/// Errors    N001 for fewer than 3 folds, no checks, a level outside (0, 1]
struct personal_recipe {
  tuning how{};
  std::size_t folds = 5;       ///< of the device's own rows
  std::size_t checks = 10;     ///< of the number of wrong rows, evenly over the steps
  double level = 1.0 / 3;      ///< of the gate's test; 1: the personal model is kept whatever the test says
  std::size_t least_rows = 10; ///< with fewer the shared model is returned
};

template <class T>
struct personal_model {
  parameters<T> weights;
  bool personal = false; ///< or the shared ones
  std::size_t steps = 0; ///< it was tuned for
  paired_counts gate{};  ///< personal against shared, on rows the personal one had not seen
};

namespace detail {

/// Rows that one model gets right, by number; rooms are made once.
template <class Model, class T, class Arch>
class row_judge {
 public:
  row_judge(const Model& model, rows_view<T> rows, std::span<const std::int32_t> labels)
      : model_(model), rows_(rows), labels_(labels), memory_(model.template make_tape<T>(1)) {}

  bool operator()(const parameters<T>& p, std::uint32_t row) {
    model_.template forward<Arch>(p.trained(), 1, rows_.row(row).data(), memory_);
    const T* const z = memory_.output(model_.depth() - 1);
    return std::max_element(z, z + model_.out_width()) - z == labels_[row];
  }

 private:
  const Model& model_;
  rows_view<T> rows_;
  std::span<const std::int32_t> labels_;
  tape<T> memory_;
};

} // namespace detail

/// Tunes shared weights to a device, as far as its own rows show that this helps.
///
/// Stop      by cross-validation: the number of steps is the last check whose wrong rows, over all folds, are
///           within one standard error of the fewest (Breiman et al., CART, 1984, 3.4.3); then all rows are
///           trained on for so long
/// Gate      each row is judged by a model that never saw its fold: not in training, and not in the choice of
///           its number of steps, for which further models leave two folds out. The personal model is kept if
///           a sign test against the shared one says so at the recipe's level
/// Rows      all that are given count: nothing else is looked at, in particular no test rows
/// Seed      the result is a function of weights, rows, recipe and seed
/// Cost      folds (folds + 1) / 2 + 1 trainings; without a gate folds + 1
/// Privacy   none is claimed, and none is needed while weights and counts stay on the device
/// Errors    N001, N003, N006 as `check_rows` and `tuning`
/// Source    L2-SP: Li, Grandvalet, Davoine, ICML 2018. The task: Servia-Rodriguez et al., IoTDI 2018
/// Test      tests/train/personalise.test.cpp
template <class Arch = simd::default_arch, class Model, Loss LossType, class T, LabelledRows<T> Data>
personal_model<T> personalise(const Model& model, const LossType& loss, const personal_recipe& recipe,
                              const parameters<T>& shared, const Data& own, std::uint64_t seed) {
  const rows_view<T> rows = own.view();
  const std::span<const std::int32_t> labels = own.labels;
  require(recipe.folds >= 3, fault::argument, "personalise: ", recipe.folds,
          " folds, needs 3: to train, to stop and to judge");
  require(recipe.checks > 0 && recipe.checks <= recipe.how.steps, fault::argument,
          "personalise: ", recipe.checks, " checks of ", recipe.how.steps, " steps");
  require(recipe.level > 0 && recipe.level <= 1, fault::argument, "personalise: level ", recipe.level,
          ", expected above 0 and at most 1");
  check_rows(model, rows, labels);
  const std::size_t n = rows.rows, folds = std::min(recipe.folds, n);
  const bool gated = recipe.level < 1;
  if (n == 0 || n < recipe.least_rows || (gated && folds < 3)) return {shared};

  std::vector<std::uint32_t> order(n), part;
  replayable_random source(seed, stream_id(purpose::split));
  permutation(source, std::span(order));
  detail::row_judge<Model, T, Arch> right(model, rows, labels);
  const auto steps_at = [&](std::size_t check) { return recipe.how.steps * check / recipe.checks; };
  const auto without = [&](std::size_t a, std::size_t b) {
    part.clear();
    for (std::size_t i = 0; i < n; ++i)
      if (i % folds != a && i % folds != b) part.push_back(order[i]);
    const std::uint64_t run = seed ^ (std::uint64_t{a} * folds + b + 1) * 0x9E3779B97F4A7C15u;
    return fine_tuning<Model, LossType, T, Arch>(model, loss, recipe.how, shared, part, run);
  };
  using curve = std::vector<std::size_t>; // wrong rows at each check
  const auto wrong_in = [&](const parameters<T>& p, std::size_t fold) {
    std::size_t wrong = 0;
    for (std::size_t i = fold; i < n; i += folds) wrong += !right(p, order[i]);
    return wrong;
  };
  const auto stop_of = [&](const curve& wrong) {
    const auto fewest = static_cast<double>(*std::ranges::min_element(wrong));
    std::size_t check = wrong.size();
    while (static_cast<double>(wrong[check - 1]) > fewest + std::sqrt(fewest)) --check;
    return steps_at(check);
  };

  std::vector<curve> wrong_beside(folds, curve(recipe.checks)); // by models that left this fold out too
  for (std::size_t a = 0; gated && a < folds; ++a)
    for (std::size_t b = a + 1; b < folds; ++b) {
      auto run = without(a, b);
      for (std::size_t check = 0; check < recipe.checks; ++check) {
        run.run_to(steps_at(check + 1), rows, labels);
        wrong_beside[a][check] += wrong_in(run.weights(), b);
        wrong_beside[b][check] += wrong_in(run.weights(), a);
      }
    }

  personal_model<T> result{shared, true, recipe.how.steps};
  if (folds >= 2) {
    curve wrong(recipe.checks);
    for (std::size_t a = 0; a < folds; ++a) {
      auto run = without(a, a);
      const std::size_t stop = gated ? stop_of(wrong_beside[a]) : 0;
      for (std::size_t check = 0; check < recipe.checks; ++check) {
        run.run_to(steps_at(check + 1), rows, labels);
        wrong[check] += wrong_in(run.weights(), a);
        if (steps_at(check + 1) != stop) continue;
        for (std::size_t i = a; i < n; i += folds) {
          const bool ours = right(run.weights(), order[i]), theirs = right(shared, order[i]);
          result.gate.wins += ours && !theirs;
          result.gate.losses += theirs && !ours;
        }
      }
    }
    result.steps = stop_of(wrong);
  }
  if (gated && !(result.gate.wins > result.gate.losses && result.gate.chance() <= recipe.level))
    return {shared, false, 0, result.gate};
  auto run = without(folds, folds);
  run.run_to(result.steps, rows, labels);
  result.weights = std::move(run).take();
  return result;
}

} // namespace privet
