#pragma once
// SCAFFOLD: clients correct their steps by how their own gradients differ from everybody's.

#include <privet/core/aligned.hpp>
#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/data/dataset.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/train/local_training.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// Adds a vector that somebody else keeps to the gradient.
struct drift_correction {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;

  std::shared_ptr<const aligned_vector<float>> correction;

  void check() const {}
  std::optional<double> scaling(std::uint64_t) const noexcept { return std::nullopt; }
  template <class Arch = simd::default_arch>
  void update(std::span<float> g, std::size_t offset, state_slice<float>,
              const update_context<float>&) const {
    simd::axpy<Arch>(1.0F, std::span<const float>(*correction).subspan(offset, g.size()), g);
  }
};

/// Local training with a control variate of its own, which it keeps between rounds.
template <Loss LossType, class Arch>
class scaffold_training {
  using chain_type = decltype(chain(average_over_batch{}, drift_correction{}, sgd{}, cosine_rate{}));
  using training = local_training<network, LossType, chain_type, float, Arch>;

 public:
  scaffold_training(const network& model, LossType loss, double learning_rate, cosine_rate schedule,
                    std::size_t epochs, std::size_t batch, std::size_t rows, std::uint64_t seed,
                    std::uint32_t client)
      : correction_(std::make_shared<aligned_vector<float>>(model.sizes().shared)),
        training_(model, std::move(loss),
                  chain(average_over_batch{}, drift_correction{correction_},
                        sgd{.learning_rate = learning_rate}, schedule),
                  epochs, batch, rows, seed, client),
        learning_rate_(learning_rate),
        schedule_(schedule),
        own_(correction_->size()),
        before_(own_),
        change_(own_) {
    require(model.sizes().local == 0, fault::argument, "scaffold: a model with ", model.sizes().local,
            " local parameters, whose drift nobody could correct");
  }

  const network& model() const noexcept { return training_.model(); }

  /// `control` is the server's. A round that is asked for again starts from what the client had before it; round 0
  /// from zero.
  typename training::outcome run(parameters<float>& p, std::span<const float> control, rows_view<float> rows,
                                 std::span<const std::int32_t> labels, std::uint64_t round) {
    if (round == 0) std::ranges::fill(own_, 0.0F);
    if (round_ == round)
      own_ = before_;
    else
      before_ = own_;
    round_ = round;
    for (std::size_t i = 0; i < own_.size(); ++i) (*correction_)[i] = control[i] - own_[i];
    change_.assign(p.trained().begin(), p.trained().end()); // the weights received
    const auto done = training_.run(p, rows, labels, round);
    double span = 0;
    for (std::uint64_t k = 0; k < done.steps; ++k)
      span += learning_rate_ * schedule_.factor(round * done.steps + k);
    if (!(span > 0)) { // the schedule is at its end: nothing moved, and nothing is known of the gradient
      std::ranges::fill(change_, 0.0F);
      return done;
    }
    const std::span<const float> trained = std::as_const(p).trained();
    for (std::size_t i = 0; i < own_.size(); ++i) {
      const double moved = static_cast<double>(change_[i]) - static_cast<double>(trained[i]);
      own_[i] = static_cast<float>(moved / span - static_cast<double>((*correction_)[i]));
      change_[i] = before_[i] - own_[i];
    }
    return done;
  }

  /// The last round came to nothing: the control variate is as before it.
  void give_up() { own_ = before_; }

  /// Its control variate before the last round minus the one after.
  std::span<const float> control_change() const noexcept { return change_; }
  std::span<const float> control() const noexcept { return own_; }
  /// Throws N003 for a control variate of another size.
  void restore(std::span<const float> control) {
    require(control.size() == own_.size(), fault::shape, "scaffold: a control variate of ", control.size(),
            " numbers, the model has ", own_.size());
    std::ranges::copy(control, own_.begin());
    round_.reset();
  }

 private:
  std::shared_ptr<aligned_vector<float>> correction_;
  training training_;
  double learning_rate_;
  cosine_rate schedule_;
  std::vector<float> own_, before_, change_;
  std::optional<std::uint64_t> round_;
};

} // namespace detail

