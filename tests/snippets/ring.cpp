// The code of docs/federated/ring.md and docs/train/roc.md.

#include <privet/data/heart_disease.hpp>
#include <privet/federated/ring.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/roc.hpp>

#include <cstdio>

namespace {

using namespace privet;

parameters<float> go_round(const std::vector<dataset<float>>& hospitals) {
  const network model(sequential{dense<>{hospitals[0].columns(), 2}});
  const ring_recipe recipe{chain(average_over_batch{}, sgd{.learning_rate = 0.1}, cosine_rate{.steps = 800}),
                           32}; // rows per batch
  ring_sites four(model);
  for (const auto& rows : hospitals) four.add(rows, recipe);

  ring r({.laps = 40, .steps = 5, .order = ring_order::random, .seed = 1});
  r.open(four.links(), four.model());
  r.run([](const ring_report& v) {
    std::printf("lap %zu: site %u took %zu steps\n", v.lap, v.site, std::size_t(v.steps));
  });
  return r.weights_for(model);
}

ring consolidating(const std::vector<dataset<float>>& hospitals, ring_sites& four) {
  const ring_recipe recipe{chain(average_over_batch{}, sgd{.learning_rate = 0.1}), 32,
                           weight_consolidation{.strength = 5, .decay = 1}};
  for (const auto& rows : hospitals) four.add(rows, recipe);
  return ring({.laps = 1, .steps = 200, .consolidate = true});
}

std::string go_round_privately(const network& model, const dataset<float>& rows, std::shared_ptr<ledger> book,
                               double noise, ring_sites& four) {
  const auto pay = [book](const privacy_event& e, std::string_view what) { return book->debit(e, what); };
  const private_ring_recipe recipe{chain(clip_l2{.bound = 2}, average_over_batch{},
                                         gaussian{.noise_multiplier = noise}, sgd{.learning_rate = 0.5}),
                                   poisson{.rate = 0.5}, payment(pay)};
  four.add(rows, recipe); // scaled by public constants; and the other sites with theirs
  ring r({.laps = 5, .steps = 4, .standardise = false});
  r.open(four.links(), model);
  r.run();
  return r.halted(); // why it came to a halt: a budget that is spent, for instance
}

double account(const ledger& north, const ledger& south, std::vector<digest> ids_of_north,
               std::vector<digest> ids_of_south) {
  const std::vector<ring_account> sites{{"north", north.spent(), std::move(ids_of_north)},
                                        {"south", south.spent(), std::move(ids_of_south)}};
  return spent_in_ring(sites, disjoint_patients{"patient id"}).epsilon.upper;
}

void score(const network& model, const parameters<float>& p, const dataset<float>& test) {
  const roc_area a = roc_auc(model, p, test);
  std::printf("AUC %.3f, 95 %% from %.3f to %.3f\n", a.area, a.low(), a.high());
}

} // namespace

void ring_pages(const network& model, const dataset<float>& rows, std::shared_ptr<ledger> book,
                ring_sites& four) {
  const auto sick = heart_disease::read("heart_disease").value();
  score(model, go_round({heart_disease::by_public_ranges(sick)}), rows);
  (void)consolidating({rows}, four);
  (void)go_round_privately(model, rows, book, 4, four);
  (void)account(*book, *book, {}, {});
}
