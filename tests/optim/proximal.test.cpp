#include "support/descent.hpp"

#include <privet/optim/proximal.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>

#include <limits>
#include <vector>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<proximal> && Anchored<proximal> && proximal::slots == 0);
static_assert(decltype(chain(proximal{}, sgd{}))::anchored &&
              !decltype(chain(weight_decay{}, sgd{}))::anchored);

namespace {

/// Ten steps of the fixture's gradients, `slice` parameters at a time, pulled to an anchor.
template <class T, class Chain>
std::vector<T> after_ten(const Chain& steps, const std::vector<T>& anchor, const std::vector<T>& start,
                         std::size_t slice) {
  std::vector<T> w = start;
  auto state = steps.template init<T>(w.size());
  for (const auto& gradient : torch::gradients) {
    std::vector<T> g(std::begin(gradient), std::end(gradient));
    for (std::size_t first = 0; first < w.size(); first += slice) {
      const std::size_t n = std::min(slice, w.size() - first);
      update_context<T> context{.step = state.step, .parameters = std::span<const T>(w).subspan(first, n)};
      context.anchor = std::span<const T>(anchor).subspan(first, n);
      steps.update(std::span(g).subspan(first, n), first, state, context);
    }
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= g[i];
    ++state.step;
  }
  return w;
}

template <class T>
void moves_with_its_anchor(double tolerance) {
  const std::vector<T> zero(test::descent_size), start(std::begin(torch::initial), std::end(torch::initial));
  const auto pulled = chain(proximal{.strength = 0.1}, sgd{.learning_rate = 0.05, .momentum = 0.9});
  const auto& decayed = []() -> const auto& {
    if constexpr (std::is_same_v<T, float>)
      return torch::sgd_momentum_decay_f32;
    else
      return torch::sgd_momentum_decay_f64;
  }();
  const auto to_zero = after_ten(pulled, zero, start, start.size());
  for (std::size_t i = 0; i < start.size(); ++i)
    CHECK(std::abs(to_zero[i] - decayed[9][i]) <= tolerance * std::max<T>(1, std::abs(decayed[9][i])) * 300);

  // The pull sees only the distance: all of it moved by powers of two ends moved by as much.
  std::vector<T> anchor(start.size()), moved(start.size());
  for (std::size_t i = 0; i < start.size(); ++i) {
    anchor[i] = static_cast<T>(i % 3) - 1;
    moved[i] = start[i] + anchor[i];
  }
  const auto to_anchor = after_ten(pulled, anchor, moved, start.size());
  for (std::size_t i = 0; i < start.size(); ++i)
    CHECK(std::abs(to_anchor[i] - anchor[i] - to_zero[i]) <=
          tolerance * std::max<T>(1, std::abs(to_zero[i])) * 300);

  for (const std::size_t slice : {1u, 3u, 8u, 18u})
    CHECK(after_ten(pulled, anchor, moved, slice) == to_anchor);
}

} // namespace

TEST_CASE("proximal adds strength times the distance from the anchor") {
  const std::vector<double> w = {1, -2, 0.5}, anchor = {0.5, 2, 0.5};
  std::vector<double> g = {10, 20, 30};
  update_context<double> context{.parameters = w};
  context.anchor = anchor;
  proximal{.strength = 0.25}.update(std::span(g), 0, state_slice<double>(nullptr, 3, 3), context);
  CHECK(g == std::vector<double>{10.125, 19, 30});
}

TEST_CASE("proximal pulled to zero is torch's weight decay, and another anchor only moves the run") {
  moves_with_its_anchor<float>(1e-6);
  moves_with_its_anchor<double>(1e-13);
}

TEST_CASE("proximal without strength asks for no anchor and leaves a chain plain") {
  const auto steps = chain(proximal{}, sgd{.learning_rate = 0.5});
  CHECK(steps.scaling(0) == 0.5);
  test::check_steps(chain(proximal{}, sgd{.learning_rate = 0.05}), torch::sgd_f32, 1e-6);
}

TEST_CASE("proximal: no anchor, one of another size and strengths that are none are refused") {
  std::vector<float> g(4), w(4), anchor(3);
  const auto steps = chain(proximal{.strength = 1}, sgd{});
  auto state = steps.init<float>(4);
  update_context<float> context{.parameters = w};
  CHECK_THROWS_WITH(steps.update(std::span(g), 0, state, context), Catch::Contains("[N001"));
  context.anchor = anchor;
  CHECK_THROWS_WITH(steps.update(std::span(g), 0, state, context),
                    Catch::Contains("4 parameters and an anchor of 3"));
  for (const double strength :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(chain(proximal{.strength = strength}).init<float>(1), Catch::Contains("[N001"));
}
