#include "strategy.hpp"

#include <privet/federated/bulyan.hpp>
#include <privet/federated/class_aware.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/fednova.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/q_fedavg.hpp>
#include <privet/federated/scaffold.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/trimmed_mean.hpp>
#include <privet/optim/adagrad.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/yogi.hpp>

#include <fmt/format.h>

namespace apps {

namespace {

using namespace privet;

template <class A>
using memory_of = typename privet::detail::memory_of<A>::type;
template <class A>
inline constexpr bool forgets = std::same_as<memory_of<A>, privet::detail::no_memory>;
/// Keeps plain numbers, not an optimiser's state.
template <class A>
inline constexpr bool keeps_numbers = std::same_as<memory_of<A>, std::vector<float>>;

std::vector<float> numbers_of(const chain_state<float>& memory) {
  return {memory.slots.begin(), memory.slots.end()};
}

template <Aggregator A>
class round_of final : public running_round {
 public:
  round_of(const A& rule, std::size_t parameters) : rule_(rule), sum_(rule.init(parameters)) {}

  status absorb(const client_update& update) override { return rule_.absorb(sum_, update); }
  status finish(std::span<float> weights, chain_state<float>& memory) override {
    if constexpr (forgets<A>) {
      return rule_.finish(sum_, weights);
    } else if constexpr (keeps_numbers<A>) {
      auto kept = numbers_of(memory);
      const auto done = rule_.finish(sum_, weights, kept);
      if (done) memory.slots.assign(kept.begin(), kept.end());
      return done;
    } else {
      return rule_.finish(sum_, weights, memory);
    }
  }

 private:
  A rule_;
  decltype(std::declval<const A&>().init(std::size_t{})) sum_;
};

template <Aggregator A>
class held_rule final : public any_rule {
 public:
  explicit held_rule(A rule) : rule_(std::move(rule)) {}

  std::unique_ptr<running_round> begin(std::size_t parameters) const override {
    return std::make_unique<round_of<A>>(rule_, parameters);
  }
  chain_state<float> remember(std::size_t parameters) const override {
    if constexpr (forgets<A>) {
      return {parameters, 0, {}};
    } else if constexpr (keeps_numbers<A>) {
      const auto kept = rule_.remember(parameters);
      return {parameters, 0, {kept.begin(), kept.end()}};
    } else {
      return rule_.remember(parameters);
    }
  }
  status check(const chain_state<float>& memory, std::size_t parameters) const override {
    if constexpr (forgets<A>) {
      require(memory.slots.empty(), fault::state, "a strategy without a memory was given ",
              memory.slots.size(), " numbers");
      return nothing{};
    } else if constexpr (keeps_numbers<A>) {
      return rule_.check(numbers_of(memory), parameters);
    } else {
      return rule_.check(memory, parameters);
    }
  }
  std::span<const float> sent(const chain_state<float>& memory) const override {
    if constexpr (keeps_numbers<A>)
      return memory.slots;
    else
      return {};
  }
  std::size_t least() const override {
    if constexpr (requires { rule_.least(); })
      return rule_.least();
    else
      return 1;
  }

 private:
  A rule_;
};

template <class A>
chosen_rule choose(A rule) {
  return chosen_rule(std::make_shared<held_rule<A>>(std::move(rule)));
}

/// How fast offices descend that follow the recipe, momentum included.
double pace(const settings& s) { return s.lr / (1 - s.momentum); }

} // namespace

chosen_rule rule_of(const settings& s) {
  const auto& name = s.strategy;
  const auto stepping = [](auto steps) { return choose(server_optimizer(chain(steps))); };
  if (name == "fedavgm") return stepping(sgd{.learning_rate = s.server_lr, .momentum = s.server_momentum});
  if (name == "fedadam")
    return stepping(
        adam{.learning_rate = s.server_lr, .beta1 = s.server_momentum, .beta2 = 0.99, .epsilon = 1e-3});
  if (name == "fedyogi")
    return stepping(
        yogi{.learning_rate = s.server_lr, .beta1 = s.server_momentum, .beta2 = 0.99, .epsilon = 1e-3});
  if (name == "fedadagrad") return stepping(adagrad{.learning_rate = s.server_lr, .epsilon = 1e-3});
  if (name == "fednova") return choose(fednova{.momentum = s.momentum});
  if (name == "q-fedavg") return choose(q_fedavg{.q = s.fairness, .lipschitz = 1 / pace(s)});
  if (name == "scaffold") return choose(scaffold{.rate = s.server_lr});
  if (name == "median") return choose(coordinate_median{});
  if (name == "trimmed-mean") return choose(trimmed_mean{.fraction = s.trim});
  if (name == "geometric-median") return choose(geometric_median{});
  if (name == "krum") return choose(krum{.attackers = s.attackers});
  if (name == "multi-krum") return choose(krum{.attackers = s.attackers, .keep = s.keep});
  if (name == "bulyan") return choose(bulyan{.attackers = s.attackers});
  if (name == "norm-bound") return choose(norm_bound{.bound = s.norm_bound});
  return choose(fedavg{}); // class-aware too: there clients weigh themselves otherwise
}

void settle_quorum(const std::optional<std::size_t>& said, settings& s) {
  const std::size_t least = rule_of(s).least();
  require(least <= s.offices, fault::argument, "--strategy ", strategy_text(s), " needs at least ", least,
          " offices, --offices is ", s.offices);
  if (s.strategy == "trimmed-mean" || s.strategy == "norm-bound")
    (void)rule_of(s).init(0); // checks the number
  if (!said && s.drop_outs == 0) return;
  s.quorum = said.value_or(least);
  require(s.quorum <= s.offices, fault::argument, "--quorum ", s.quorum, " of ", s.offices,
          " offices, expected at most as many as there are");
  require(s.quorum >= least, fault::argument, "--quorum ", s.quorum, " with --strategy ", strategy_text(s),
          ", which needs at least ", least, " updates");
}

std::string strategy_text(const settings& s) {
  std::string text = s.strategy;
  const auto& takes = std::ranges::find(strategies(), s.strategy, &strategy_words::name)->takes;
  for (const auto& option : takes) {
    const auto name = option.substr(2);
    const std::string value = name == "server-lr"         ? fmt::format("{}", s.server_lr)
                              : name == "server-momentum" ? fmt::format("{}", s.server_momentum)
                              : name == "attackers"       ? fmt::format("{}", s.attackers)
                              : name == "keep"            ? fmt::format("{}", s.keep)
                              : name == "trim-fraction"   ? fmt::format("{}", s.trim)
                              : name == "norm-bound"      ? fmt::format("{}", s.norm_bound)
                                                          : fmt::format("{}", s.fairness);
    text += (&option == takes.data() ? " (" : ", ") + name + ' ' + value;
  }
  return takes.empty() ? text : text + ')';
}

} // namespace apps
