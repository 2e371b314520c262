// The code of docs/train/personalise.md and docs/optim/proximal.md.

#include <privet/federated/office.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/proximal.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/ditto.hpp>
#include <privet/train/personalise.hpp>

#include <cstdio>

namespace {

using namespace privet;

auto fed_prox() {
  return local_recipe{chain(average_over_batch{}, proximal{.strength = 0.01}, sgd{.learning_rate = 0.05}), 2,
                      32};
}

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

parameters<float> mine(const parameters<float>& shared, const labelled_rows<float>& own) {
  const auto made = personalise(model, softmax_cross_entropy{.smoothing = 0.2}, {}, shared, own, 7);
  std::printf("%s: right where the shared model is wrong on %zu rows, wrong where it is right on %zu\n",
              made.personal ? "personal" : "shared", made.gate.wins, made.gate.losses);
  return made.weights;
}

parameters<float> head_only(const parameters<float>& shared, const labelled_rows<float>& own) {
  const personal_recipe recipe{.how = {.part = tuned_part::head, .prior = 10}, .folds = 8, .level = 0.1};
  return personalise(model, softmax_cross_entropy{}, recipe, shared, own, 7).weights;
}

parameters<float> beside(const std::vector<parameters<float>>& sent, const labelled_rows<float>& own) {
  const auto steps = chain(average_over_batch{}, proximal{.strength = 0.1}, sgd{.learning_rate = 0.05});
  ditto personal(model, softmax_cross_entropy{}, steps, 2, 32, own.rows.rows, 7, 1, sent.front());
  for (std::size_t round = 0; round < sent.size(); ++round)
    personal.round(sent[round], own.view(), own.labels, round);
  return personal.personal();
}

} // namespace

double personal_pages(const std::vector<parameters<float>>& sent, const labelled_rows<float>& own) {
  double sum = static_cast<double>(fed_prox().epochs);
  for (const auto& p : {mine(sent.front(), own), head_only(sent.front(), own), beside(sent, own)})
    sum += static_cast<double>(p.trained().front());
  return sum;
}
