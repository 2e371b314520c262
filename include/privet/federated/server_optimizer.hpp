#pragma once
// Federated averaging whose mean update is a gradient for an optimiser at the server.

#include <privet/federated/fedavg.hpp>
#include <privet/federated/server_step.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace privet {

/// FedOpt: the clients' mean update is a pseudo-gradient, and a chain of pointwise stages steps by it.
///
///   FedAvgM      server_optimizer{chain(sgd{.learning_rate = 1, .momentum = 0.9})}
///   FedAdam      server_optimizer{chain(adam{.learning_rate = 0.01, .beta2 = 0.99, .epsilon = 1e-3})}
///   FedYogi      the same with yogi{..}
///   FedAdagrad   the same with adagrad{..}
///
/// Formula   g = sum_i (n_i / N) (w - w_i) / sum_i (n_i / N);  w -= steps(g)
/// Memory    O(parameters), and the optimiser's state from round to round
/// Errors    as `federated_average`; N008 for a step that drives weights out of their range. Weights and optimiser
///           are then as before
/// Source    Reddi, Charles, Zaheer, Garrett, Rush, Konecny, Kumar, McMahan, ICLR 2021, arXiv:2003.00295,
///           algorithm 2; FedAvgM: Hsu, Qi, Brown, arXiv:1909.06335. Adam here corrects its bias, as `adam` does
/// Test      tests/federated/server_optimizer.test.cpp
template <class Steps, class Trust = trusted, class Arch = simd::default_arch>
class server_optimizer {
  static_assert(detail::only_steps<Steps>,
                "[P002 server-chain] the server's chain meets the mean of updates: it holds pointwise stages "
                "only, such as sgd{..} and cosine_rate{..}. docs/errors/P002.md");
  using average = federated_average<Trust>;

 public:
  using trust = Trust;
  static constexpr bool linear = true;
  using state = typename average::state;

  explicit server_optimizer(Steps steps, average mean = {}) : steps_(std::move(steps)), mean_(mean) {
    static_cast<void>(remember(0)); // checks the stages
  }

  /// Says who runs the server.
  template <class Other>
  server_optimizer<Steps, Other, Arch> run_by(Other who) const {
    return server_optimizer<Steps, Other, Arch>(steps_, mean_.run_by(who));
  }

  state init(std::size_t parameters) const { return mean_.init(parameters); }
  status absorb(state& s, const client_update& update) const { return mean_.absorb(s, update); }
  /// The state of the optimiser.
  chain_state<float> remember(std::size_t parameters) const {
    return steps_.template init<float>(parameters);
  }
  status check(const chain_state<float>& memory, std::size_t parameters) const {
    return detail::check_optimizer<Steps>("server optimizer", memory, parameters);
  }

  status finish(state& s, std::span<float> weights, chain_state<float>& memory) const {
    return step(weights, memory, [&](std::span<float> from_zero) { return mean_.finish(s, from_zero); });
  }

  /// The same where `subtract(weights)` takes the mean update off weights.
  template <class Subtract>
  status step(std::span<float> weights, chain_state<float>& memory, const Subtract& subtract) const {
    aligned_vector<float> gradient(weights.size()); // averaging from zero leaves minus the mean update
    if (status done = subtract(std::span<float>(gradient)); !done) return done;
    for (auto& g : gradient) g = -g;
    return detail::server_step<Arch>("server optimizer", steps_, std::span<float>(gradient), 1.0, weights,
                                     memory);
  }

 private:
  Steps steps_;
  average mean_;
};

template <class Steps>
server_optimizer(Steps) -> server_optimizer<Steps>;

} // namespace privet
