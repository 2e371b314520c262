#pragma once
// What the server of a run makes of the offices' updates, as `--strategy` says.

#include "settings.hpp"

#include <privet/core/chain.hpp>
#include <privet/federated/fedavg.hpp>

#include <memory>

namespace apps {

/// Updates of one round on their way into a rule.
class running_round {
 public:
  virtual ~running_round() = default;
  virtual privet::status absorb(const privet::client_update& update) = 0;
  virtual privet::status finish(std::span<float> weights, privet::chain_state<float>& memory) = 0;
};

/// A rule behind a virtual call. What it keeps from round to round lies in `slots`.
class any_rule {
 public:
  virtual ~any_rule() = default;
  virtual std::unique_ptr<running_round> begin(std::size_t parameters) const = 0;
  virtual privet::chain_state<float> remember(std::size_t parameters) const = 0;
  virtual privet::status check(const privet::chain_state<float>& memory, std::size_t parameters) const = 0;
  virtual std::span<const float> sent(const privet::chain_state<float>& memory) const = 0;
  virtual std::size_t least() const = 0;
};

/// A rule that is known when the program runs, so that one server is compiled for all of them.
class chosen_rule {
 public:
  using trust = privet::trusted;
  static constexpr bool linear = false;

  struct state {
    std::unique_ptr<running_round> round;
  };

  explicit chosen_rule(std::shared_ptr<const any_rule> rule) : rule_(std::move(rule)) {}

  state init(std::size_t parameters) const { return {rule_->begin(parameters)}; }
  privet::status absorb(state& s, const privet::client_update& update) const {
    return s.round->absorb(update);
  }
  privet::status finish(state& s, std::span<float> weights, privet::chain_state<float>& memory) const {
    return s.round->finish(weights, memory);
  }
  privet::chain_state<float> remember(std::size_t parameters) const { return rule_->remember(parameters); }
  privet::status check(const privet::chain_state<float>& memory, std::size_t parameters) const {
    return rule_->check(memory, parameters);
  }
  std::size_t least() const { return rule_->least(); }

 protected:
  std::shared_ptr<const any_rule> rule_;
};

/// The same of a rule whose clients are sent numbers behind the weights.
struct sending_rule : chosen_rule {
  std::span<const float> sent(const privet::chain_state<float>& memory) const { return rule_->sent(memory); }
};

/// The same of a rule whose clients weigh themselves by their classes, which the server settles before round 1.
struct class_weighing_rule : chosen_rule {
  static constexpr bool weighs_classes = true;
};

chosen_rule rule_of(const settings& s);

/// How many updates make a round: as `--quorum` says, or with drop-outs the fewest that the strategy works with.
/// Throws where the offices are too few for either.
void settle_quorum(const std::optional<std::size_t>& said, settings& s);

/// As it is shown: the strategy with its numbers.
std::string strategy_text(const settings& s);

} // namespace apps