/// What a client of SCAFFOLD runs: plain descent, since the control variate is worked out from the way it went.
template <Loss LossType = softmax_cross_entropy>
struct scaffold_recipe {
  double learning_rate = 0.01;
  cosine_rate schedule{.steps = 1, .floor = 1}; ///< over all rounds; floor 1: the rate as it stands
  std::size_t epochs = 1;
  std::size_t batch = 32;
  LossType loss{};

  static constexpr bool is_private = false;
  /// Orders and updates hold a control variate behind the weights.
  static constexpr bool controls = true;
  static std::size_t units(const dataset<float>& data) { return data.rows(); }
  template <class Arch>
  detail::scaffold_training<LossType, Arch> training(const network& model, const dataset<float>& data,
                                                     std::uint64_t seed, std::uint32_t client) const {
    require(learning_rate > 0 && std::isfinite(learning_rate), fault::argument, "scaffold: learning rate ",
            learning_rate, ", expected a positive number");
    return {model, loss, learning_rate, schedule, epochs, batch, data.rows(), seed, client};
  }
};

/// The server's side: weights by federated averaging, and the mean of the clients' control variates.
///
/// Formula   client:  y <- y - eta (g(y) - c_i + c);  c_i' = c_i - c + (x - y) / (sum of K rates eta)
///           server:  x -= rate sum_i p_i (x - y_i) / sum_i p_i;  c -= asked sum_i p_i (c_i - c_i'), over those whose
///           update arrived, with p_i = n_i / N of the N rows that were asked
/// Weights   clients count by their rows, in c as in x, so that c is the gradient of what is minimised
/// Memory    O(parameters), twice that of `fedavg`; messages are twice as long
/// Missing   a client whose update is lost has moved its control variate, and the server's has not: with a quorum the
///           correction is off by that until the client is asked again
/// Privacy   none: an update tells more of a client's gradient than that of `fedavg`
/// Source    Karimireddy et al., ICML 2020, algorithm 1, option II
/// Test      tests/federated/scaffold.test.cpp
template <class Trust = trusted>
struct controlled_average {
  using trust = Trust;
  static constexpr bool linear = true;

  double rate = 1;  ///< of the server
  double asked = 1; ///< the part of all rows that a round asks

  using state = typename federated_average<Trust>::state;

  template <class Other>
  constexpr controlled_average<Other> run_by(Other) const noexcept {
    return {rate, asked};
  }

  state init(std::size_t parameters) const {
    require(rate > 0 && std::isfinite(rate) && asked > 0 && asked <= 1, fault::argument, "scaffold: rate ",
            rate, " and part asked ", asked, ", expected a rate > 0 and 0 < part <= 1");
    return federated_average<Trust>{}.init(2 * parameters);
  }
  status absorb(state& s, const client_update& update) const {
    return federated_average<Trust>{}.absorb(s, update);
  }

  /// The server's control variate.
  std::vector<float> remember(std::size_t parameters) const { return std::vector<float>(parameters); }
  status check(const std::vector<float>& control, std::size_t parameters) const {
    if (control.size() == parameters) return nothing{};
    return error::of(fault::shape, "scaffold: a control variate of ", control.size(),
                     " numbers, the model has ", parameters);
  }
  /// What clients are sent behind the weights.
  std::span<const float> sent(const std::vector<float>& control) const noexcept { return control; }

  status finish(state& s, std::span<float> weights, std::vector<float>& control) const {
    if (auto fits = check(control, weights.size()); !fits) return fits;
    const double arrived = s.weight[0];
    std::vector<float> moved(2 * weights.size()); // averaging from zero leaves minus the mean
    if (auto done = federated_average<Trust>{}.finish(s, moved); !done) return done;
    const std::size_t n = weights.size();
    for (std::size_t i = 0; i < n; ++i) {
      moved[i] = static_cast<float>(static_cast<double>(weights[i]) + rate * moved[i]);
      moved[n + i] = static_cast<float>(static_cast<double>(control[i]) + asked * arrived * moved[n + i]);
    }
    for (const float x : moved)
      if (!std::isfinite(x))
        return error::of(fault::range,
                         "scaffold: the step drives weights out of their range; a lower learning "
                         "rate may help");
    std::ranges::copy(std::span(moved).first(n), weights.begin());
    std::ranges::copy(std::span(moved).subspan(n), control.begin());
    return nothing{};
  }
};
using scaffold = controlled_average<>;

} // namespace privet
