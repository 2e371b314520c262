#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/data/poisson.hpp>
#include <privet/data/sampler.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/random/system.hpp>
#include <privet/train/trainer.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

/// What the library says of a mechanism at several epsilons.
std::vector<test::privacy_claim> claims_of(privacy_event event, std::uint64_t steps = 1) {
  event.count = steps;
  pld_accountant accountant;
  accountant.tolerance = 1e-3;
  accountant.compose(event);
  std::vector<test::privacy_claim> claims;
  for (const double epsilon : {0.1, 0.5, 1.0, 2.0})
    claims.push_back({epsilon, accountant.delta(epsilon).upper});
  return claims;
}
std::vector<test::privacy_claim> renyi_claims_of(privacy_event event, std::uint64_t steps = 1) {
  event.count = steps;
  rdp_accountant accountant;
  accountant.compose(event);
  std::vector<test::privacy_claim> claims;
  for (const double epsilon : {0.1, 0.5, 1.0, 2.0})
    claims.push_back({epsilon, accountant.delta(epsilon).upper});
  return claims;
}
void check_kept(const std::vector<test::privacy_claim>& claims, const test::paired_runs& runs) {
  for (const auto& claim : claims) check_kept(claim, runs);
}
void check_refuted(const std::vector<test::privacy_claim>& claims, const test::paired_runs& runs) {
  for (const auto& claim : claims) check_refuted(claim, runs);
}

/// Rows and targets for one neuron with squared error, whose gradients 2 (y - t) (x, 1) can be chosen freely.
struct examples {
  std::size_t width;
  std::vector<float> x{}, t{};

  std::uint32_t add(std::vector<float> row, float target) {
    row.resize(width);
    x.insert(x.end(), row.begin(), row.end());
    t.push_back(target);
    return static_cast<std::uint32_t>(t.size() - 1);
  }
  rows_view<float> view() const { return {x.data(), t.size(), width}; }
};

/// One step from parameters that everybody knows, in units of the bound.
template <class Model, class Steps>
class laboratory {
 public:
  laboratory(const Model& model, const Steps& steps, parameters<float> start, std::size_t chunk = 128)
      : step_(model, mean_squared_error{}, steps, chunk),
        start_(std::move(start)),
        p_(start_),
        state_(step_.init()) {}

  /// The sum over the batch with its noise.
  const std::vector<double>& release(const examples& rows, std::span<const std::uint32_t> batch,
                                     double expected) {
    std::ranges::copy(start_.trained(), p_.trained().begin());
    state_.step = 0;
    state_.bound = step_.chain().first_bound();
    step_(p_, state_, rows.view(), rows.t.data(), batch, expected);
    moved_.resize(p_.trained().size());
    const double unit = expected / step_.chain().first_bound();
    for (std::size_t i = 0; i < moved_.size(); ++i)
      moved_[i] = (static_cast<double>(start_.trained()[i]) - static_cast<double>(p_.trained()[i])) * unit;
    return moved_;
  }
  /// The adaptive bound after the step.
  double bound() const { return state_.bound; }

  /// The event of one step, as the mechanism of the chain states it.
  template <class Sampler>
  privacy_event event(const Sampler& sampler, std::size_t rows) const {
    return step_.chain().mechanism().event(sampler, rows,
                                           step_.sum_of(sampler.most(rows), sampler.expected_batch(rows)));
  }

 private:
  training_step<Model, mean_squared_error, Steps> step_;
  parameters<float> start_, p_;
  chain_state<float> state_;
  std::vector<double> moved_;
};

