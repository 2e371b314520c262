#include "support/catch.hpp"

#include <privet/core/chain.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/rmsprop.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>

#include <concepts>
#include <string>
#include <vector>

using namespace privet;

namespace {

/// A bound and a noise as privacy stages will be: the bound makes any label bounded, the noise takes
/// a bound of its own norm only.
template <class Norm>
struct bound {
  static constexpr stage_role role = stage_role::bound;
  template <Label L>
  using after = bounded<Norm, typename L::unit>;
};
template <class Norm>
struct noise {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  static constexpr bool fits = std::same_as<L, bounded<Norm, typename L::unit>>;
  template <Label L>
  using after = released<measure::zcdp, typename L::unit>;
};
struct encode {
  static constexpr stage_role role = stage_role::encoding;
};

// Roles. The near misses: no role, and a pointwise stage that does not state its slots.
struct no_role {};
struct no_slots {
  static constexpr stage_role role = stage_role::pointwise;
};
static_assert(Bound<bound<norm::l2>> && Reduction<average_over_batch> && Pointwise<adam> && Encoding<encode>);
static_assert(Stage<no_slots> && !Pointwise<no_slots> && !Stage<no_role>);
static_assert(!Bound<adam> && !Pointwise<average_over_batch> && !Reduction<encode> &&
              !Encoding<bound<norm::l2>>);

// What a chain says it contains.
using plain = decltype(chain(average_over_batch{}, weight_decay{}, adam{}, cosine_rate{}));
using full =
    decltype(chain(bound<norm::l2>{}, average_over_batch{}, noise<norm::l2>{}, sgd{}, rmsprop{}, encode{}));
using nothing_at_all = decltype(chain());
static_assert(plain::bounds == 0 && plain::reductions == 1 && plain::encodings == 0 && plain::slots == 2);
static_assert(full::bounds == 1 && full::reductions == 1 && full::encodings == 1 && full::slots == 2);
static_assert(nothing_at_all::slots == 0);

// Labels fold from stage to stage: raw, bounded, released.
using rows = raw<unit::example>;
template <class... S>
using label_of = typename decltype(chain(S{}...))::template label<rows>;
static_assert(std::same_as<label_of<>, rows>);
static_assert(std::same_as<label_of<average_over_batch, adam>, rows>);
static_assert(std::same_as<label_of<bound<norm::l1>, average_over_batch>, bounded<norm::l1, unit::example>>);
static_assert(std::same_as<label_of<bound<norm::l2>, average_over_batch, noise<norm::l2>>,
                           released<measure::zcdp, unit::example>>);

// An optimiser after the noise works on what is already released ...
static_assert(Released<label_of<bound<norm::l2>, average_over_batch, noise<norm::l2>, adam, cosine_rate>>);
// ... and undoes a bound, or spoils a share of noise, where it stands on one.
static_assert(std::same_as<label_of<bound<norm::l2>, average_over_batch, adam>, rows>);
static_assert(std::same_as<label_of<bound<norm::l2>, average_over_batch, adamw>, rows>);
static_assert(std::same_as<label_of<bound<norm::l2>, average_over_batch, rmsprop>, rows>);
using share = noise_share<measure::zcdp, unit::user>;
static_assert(std::same_as<decltype(chain(adam{}))::label<share>, raw<unit::user>>);

// What `chain(...)` refuses with P002: an order without meaning, and a label that a stage cannot take.
template <class... S>
constexpr bool ordered = detail::in_order<S...>();
static_assert(ordered<> && ordered<bound<norm::l1>, bound<norm::l2>, average_over_batch, sgd, adam, encode>);
static_assert(ordered<bound<norm::l2>, noise<norm::l2>, encode> && ordered<encode>);
static_assert(!ordered<average_over_batch, bound<norm::l2>> && !ordered<sgd, average_over_batch> &&
              !ordered<sgd, bound<norm::l2>>);
static_assert(!ordered<average_over_batch, average_over_batch> && !ordered<encode, sgd> &&
              !ordered<encode, encode>);
template <class... S>
constexpr bool fits = detail::label_fold<rows, S...>::fits;
static_assert(fits<bound<norm::l2>, average_over_batch, noise<norm::l2>, adam>);
static_assert(!fits<average_over_batch, noise<norm::l2>>);
static_assert(!fits<bound<norm::l1>, average_over_batch, noise<norm::l2>>);
static_assert(!fits<bound<norm::l2>, average_over_batch, adam, noise<norm::l2>>);

/// Writes its name into the trace, and its number into its slots.
template <std::size_t Slots>
struct tracer {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = Slots;
  char name;
  std::string* trace;

