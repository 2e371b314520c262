// Private training steps in every form of noise, accountants, and reports of local randomisers, from the
// source of secrets.

#include "../tests/support/heap.hpp"
#include "support/compare.hpp"
#include "support/lenet.hpp"
#include "support/script.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/duchi.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/piecewise.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rappor.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/system.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <cstdio>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace privet;

constexpr std::uint32_t categories = 16, block = 1024;

template <FrequencyOracle Oracle>
void row(compare::table& table, const std::string& name, const Oracle& oracle, system_random& source) {
  table.time({.name = "report " + name, .items = block}, compare::ours,
             [&source, oracle, report = typename Oracle::report{}]() mutable {
               for (std::uint32_t i = 0; i < block; ++i) {
                 oracle.randomise(i % categories, source, report);
                 benchmark::DoNotOptimize(report);
               }
             });
}

/// One call of `report` for each item.
template <class F>
void row_of(compare::table& table, const std::string& name, F report) {
  table.time({.name = "report " + name, .items = block}, compare::ours, [report]() mutable {
    for (std::uint32_t i = 0; i < block; ++i) report(i);
  });
}

/// A model, rows to train it on and a batch that names them as a sample would: in order, not in a run.
template <class Model>
struct setting {
  Model model;
  std::vector<float> x;
  std::vector<std::int32_t> labels;

  explicit setting(const Model& m) : model(m), x(1024 * m.in_width()), labels(1024) {
    replayable_random source(1);
    fill_normal(source, std::span(x));
    for (auto& label : labels) label = static_cast<std::int32_t>(uniform_below(source, model.out_width()));
  }
};

template <class Model, class Chain>
void step_of(compare::table& table, const std::string& name, const std::string& side, std::size_t batch,
             const std::shared_ptr<setting<Model>>& s, const Chain& steps) {
  std::vector<std::uint32_t> rows(batch);
  for (std::size_t i = 0; i < batch; ++i) rows[i] = static_cast<std::uint32_t>(i * 1024 / batch);
  auto step = std::make_shared<training_step<Model, softmax_cross_entropy, Chain>>(
      s->model, softmax_cross_entropy{}, steps);
  auto p = std::make_shared<parameters<float>>(initialise(s->model, 1));
  auto state = std::make_shared<chain_state<float>>(step->init());
  table.time({.name = name}, side, [=] {
    (*step)(*p, *state, rows_view<float>{s->x.data(), 1024, s->model.in_width()}, s->labels.data(), rows,
            static_cast<double>(batch));
  });
}

/// The default, and what of it costs what.
template <class Model>
void steps_of(compare::table& table, const char* letter, const std::shared_ptr<setting<Model>>& s,
              std::initializer_list<std::size_t> batches) {
  const clip_l2 clip{.bound = 1};
  const gaussian noise{.noise_multiplier = 1};
  const sgd descent{.learning_rate = 1e-4};
  for (const std::size_t batch : batches) {
    const auto name = concat("private step ", letter, " batch ", batch);
    step_of(table, name, compare::ours, batch, s, chain(clip, average_over_batch{}, noise, descent));
    step_of(table, name, "float noise", batch, s,
            chain(clip, average_over_batch{}, noise.in_floating_point(), descent));
    step_of(table, name, "exact noise", batch, s, chain(clip, average_over_batch{}, noise.exact(), descent));
    step_of(table, name, "clip alone", batch, s, chain(clip, average_over_batch{}, descent));
    step_of(table, name, "no privacy", batch, s, chain(average_over_batch{}, descent));
  }
}

/// The most bytes that parameters, state and scratch take until three steps are done.
template <class Model, class Chain>
double memory_of(const setting<Model>& s, std::size_t batch, const Chain& steps) {
  std::vector<std::uint32_t> rows(batch);
  std::iota(rows.begin(), rows.end(), 0u);
  const std::size_t before = test::heap::alive;
  test::heap::most_alive = before;
  training_step step(s.model, softmax_cross_entropy{}, steps);
  auto p = initialise(s.model, 1);
  auto state = step.init();
  for (int i = 0; i < 3; ++i)
    step(p, state, rows_view<float>{s.x.data(), 1024, s.model.in_width()}, s.labels.data(), rows,
         static_cast<double>(batch));
  return static_cast<double>(test::heap::most_alive - before);
}