template <class Bound, class Noise>
auto steps_of(const Bound& bound, const Noise& noise) {
  return chain(bound, average_over_batch{}, noise, sgd{.learning_rate = 1});
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// The direction in which one row pulls.
template <class Model>
std::vector<double> direction_of(const Model& model, const parameters<float>& start, const examples& rows,
                                 std::uint32_t row) {
  laboratory still(model, chain(clip_l2{}, average_over_batch{}, sgd{.learning_rate = 1}), start);
  auto g = still.release(rows, std::span(&row, 1), 1);
  const double norm = std::sqrt(dot(g, g));
  for (double& x : g) x /= norm;
  return g;
}

const sequential neuron{dense<3, 1>{}};
constexpr double bound = 0.5;
constexpr std::size_t runs = 80'000;

/// The last row is the one that neighbours differ in. Beside it lie rows that pull with it, against it, or
/// across.
struct neighbourhood {
  examples rows{3};
  std::vector<std::uint32_t> with, without;
  std::vector<double> direction;

  enum side { alone, with_it, against_it, across };
  explicit neighbourhood(side others, std::size_t count = 4) {
    for (std::size_t i = 0; i < count && others != alone; ++i) {
      if (others == across)
        rows.add({-1.0f / 30, 5, 0}, -50);
      else
        rows.add({30}, others == with_it ? -50.0f : 50.0f);
    }
    const auto row = rows.add({30}, -50);
    with.resize(rows.t.size());
    std::iota(with.begin(), with.end(), 0u);
    without.assign(with.begin(), with.end() - 1);
    direction = direction_of(neuron, neuron.make_parameters(), rows, row);
  }
};

/// Runs one full batch with the row and without it, seen along the row's direction.
template <class Steps>
test::paired_runs runs_of(const neighbourhood& n, const Steps& steps, std::size_t chunk = 128) {
  laboratory lab(neuron, steps, neuron.make_parameters(), chunk);
  return test::run_both(
      runs, [&] { return dot(lab.release(n.rows, n.with, 4), n.direction); },
      [&] { return dot(lab.release(n.rows, n.without, 4), n.direction); });
}

// Mutants: honest code and one mistake.

struct too_little_noise : gaussian::form {
  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state, update_context<T> context) const {
    context.sensitivity *= 0.7;
    gaussian::form::update<Arch>(g, offset, state, context);
  }
};
/// Releases the count of an adaptive bound for nothing.
struct unpaid_count : gaussian::form {
  double factor_beside(double) const noexcept { return 1; }
};
/// The ghost norm without the bias.
struct forgets_the_bias : dense<3, 1> {
  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    for (std::size_t r = 0; r < call.rows; ++r)
      for (std::size_t j = 0; j < call.in; ++j) {
        const T g = call.input[r * call.in + j] * dy[r];
        norms[r] += g * g;
      }
  }
};
/// A layer that no norm counts.
struct forgets_itself : dense<3, 2> {
  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>&, const T*, std::span<T>) const {}
};
/// y = w (x_1 + x_2): one weight vector that is used twice, with the norm of its gradient, or the norms of
/// both uses added up.
template <bool Honest>
struct tied {
  static constexpr std::size_t in = 6;
  static constexpr std::size_t out_width(std::size_t) { return 1; }
  static constexpr bool accepts(std::size_t width) { return width == in; }
  static constexpr std::size_t size(std::size_t) { return 3; }
  static constexpr bool mixes_examples(mode) { return false; }
  static std::vector<named_tensor> tensors() { return {{"weight", {1, 3}, 0, 3, false}}; }

  template <class Arch, class T>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context) const {
    for (std::size_t r = 0; r < rows; ++r) {
      y[r] = 0;
      for (std::size_t j = 0; j < in; ++j) y[r] += p[j % 3] * x[r * in + j];
    }
  }
  template <class Arch, class T>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    for (std::size_t i = 0; i < call.rows * in; ++i) dx[i] = p[i % 3] * dy[i / in];
  }
  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    for (std::size_t r = 0; r < call.rows; ++r)
      for (std::size_t j = 0; j < 3; ++j) {
        const T a = call.input[r * in + j], b = call.input[r * in + 3 + j];
        norms[r] += dy[r] * dy[r] * (Honest ? (a + b) * (a + b) : a * a + b * b);
      }
  }
  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    for (std::size_t i = 0; i < call.rows * in; ++i) g[i % 3] += call.input[i] * dy[i / in];
  }
};

} // namespace