  template <class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state,
              const update_context<T>& context) const {
    *trace += name;
    for (std::size_t k = 0; k < Slots; ++k)
      for (std::size_t i = 0; i < g.size(); ++i)
        state.slot(k)[i] +=
            static_cast<T>(100 * (name - 'a') + 10 * static_cast<int>(k)) + static_cast<T>(offset + i);
    for (std::size_t i = 0; i < g.size(); ++i)
      g[i] = 2 * g[i] + context.parameters[i] + static_cast<T>(context.step);
  }
};

/// The least that is a schedule: no `after`, no `check`, no `update`.
struct halving {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  double factor(std::uint64_t step) const { return 1 / static_cast<double>(std::uint64_t{1} << step); }
};
/// One that also has an `update`, as a noise whose size follows a schedule has: it is asked for that.
struct scheduled_noise : halving {
  template <class T>
  void update(std::span<T> g, std::size_t, state_slice<T>, const update_context<T>& context) const {
    for (auto& x : g) x += static_cast<T>(factor(context.step));
  }
};
// The near misses. An `update` of any form counts, so that the chain never leaves one out.
struct update_not_const : halving {
  template <class T>
  void update(std::span<T>, std::size_t, state_slice<T>, const update_context<T>&) {}
};
struct update_of_two : halving {
  void update(std::span<float>, int) const {}
  void update(std::span<double>, int) const {}
};
class update_hidden : public halving {
  void update() {}
};
struct update_a_number : halving {
  int update = 0;
};
struct factor_not_const {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  double factor(std::uint64_t) { return 1; }
};
struct factor_of_a_bound {
  static constexpr stage_role role = stage_role::bound;
  double factor(std::uint64_t) const { return 1; }
};
static_assert(Schedule<halving> && Schedule<cosine_rate> && Schedule<constant_rate>);
static_assert(Pointwise<halving> && ordered<average_over_batch, sgd, halving, encode>);
static_assert(!Schedule<scheduled_noise> && !Schedule<update_not_const> && !Schedule<update_of_two> &&
              !Schedule<update_hidden> && !Schedule<update_a_number>);
static_assert(!Schedule<factor_not_const> && !Schedule<factor_of_a_bound> && !Schedule<sgd> &&
              !Schedule<no_slots>);
static_assert(
    std::same_as<label_of<bound<norm::l2>, halving>, rows>); // it does not say that a bound survives
static_assert(std::same_as<label_of<bound<norm::l2>, cosine_rate>, rows>);

} // namespace

TEST_CASE("pointwise stages run in order, and the others are passed over") {
  std::string trace;
  const auto steps = chain(bound<norm::l2>{}, average_over_batch{}, tracer<0>{'a', &trace},
                           tracer<0>{'b', &trace}, tracer<0>{'c', &trace}, encode{});
  auto state = steps.init<float>(2);
  std::vector<float> g = {1, 2};
  const std::vector<float> w = {10, 20};
  steps.update(std::span(g), 0, state, update_context<float>{3, w, 1});
  CHECK(trace == "abc");
  // Three times x -> 2 x + w + 3.
  CHECK(g == std::vector<float>{8 * 1 + 7 * 13, 8 * 2 + 7 * 23});
}

