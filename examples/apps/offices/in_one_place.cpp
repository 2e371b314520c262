// Central training, and that of each office alone.

#include "training.hpp"

namespace apps {

privet::model_result train_in_one_place(const settings& s, std::string name, privet::dataset<float> rows,
                                        privet::dataset<float> test, std::uint32_t client,
                                        const tick& after_round) {
  using namespace privet;
  const stopwatch watch;
  if (s.standardise) {
    const auto scale = standardiser::fit(rows);
    rows = scale.apply(std::move(rows));
    test = scale.apply(std::move(test));
  }
  const auto model = model_of(s, rows.schema);
  auto p = initialise<float>(model, s.seed);
  model_result result{.name = std::move(name)};
  with_recipe(s, rows.rows(), 0, [&](const auto& recipe) {
    local_training training(model, recipe.loss, recipe.steps, recipe.epochs, recipe.batch, rows.rows(),
                            s.seed, client);
    tail_average mean(s.average_rounds, s.rounds);
    for (std::size_t r = 0; r < s.rounds; ++r) {
      training.resume(p, rows.view(), rows.labels, r);
      if (s.average_rounds > 1) mean.add(r + 1, std::as_const(p).shared());
      score(result, model, p, test);
      after_round();
    }
    if (mean.count() == 0) return;
    mean.write_to(p.shared());
    score(result, model, p, test);
    result.curve.pop_back(); // which is of the rounds
  });
  result.seconds = watch.seconds();
  return result;
}

} // namespace apps