template <class Model>
void print_memory(const char* letter, std::size_t batch, const setting<Model>& s) {
  const sgd descent{.learning_rate = 1e-4};
  const double plain = memory_of(s, batch, chain(average_over_batch{}, descent));
  const double with_privacy = memory_of(
      s, batch, chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1}, descent));
  std::printf("memory of a private step %s batch %zu: %.0f KB, without privacy %.0f KB, %.3fx\n", letter,
              batch, with_privacy / 1e3, plain / 1e3, with_privacy / plain);
}

void epsilon_of(compare::table& table, const std::string& name, double noise, double rate,
                std::uint64_t steps) {
  table.time({.name = name}, compare::ours, [=] {
    pld_accountant spent;
    spent.compose({event::subsampled_gaussian{noise, rate}, steps});
    benchmark::DoNotOptimize(spent.epsilon(1e-5).upper);
  });
}

} // namespace

int main(int count, char** words) {
  compare::table table("privacy", count, words);
  const std::string peers = table.option("--private");
  const auto a = std::make_shared<setting<decltype(sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}})>>(
      sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}});
  const sequential b_model{dense<561, 128>{}, relu{}, dense<128, 32>{}, relu{}, dense<32, 6>{}};
  const auto b = std::make_shared<setting<std::remove_const_t<decltype(b_model)>>>(b_model);
  steps_of(table, "A", a, {10, 32, 256});
  steps_of(table, "B", b, {32, 256});
  const auto lenet_model = compare::lenet();
  const auto lenet = std::make_shared<setting<std::remove_const_t<decltype(lenet_model)>>>(lenet_model);
  steps_of(table, "LeNet", lenet, {64});
  epsilon_of(table, "epsilon of 2250 steps", 1.5, 0.04, 2250);
  epsilon_of(table, "epsilon of 14062 steps", 1.1, 256.0 / 60000, 14062);
  epsilon_of(table, "epsilon of 10^5 steps", 1, 1e-4, 100'000);
  epsilon_of(table, "epsilon of 10^6 steps", 1, 1e-4, 1'000'000);
  if (peers.empty() || !compare::run_script(peers, [&](const auto& name, const auto& side, double seconds) {
        table.measured({.name = name}, side, seconds);
      }))
    table.left_out("Opacus, dp-accounting");

  system_random source;
  row(table, "randomised_response", randomised_response(1, categories), source);
  row(table, "hadamard_response", hadamard_response(1, categories), source);
  row(table, "local_hashing", local_hashing(1, categories), source);
  row(table, "unary_encoding", unary_encoding::optimised(1, categories), source);
  row(table, "subset_selection", subset_selection(1, categories), source);
  const rappor repeated(categories);
  row_of(table, "rappor",
         [&, kept = std::make_shared<permanent_response>(repeated.remember(3, source)),
          report = rappor::report{}](std::uint32_t) mutable {
           repeated.randomise(*kept, source, report);
           benchmark::DoNotOptimize(report);
         });
  row_of(table, "rappor, the first one", [&, report = rappor::report{}](std::uint32_t i) mutable {
    repeated.randomise(repeated.remember(i % categories, source), source, report);
    benchmark::DoNotOptimize(report);
  });
  const duchi two_values(1);
  const piecewise near(1);
  const auto number = [](std::uint32_t i) { return static_cast<double>(i) / block; };
  row_of(table, "duchi",
         [&](std::uint32_t i) { benchmark::DoNotOptimize(two_values.randomise(number(i), source)); });
  row_of(table, "piecewise",
         [&](std::uint32_t i) { benchmark::DoNotOptimize(near.randomise(number(i), source)); });
  const int result = table.run();
  print_memory("B", 64, *b);
  print_memory("LeNet", 64, *lenet);
  return result;
}
