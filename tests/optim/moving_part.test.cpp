#include "support/descent.hpp"

#include <privet/optim/moving_part.hpp>
#include <privet/optim/sgd.hpp>

#include <vector>

using namespace privet;

static_assert(Pointwise<moving_part> && moving_part::slots == 0);

namespace {

std::vector<double> left_of(const moving_part& part, std::uint64_t step, std::size_t slice) {
  std::vector<double> g(10, 1.0);
  for (std::size_t first = 0; first < g.size(); first += slice)
    part.update(std::span(g).subspan(first, std::min(slice, g.size() - first)), first,
                state_slice<double>(nullptr, 0, 0), update_context<double>{.step = step});
  return g;
}

} // namespace

TEST_CASE("moving part: the gradient outside is zero, however the vector is cut") {
  const std::vector<double> middle = {0, 0, 0, 1, 1, 1, 1, 0, 0, 0};
  for (const std::size_t slice : {1u, 2u, 3u, 4u, 5u, 7u, 10u})
    CHECK(left_of({.first = 3, .last = 7}, 0, slice) == middle);
  CHECK(left_of({.first = 4, .last = 4}, 0, 10) == std::vector<double>(10));
  CHECK(left_of({}, 0, 3) == std::vector<double>(10, 1.0));
  CHECK(left_of({.first = 8, .last = 100}, 0, 3) == std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("moving part: after its steps everything moves, and the chain costs no pass") {
  const moving_part part{.first = 3, .last = 7, .steps = 2};
  CHECK(left_of(part, 1, 10)[0] == 0);
  CHECK(left_of(part, 2, 10) == std::vector<double>(10, 1.0));
  const auto steps = chain(part, sgd{.learning_rate = 0.5});
  CHECK(!steps.scaling(1));
  CHECK(steps.scaling(2) == 0.5);
}

TEST_CASE("moving part: it obeys the laws of a pointwise stage") {
  test::obeys_laws_in_float_and_double(
      chain(moving_part{.first = 2, .last = 11, .steps = 4}, sgd{.learning_rate = 0.05, .momentum = 0.9}));
}
