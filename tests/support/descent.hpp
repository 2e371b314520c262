#pragma once
// Runs a chain over the gradients of tests/oracles/optimisers.py, and the laws of every pointwise
// stage: it equals torch, it may be run slice by slice, and its state is all it remembers.

#include "fixtures/optimisers.hpp"
#include "support/catch.hpp"

#include <privet/core/chain.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace privet::test {

inline constexpr std::size_t descent_steps = std::size(optimisers::gradients);
inline constexpr std::size_t descent_size = std::size(optimisers::initial);

/// Parameters that descend under a chain; copyable, as a checkpoint is.
template <class T, class Chain>
struct descent {
  Chain chain;
  std::vector<T> w{std::begin(optimisers::initial), std::end(optimisers::initial)};
  chain_state<T> state;

  explicit descent(Chain c) : chain(std::move(c)), state(chain.template init<T>(w.size())) {}

  /// One update, `slice` parameters at a time.
  void step(std::size_t slice = descent_size) {
    std::vector<T> g(std::begin(optimisers::gradients[state.step]),
                     std::end(optimisers::gradients[state.step]));
    for (std::size_t first = 0; first < w.size(); first += slice) {
      const std::size_t n = std::min(slice, w.size() - first);
      chain.update(std::span(g).subspan(first, n), first, state,
                   update_context<T>{state.step, std::span<const T>(w).subspan(first, n), 1});
    }
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= g[i];
    ++state.step;
  }
};

/// Every parameter after every step, relative to the largest value it has had so far.
template <class T, class Chain>
void check_steps(Chain chain, const T (&expected)[descent_steps][descent_size], double tolerance) {
  descent<T, Chain> run(std::move(chain));
  std::vector<double> size(run.w.size());
  for (std::size_t i = 0; i < run.w.size(); ++i) size[i] = std::abs(static_cast<double>(run.w[i]));
  for (std::size_t step = 0; step < descent_steps; ++step) {
    run.step();
    for (std::size_t i = 0; i < run.w.size(); ++i) {
      size[i] = std::max(size[i], std::abs(static_cast<double>(expected[step][i])));
      INFO("step " << step << ", parameter " << i << ": " << run.w[i] << " against " << expected[step][i]);
      REQUIRE(std::abs(static_cast<double>(run.w[i] - expected[step][i])) <= tolerance * size[i]);
    }
  }
}

template <class Chain>
void equals_torch(const Chain& chain, const float (&f32)[descent_steps][descent_size],
                  const double (&f64)[descent_steps][descent_size]) {
  check_steps(chain, f32, 1e-6);
  check_steps(chain, f64, 1e-13);
}

/// Slices of any width give the bits of the whole, and a copied state goes on as if never left.
template <class T, class Chain>
void obeys_laws(const Chain& chain) {
  descent<T, Chain> whole(chain);
  for (std::size_t step = 0; step < descent_steps; ++step) whole.step();
  for (const std::size_t slice : {1u, 3u, 8u, 16u, 18u}) {
    descent<T, Chain> sliced(chain);
    for (std::size_t step = 0; step < descent_steps; ++step) sliced.step(slice);
    CHECK(sliced.w == whole.w);
    CHECK(sliced.state.slots == whole.state.slots);
  }
  descent<T, Chain> first(chain);
  for (std::size_t step = 0; step < 4; ++step) first.step();
  descent<T, Chain> second(chain);
  second.w = first.w;
  second.state = first.state;
  for (std::size_t step = 4; step < descent_steps; ++step) first.step(), second.step();
  CHECK(first.w == whole.w);
  CHECK(second.w == whole.w);
}

template <class Chain>
void obeys_laws_in_float_and_double(const Chain& chain) {
  obeys_laws<float>(chain);
  obeys_laws<double>(chain);
}

} // namespace privet::test