TEST_CASE("each stage has its own slots, one vector each, in stage order") {
  std::string trace;
  const auto steps =
      chain(average_over_batch{}, tracer<1>{'a', &trace}, tracer<0>{'b', &trace}, tracer<2>{'c', &trace});
  static_assert(decltype(steps)::slots == 3);
  auto state = steps.init<double>(3);
  CHECK(state.parameters == 3);
  CHECK(state.step == 0);
  REQUIRE(state.slots == aligned_vector<double>(9));
  std::vector<double> g(2), w(3);
  // The last two parameters alone: the first keeps its state.
  steps.update(std::span(g), 1, state, update_context<double>{0, std::span<const double>(w).subspan(1), 1});
  CHECK(state.slots == aligned_vector<double>{0, 1, 2, 0, 201, 202, 0, 211, 212});
}

TEST_CASE("a schedule multiplies the step by its factor, rounded to the type of the step") {
  const auto run = [](auto stage, std::uint64_t step, auto g) {
    const auto steps = chain(stage);
    auto state = steps.template init<typename decltype(g)::value_type>(g.size());
    steps.update(std::span(g), 0, state, {step, g, 1});
    return g;
  };
  CHECK(run(halving{}, 0, std::vector<float>{3, -5}) == std::vector<float>{3, -5});
  CHECK(run(halving{}, 2, std::vector<float>{3, -5}) == std::vector<float>{0.75f, -1.25f});
  const step_rate third{.every = 1, .gamma = 1. / 3};
  CHECK(run(third, 1, std::vector<float>{0.7f}) == std::vector<float>{0.7f * static_cast<float>(1. / 3)});
  CHECK(run(third, 1, std::vector<double>{0.7}) == std::vector<double>{0.7 * (1. / 3)});
  CHECK(run(scheduled_noise{}, 1, std::vector<float>{3, -5}) == std::vector<float>{3.5f, -4.5f});
}

TEST_CASE("a schedule between stages leaves their slots where they are") {
  std::string trace;
  const auto steps = chain(tracer<1>{'a', &trace}, halving{}, tracer<2>{'c', &trace}, halving{});
  static_assert(decltype(steps)::slots == 3);
  auto state = steps.init<double>(2);
  std::vector<double> g = {8, 16};
  const std::vector<double> w(2);
  steps.update(std::span(g), 0, state, update_context<double>{1, w, 1});
  CHECK(state.slots == aligned_vector<double>{0, 1, 200, 201, 210, 211});
  // x -> (2 x + 1) / 2, twice.
  CHECK(g == std::vector<double>{9, 17});
}

TEST_CASE("one chain serves many states") {
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 1, .momentum = 0.5});
  auto a = steps.init<float>(1), b = steps.init<float>(1);
  const auto run = [&](chain_state<float>& state, float gradient) {
    steps.update(std::span(&gradient, 1), 0, state, update_context<float>{});
    return gradient;
  };
  CHECK(run(a, 4) == 4);
  CHECK(run(a, 0) == 2);
  CHECK(run(b, 1) == 1);
  CHECK(run(a, 0) == 1);
  CHECK(run(b, 0) == 0.5);
}

TEST_CASE("a chain keeps the numbers of its stages") {
  constexpr auto steps = chain(average_over_batch{}, adam{.learning_rate = 0.5}, cosine_rate{.steps = 7});
  static_assert(steps.stages().get<1>().learning_rate == 0.5);
  CHECK(steps.stages().get<2>().steps == 7);
}

TEST_CASE("a batch is averaged over its expected size") {
  CHECK(average_over_batch{}.scale(64) == 1.0 / 64);
  CHECK(average_over_batch{}.scale(0.5) == 2);
}

TEST_CASE("a batch is left a sum for whoever divides the sum of several") {
  CHECK(sum_over_batch{}.scale(64) == 1);
  static_assert(sum_over_batch::adds_up && decltype(chain(sum_over_batch{}, sgd{}))::reductions == 1);
}

TEST_CASE("a chain refuses stages whose numbers make no sense") {
  const auto refuses = [](auto stage) { CHECK_THROWS_AS(chain(stage).template init<float>(3), exception); };
  refuses(sgd{.learning_rate = -0.1});
  refuses(sgd{.learning_rate = std::nan("")});
  refuses(sgd{.momentum = 1});
}