// 80,000 runs with the row and as many without it: an epsilon of 0.1 is seen as 0.2, of 1 as 1.15.
TEST_CASE("a private step cannot be refuted, whatever the other rows are; 0.7 times its noise can",
          "[slow]") {
  const auto side = GENERATE(neighbourhood::alone, neighbourhood::with_it, neighbourhood::against_it,
                             neighbourhood::across);
  const neighbourhood n(side); // alone: an empty batch is the neighbour
  const double z = 0.9;
  const auto steps = steps_of(clip_l2{bound}, gaussian{z});
  const auto claims = claims_of({event::gaussian{z}});
  check_kept(claims, runs_of(n, steps));
  check_kept(claims, runs_of(n, steps, 2)); // in chunks: noise comes once
  check_kept(claims, runs_of(n, steps_of(clip_l2{bound}.automatic(), gaussian{z})));
  check_kept(claims, runs_of(n, steps_of(clip_l2{bound}.by_layer(), gaussian{z})));
  check_kept(claims, runs_of(n, steps_of(clip_l2{bound}, gaussian{z}.in_floating_point())));
  // Exact noise, by what the Renyi accountant says of it: its claims are weaker.
  const auto exact = runs_of(n, steps_of(clip_l2{bound}, gaussian{z}.exact()));
  check_kept(renyi_claims_of({event::subsampled_discrete_gaussian{z}}), exact);
  check_refuted(claims_of({event::gaussian{1.6 * z}}), exact);
  check_refuted(claims, runs_of(n, steps_of(clip_l2{bound}, too_little_noise{{z}})));
}

TEST_CASE("bounds by layer cannot be refuted, a layer that no norm counts can", "[slow]") {
  const auto pulled = [](const auto& model, const auto& clip, double z) {
    auto start = model.make_parameters();
    std::ranges::fill(start.trained().subspan(8),
                      0.4f); // the second layer; the first, which pulls more, is zero
    examples rows{3};
    const std::array batch = {rows.add({10, -20, 30}, -50)};
    const sequential honest{dense<3, 2>{}, dense<2, 1>{}};
    const auto direction = direction_of(honest, start, rows, 0);
    laboratory lab(model, steps_of(clip, gaussian{z}), start);
    return test::run_both(
        runs, [&] { return dot(lab.release(rows, batch, 1), direction); },
        [&] { return dot(lab.release(rows, {}, 1), direction); });
  };
  const sequential honest{dense<3, 2>{}, dense<2, 1>{}};
  const sequential forgetful{forgets_itself{}, dense<2, 1>{}};
  const auto claims = claims_of({event::gaussian{1.5}});
  check_kept(claims, pulled(honest, clip_l2{bound}, 1.5));
  check_kept(claims, pulled(honest, clip_l2{bound}.by_layer(), 1.5));
  check_refuted(claims, pulled(forgetful, clip_l2{bound}, 1.5));
  check_refuted(claims, pulled(forgetful, clip_l2{bound}.by_layer(), 1.5));
}

TEST_CASE("a ghost norm without the bias is refuted", "[slow]") {
  const auto pulled = [](const auto& model) {
    examples rows{3};
    const std::array batch = {rows.add({0, 0, 0.1f}, -50)};
    const auto direction = direction_of(neuron, neuron.make_parameters(), rows, 0);
    laboratory lab(model, steps_of(clip_l2{bound}, gaussian{5}), model.make_parameters());
    return test::run_both(
        runs, [&] { return dot(lab.release(rows, batch, 1), direction); },
        [&] { return dot(lab.release(rows, {}, 1), direction); });
  };
  const auto claims = claims_of({event::gaussian{5}});
  check_kept(claims, pulled(neuron));
  check_refuted(claims, pulled(sequential{forgets_the_bias{}}));
}

TEST_CASE("norms of tied weights that are added up are refuted", "[slow]") {
  const auto pulled = [](const auto& model) {
    examples rows{6};
    const std::array batch = {rows.add({1, 2, 3, 1, 2, 3}, -50)}; // both uses pull the same way
    const sequential honest{tied<true>{}};
    const auto direction = direction_of(honest, honest.make_parameters(), rows, 0);
    laboratory lab(model, steps_of(clip_l2{bound}, gaussian{1}), model.make_parameters());
    return test::run_both(
        runs, [&] { return dot(lab.release(rows, batch, 1), direction); },
        [&] { return dot(lab.release(rows, {}, 1), direction); });
  };
  const auto claims = claims_of({event::gaussian{1}});
  check_kept(claims, pulled(sequential{tied<true>{}}));
  check_refuted(claims, pulled(sequential{tied<false>{}}));
}

