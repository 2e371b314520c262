// Tries to refute what the average of persons' updates claims: docs/privacy/refuting.md.
#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/update_average.hpp>

#include <cstddef>
#include <vector>

using namespace privet;

namespace {

constexpr double bound = 0.5, z = 1, expected = 4;

/// Weighs a person by their examples and does not say so.
struct silent_weights {
  static constexpr stage_role role = stage_role::reduction;
  template <Label L>
  using after = L;
  double scale(double persons) const { return 1 / persons; }
  double weight(std::size_t examples) const { return static_cast<double>(examples); }
};

std::vector<test::privacy_claim> claims() {
  pld_accountant accountant;
  accountant.tolerance = 1e-3;
  accountant.compose({event::gaussian{z}});
  std::vector<test::privacy_claim> all;
  for (const double epsilon : {0.1, 0.5, 1.0, 2.0}) all.push_back({epsilon, accountant.delta(epsilon).upper});
  return all;
}

/// Four others pull across or along; the person in question has three times their rows.
template <class Reduction>
test::paired_runs runs_of(const Reduction& reduction, float others) {
  constexpr std::size_t size = 3, runs = 40'000;
  update_average average(chain(clip_l2{.bound = bound}, reduction, gaussian{z}, sgd{.learning_rate = 1}), size);
  const std::vector<float> sent(size, 0.25f);
  auto part = average.make_part();
  const auto seen = [&](bool with) {
    auto state = average.init();
    for (int k = 0; k < 4; ++k) average.add(part, state, sent, std::vector<float>{0.25f, others, -0.5f}, 1);
    if (with) average.add(part, state, sent, std::vector<float>{-40, 0.25f, 0.25f}, 3);
    std::vector<float> weights = sent;
    average.apply(state, {&part, 1}, expected, std::span(weights));
    return static_cast<double>(sent[0] - weights[0]);
  };
  return test::run_both(runs, [&] { return seen(true); }, [&] { return seen(false); });
}

} // namespace

TEST_CASE("an average of updates cannot be refuted; one that weighs examples can", "[slow]") {
  for (const float others : {0.25f, 3.f, 1e30f})
    for (const auto& claim : claims()) {
      check_kept(claim, runs_of(average_over_batch{}, others));
      check_kept(claim, runs_of(average_by_examples::capped(3, 1), others));
    }
  for (const auto& claim : claims()) check_refuted(claim, runs_of(silent_weights{}, 0.25f));
}