// The likelihood of both releases together is what is looked at.
TEST_CASE("an adaptive bound with its count cannot be refuted, a count for nothing can", "[slow]") {
  const double z = 1, count_noise = 0.6, expected = 4;
  clip_l2_adaptive adaptive = clip_l2{bound}.adaptive();
  adaptive.count_noise = count_noise;
  const auto pulled = [&](const auto& noise, double factor) {
    const neighbourhood n(neighbourhood::across);
    laboratory lab(neuron, steps_of(adaptive, noise), neuron.make_parameters());
    const auto seen = [&](std::span<const std::uint32_t> batch) {
      const double along = dot(lab.release(n.rows, batch, expected), n.direction);
      const double share = adaptive.quantile - std::log(lab.bound() / bound) / adaptive.rate;
      const double count = (share - 0.5) * expected; // one row above the bound takes 1/2 off
      return along / (z * factor * z * factor) - 0.5 * count / (count_noise * count_noise);
    };
    return test::run_both(
        runs, [&] { return seen(n.with); }, [&] { return seen(n.without); });
  };
  const auto claims = claims_of({event::gaussian{z}});
  check_kept(claims, pulled(gaussian{z}, gaussian::form{z}.factor_beside(count_noise)));
  const auto for_nothing = pulled(unpaid_count{{z}}, 1);
  for (std::size_t i = 0; i < 3; ++i) check_refuted(claims[i], for_nothing);
}

TEST_CASE("a row that is no number leaves no trace at all", "[slow]") {
  neighbourhood n(neighbourhood::across);
  n.rows.x[n.with.back() * 3 + 1] = GENERATE(std::numeric_limits<float>::quiet_NaN(), 1e30f);
  const auto steps = steps_of(clip_l2{bound}, gaussian{1});
  check_kept({0, 0}, runs_of(n, steps));
  check_kept({0, 0}, runs_of(n, steps, 2));
}

// One row or two, and noise of 41 numbers: half of it is plain to see.
TEST_CASE("division by the number of rows that were drawn is refuted", "[slow]") {
  const sequential wide{dense<40, 1>{}};
  examples rows{40};
  const std::array batch = {rows.add({}, -50), rows.add({1}, -50)};
  laboratory lab(wide, steps_of(clip_l2{bound}, gaussian{2}), wide.make_parameters());
  const auto seen = [&](std::size_t drawn, bool realised) {
    const double expected = realised ? static_cast<double>(drawn) : 2;
    return [&, drawn, expected] {
      const auto& g = lab.release(rows, std::span(batch).first(drawn), expected);
      return dot(g, g) / (expected * expected);
    };
  };
  const auto claims = claims_of({event::gaussian{2}});
  check_kept(claims, test::run_both(runs, seen(2, false), seen(1, false)));
  check_refuted(claims, test::run_both(runs, seen(2, true), seen(1, true)));
}

// One row far out, 20 others: without it they all pull at the bias, with it all along the first column.
TEST_CASE("rows from which their own mean was taken are refuted, from a public mean they are not", "[slow]") {
  const auto pulled = [](bool own_mean) {
    const auto standardised = [=](bool outlier) {
      examples rows{3};
      for (int i = 0; i < 20; ++i) rows.add({1}, -50);
      if (outlier) rows.add({2000}, -50);
      float mean = 1;
      if (own_mean) {
        mean = 0;
        for (std::size_t r = 0; r < rows.t.size(); ++r) mean += rows.x[3 * r];
        mean /= static_cast<float>(rows.t.size());
      }
      for (std::size_t r = 0; r < rows.t.size(); ++r) rows.x[3 * r] -= mean;
      return rows;
    };
    const auto with = standardised(true), without = standardised(false);
    std::array<std::uint32_t, 21> batch;
    std::iota(batch.begin(), batch.end(), 0u);
    laboratory lab(neuron, steps_of(clip_l2{bound}, gaussian{5}), neuron.make_parameters());
    return test::run_both(
        runs, [&] { return lab.release(with, batch, 20)[0]; },
        [&] { return lab.release(without, std::span(batch).first(20), 20)[0]; });
  };
  const auto claims = claims_of({event::gaussian{5}});
  check_kept(claims, pulled(false));
  check_refuted(claims, pulled(true));
}

// Two steps from two public points, at which the row pulls in opposite directions: the difference has the row
// twice, and the noise not at all when it is the same.
TEST_CASE("noise that is used twice is refuted by the difference of two steps", "[slow]") {
  const double z = 3;
  const neighbourhood n(neighbourhood::across);
  auto far = neuron.make_parameters();
  far.trained()[3] = -200;
  const auto seen = [&](bool twice) {
    unsafe::replayable_noise source(1, "a mutant");
    const auto steps = steps_of(clip_l2{bound}, gaussian{z}.drawn_from(source));
    laboratory one(neuron, steps, neuron.make_parameters()), two(neuron, steps, far);
    const auto difference = [&](std::span<const std::uint32_t> batch) {
      const std::uint64_t seed = privet::detail::draw64(thread_system_random());
      source = unsafe::replayable_noise(seed, "a mutant");
      const double first = dot(one.release(n.rows, batch, 4), n.direction);
      if (twice) source = unsafe::replayable_noise(seed, "a mutant");
      return first - dot(two.release(n.rows, batch, 4), n.direction);
    };
    return test::run_both(
        runs / 5, [&] { return difference(n.with); }, [&] { return difference(n.without); });
  };
  const auto claims = claims_of({event::gaussian{z}}, 2);
  check_kept(claims, seen(false));
  check_refuted(claims, seen(true));
}

// The noise of two empty batches; 41 numbers cannot be told apart below a cosine of 0.84, 1,001 below 0.17.
TEST_CASE("the noise of two steps is not correlated") {
  const sequential wide{dense<1000, 1>{}};
  const examples none{1000};
  laboratory lab(wide, steps_of(clip_l2{bound}, gaussian{1}), wide.make_parameters());
  const auto first = lab.release(none, {}, 1), second = lab.release(none, {}, 1);
  const auto found = test::correlate(first, second);
  INFO(found.measured << ", limit " << found.limit);
  CHECK_FALSE(found.refuted());
  CHECK(test::correlate(first, first).refuted());
}

TEST_CASE("Poisson training cannot be refuted, and is when one step in five is accounted for", "[slow]") {
  const double z = 0.7, rate = GENERATE(0.1, 0.5);
  const auto side = GENERATE(neighbourhood::alone, neighbourhood::across, neighbourhood::against_it);
  const neighbourhood n(side);
  const std::size_t rows = n.with.size();
  const poisson sampler{rate};
  laboratory lab(neuron, steps_of(clip_l2{bound}, gaussian{z}), neuron.make_parameters(), 3);
  poisson_batches with(rows, sampler);
  // The likelihood ratio of all steps, when others pull across or there are none.
  const auto likelihood = [&](poisson_batches* drawn, std::size_t steps) {
    double sum = 0;
    for (std::size_t i = 0; i < steps; ++i) {
      const auto batch = drawn ? drawn->draw(thread_system_random()) : std::span<const std::uint32_t>();
      const double along = dot(lab.release(n.rows, batch, sampler.expected_batch(rows)), n.direction);
      sum += std::log1p(rate * std::expm1((along - 0.5) / (z * z)));
    }
    return sum;
  };
  const auto seen = [&](std::size_t steps) {
    if (rows == 1) // every batch without the row is empty
      return test::run_both(
          runs, [&] { return likelihood(&with, steps); }, [&] { return likelihood(nullptr, steps); });
    poisson_batches without(rows - 1, sampler);
    return test::run_both(
        runs, [&] { return likelihood(&with, steps); }, [&] { return likelihood(&without, steps); });
  };
  // What the step says of itself is rounded up, so it is never below the mechanism as it is written on paper.
  const privacy_event on_paper{event::subsampled_gaussian{z, rate}};
  const auto one = claims_of(on_paper), said = claims_of(lab.event(sampler, rows));
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(said[i].delta >= one[i].delta * (1 - 1e-3));
  check_kept(one, seen(1));
  const auto five = seen(5);
  check_kept(claims_of(on_paper, 5), five);
  if (side != neighbourhood::against_it) check_refuted(one[0], five);
}

TEST_CASE("Poisson training with exact noise cannot be refuted, a quarter of that noise is", "[slow]") {
  const double z = 2, rate = 0.5;
  const neighbourhood n(neighbourhood::across);
  const std::size_t rows = n.with.size();
  const poisson sampler{rate};
  const auto seen = [&](const auto& noise) {
    laboratory lab(neuron, steps_of(clip_l2{bound}, noise), neuron.make_parameters(), 3);
    poisson_batches with(rows, sampler), without(rows - 1, sampler);
    const auto likelihood = [&](poisson_batches& drawn) {
      double sum = 0;
      for (int i = 0; i < 3; ++i) {
        const auto batch = drawn.draw(thread_system_random());
        const double along = dot(lab.release(n.rows, batch, sampler.expected_batch(rows)), n.direction);
        sum += std::log1p(rate * std::expm1((along - 0.5) / (z * z)));
      }
      return sum;
    };
    return test::run_both(
        runs, [&] { return likelihood(with); }, [&] { return likelihood(without); });
  };
  laboratory lab(neuron, steps_of(clip_l2{bound}, gaussian{z}.exact()), neuron.make_parameters(), 3);
  const auto said = lab.event(sampler, rows);
  CHECK(std::holds_alternative<event::subsampled_discrete_gaussian>(said.mechanism));
  const auto claims = renyi_claims_of(said, 3);
  check_kept(claims, seen(gaussian{z}.exact()));
  check_refuted(claims[2], seen(gaussian{z / 4}.exact()));
}

// 40 batches of 2 rows, all of which pull against the row in question: its batch alone is another, in every
// epoch. 12,000 epochs of either kind: at epsilon 0.5 what is 0.9 is seen.
TEST_CASE("a shuffled epoch that is accounted as Poisson sampling is refuted", "[slow]") {
  constexpr std::size_t batches = 40, size = 2;
  constexpr double z = 0.6;
  neighbourhood n(neighbourhood::against_it, batches * size - 1);
  auto without = n.rows;
  without.t.back() = 0; // pulls nowhere
  laboratory lab(neuron, steps_of(clip_l2{bound}, gaussian{z}), neuron.make_parameters());
  const auto largest = [&](const examples& rows, auto&& batch) {
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < batches; ++i)
      most = std::max(most, dot(lab.release(rows, batch(i), size), n.direction));
    return most;
  };
  const auto shuffled_once = [&](const examples& rows) {
    shuffled_batches order(batches * size, size, privet::detail::draw64(thread_system_random()));
    return largest(rows, [&](std::size_t i) { return order[i]; });
  };
  const poisson sampler{1.0 / batches};
  poisson_batches drawn(batches * size, sampler);
  const auto sampled = [&](const examples& rows) {
    return largest(rows, [&](std::size_t) { return drawn.draw(thread_system_random()); });
  };
  const auto claims = claims_of(lab.event(sampler, batches * size), batches);
  check_kept(claims, test::run_both(
                         12'000, [&] { return sampled(n.rows); }, [&] { return sampled(without); }));
  const auto shuffled_runs = test::run_both(
      12'000, [&] { return shuffled_once(n.rows); }, [&] { return shuffled_once(without); });
  for (std::size_t i = 0; i < 3; ++i) check_refuted(claims[i], shuffled_runs);
}

// The whole trainer, 20,000 runs of either: the last row is there or not, and the number of rows, which is
// public, is taken out of what is seen.
TEST_CASE("a trainer cannot be refuted, under either sampler", "[slow]") {
  const sequential classes{dense<3, 2>{}};
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 5; ++i) {
    x.insert(x.end(), {i % 2 ? 0.0f : 30.0f, i % 2 ? 30.0f : 0.0f, 0});
    labels.push_back(i == 4 ? 0 : 1);
  }
  const auto seen = [&](const auto& sampler, std::size_t rows, std::size_t steps) {
    trainer train{
        classes, softmax_cross_entropy{},
        chain(clip_l2{.bound = 0.1}, average_over_batch{}, gaussian{0.8}, sgd{.learning_rate = 1e-3}),
        sampler, pld_accountant{}};
    std::ranges::fill(train.parameters().trained(), 0.0f);
    train.fit(labelled_rows<float>{{x.data(), rows, 3}, std::span(labels).first(rows)}, draws{steps});
    // The first weights of both classes: the last row pulls one up and the other down.
    const auto w = train.parameters().trained();
    return static_cast<double>(w[0] - w[3]) * static_cast<double>(rows);
  };
  const auto check = [&](const auto& sampler, const auto& claimed) {
    for (const std::size_t steps : {1u, 3u})
      check_kept(claims_of(claimed, steps), test::run_both(
                                                20'000, [&] { return seen(sampler, 5, steps); },
                                                [&] { return seen(sampler, 4, steps); }));
  };
  check(poisson{.rate = 0.3}, privacy_event{event::subsampled_gaussian{0.8, 0.3}});
  check(public_poisson{.rate = 0.3, .seed = 2}, privacy_event{event::gaussian{0.8}});
}
