#pragma once
// One step of the global weights from one update of each person: clipped, added as integers, with noise.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/core/fixed_point.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

/// A reduction by which a person with more examples counts for more: McMahan et al., AISTATS 2017, where
/// nothing is private. One person may then weigh any share of the whole (P011); `capped` bounds that.
struct average_by_examples {
  static constexpr stage_role role = stage_role::reduction;
  static constexpr bool weighs_examples = true;
  template <Label L>
  using after = L;

  /// Weights min(examples, most) / most, divided by the expected number of persons times `mean`, the mean
  /// weight: both constants that nobody read off the data.
  struct capped_average {
    static constexpr stage_role role = stage_role::reduction;
    template <Label L>
    using after = L;

    std::size_t most = 1;
    double mean = 1;

    void check() const {
      require(most > 0 && mean > 0 && mean <= 1, fault::argument, "average_by_examples: capped at ", most,
              " examples with a mean weight of ", mean, ", expected 1 or more and 0 < mean <= 1");
    }
    double scale(double expected) const noexcept { return 1 / (expected * mean); }
    double weight(std::size_t examples) const noexcept {
      return static_cast<double>(std::min(examples, most)) / static_cast<double>(most);
    }
  };
  static constexpr capped_average capped(std::size_t most, double mean) noexcept { return {most, mean}; }

  double scale(double expected) const noexcept { return 1 / expected; }
  double weight(std::size_t examples) const noexcept { return static_cast<double>(examples); }
};

/// Applies a chain to the average of updates, one of each person: `chain(clip_l2{..}, average_over_batch{},
/// gaussian{..}, sgd{.learning_rate = 1})` is DP-FedAvg; without bound and noise it is FedAvg.
///
/// Formula   w -= stages(noise + 1 / E sum_i c_i v_i (w - w_i)), c_i the coefficient of the bound, v_i the
///           weight by the reduction, at most 1 (none: 1), E the *expected* number of persons; for
///           average_by_examples the sum of weights, as nothing is private there
/// Sum       of integers: the same bits in any order and on any number of threads
/// Bounds    an update whose norm is not finite counts as zero
/// Privacy   of one person, add-remove: one person more or less moves the sum by the bound, of which rounding
///           is stated by `sum_of`
/// Source    McMahan, Ramage, Talwar, Zhang, ICLR 2018, arXiv:1710.06963
/// Test      tests/train/update_average.test.cpp
template <class Steps, class T = float, class Arch = simd::default_arch>
class update_average {
  using Chain = detail::chain_or_neutral<Steps>;
  static_assert(detail::ChainOfStages<Steps> && Chain::reductions == 1 && Chain::encodings == 0,
                "[P002 no-reduction] an average of updates runs a chain with one reduction and no encoding: "
                "write chain(average_over_batch{}, sgd{.learning_rate = 1}). docs/errors/P002.md");
  static_assert(Chain::bounds <= 1 && Chain::mechanisms <= 1 && !Chain::bounds_by_layer,
                "[P002 two-bounds] an average of updates bounds each update once, as a whole, and adds noise "
                "once. docs/errors/P002.md");
  static constexpr bool by_examples = Chain::weighs_examples;
  static_assert(
      !by_examples || Chain::mechanisms == 0,
      "[P011 example-weights] weights by numbers of examples under privacy of persons: one person may weigh "
      "any share of the sum, and the divisor tells the number. Take average_over_batch{}, or "
      "average_by_examples::capped(most, mean). docs/errors/P011.md");

 public:
  /// 64 bits hold 2^22 updates within a bound, of weights up to 1.
  using integer = std::conditional_t<(Chain::bounds > 0 && !by_examples), std::int64_t, int128>;

  /// What is added up so far. Parts of several threads are added by `apply`.
  struct part {
    std::vector<integer> sums;
    double within = 0; ///< for a bound that adapts
    double weight = 0;
    std::uint64_t updates = 0;

    void clear() {
      std::ranges::fill(sums, integer{});
      within = weight = 0, updates = 0;
    }
  };

  update_average(Steps steps, std::size_t parameters)
      : chain_(std::move(steps)), size_(parameters), piece_(std::min(parameters, piece_in_cache)) {}

  const Chain& chain() const noexcept { return chain_; }
  chain_state<T> init() const { return chain_.template init<T>(size_); }
  part make_part() const { return {std::vector<integer>(size_)}; }

  /// What the mechanism of the chain must know of the sum over at most so many persons.
  ///
  /// Proof     docs/privacy/users.md
  bounded_sum sum_of(std::size_t most_persons, double expected) const {
    require(most_persons < most_updates, fault::unsupported, "update average: ", most_persons,
            " persons in a round, the sum holds less than 2^22");
    const double u = std::numeric_limits<T>::epsilon() / 2, d = static_cast<double>(size_);
    return {size_,
            6 * u * static_cast<double>(most_persons) * 1.001 + std::sqrt(d) * 0x1p-40 + (d + 8) * 0x1p-52,
            count_deviation(expected)};
  }

  /// Adds the update of a person with so many examples: the weights that were sent less those that came
  /// back. Changes nothing but `into`, so threads may each have their own.
  void add(part& into, const chain_state<T>& state, std::span<const T> sent, std::span<const T> trained,
           std::size_t examples) const {
    require(sent.size() == size_ && trained.size() == size_ && into.sums.size() == size_, fault::shape,
            "update average of ", size_, " parameters: got ", sent.size(), " sent, ", trained.size(),
            " trained, a sum of ", into.sums.size());
    require(into.updates < most_updates && examples < most_updates, fault::unsupported,
            "update average: got update ", into.updates + 1, ", of ", examples,
            " examples, the sum holds less than 2^22 of either");
    double squares = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const double v = static_cast<double>(sent[i]) - static_cast<double>(trained[i]);
      squares += v * v;
    }
    const bool finite = std::isfinite(squares);
    const double weight = weight_of(examples), unit = unit_of(state);
    double c = 1;
    if constexpr (Chain::bound_adapts) {
      c = chain_.bound().coefficient(squares, state.bound);
      into.within += (finite && squares <= state.bound * state.bound ? 0.5 : -0.5);
    } else if constexpr (Chain::bounds > 0) {
      c = chain_.bound().coefficient(squares);
    }
    if constexpr (Chain::bounds == 0)
      require(finite && weight * std::sqrt(squares) < 0x1p62 * unit, fault::range,
              "update average: an update of norm ", std::sqrt(squares), " and weight ", weight,
              " is too large, or no number");
    const double factor = finite ? c * weight / unit : 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const double v = finite ? static_cast<double>(sent[i]) - static_cast<double>(trained[i]) : 0;
      into.sums[i] += std::llrint(v * factor);
    }
    into.weight += weight;
    ++into.updates;
  }

  /// Noise and the other stages, once for all parts; no part counts twice. The state goes on by one step.
  void apply(chain_state<T>& state, std::span<part> parts, double expected, std::span<T> weights) {
    require(!parts.empty() && weights.size() == size_ && state.parameters == size_ &&
                state.slots.size() == Chain::slots * size_,
            fault::shape, "update average of ", size_, " parameters: got ", parts.size(), " parts, ",
            weights.size(), " weights and a state for ", state.parameters);
    part& all = parts[0];
    for (const part& other : parts.subspan(1)) {
      for (std::size_t i = 0; i < size_; ++i) all.sums[i] += other.sums[i];
      all.within += other.within, all.weight += other.weight, all.updates += other.updates;
    }
    double scale = 1;
    chain_.stages().for_each([&]<class S>(const S& stage) {
      if constexpr (Reduction<S>) scale = stage.scale(by_examples ? std::max(all.weight, 1.0) : expected);
    });
    update_context<T> context{.step = state.step, .expected_batch = expected, .sensitivity = 0};
    if constexpr (Chain::bounds > 0) context.sensitivity = scale * bound_of(state);
    if constexpr (Chain::bound_adapts && Chain::mechanisms > 0)
      context.noise_factor = chain_.mechanism().factor_beside(count_deviation(expected));
    const double factor = scale * unit_of(state);
    for (std::size_t offset = 0; offset < size_; offset += piece_.size()) {
      const auto piece = std::span(piece_).first(std::min(piece_.size(), size_ - offset));
      for (std::size_t i = 0; i < piece.size(); ++i)
        piece[i] = static_cast<T>(static_cast<double>(all.sums[offset + i]) * factor);
      const auto own = weights.subspan(offset, piece.size());
      context.parameters = own;
      detail::descend<Arch>(chain_, piece, offset, state, context, 1.0, own);
    }
    if constexpr (Chain::bound_adapts) {
      double count = all.within;
      if constexpr (Chain::mechanisms > 0)
        count = chain_.mechanism().release(count, count_deviation(expected));
      state.bound = chain_.bound().next(state.bound, count, expected);
    }
    ++state.step;
    for (part& p : parts) p.clear();
  }

 private:
  static constexpr std::size_t piece_in_cache = 2048, most_updates = std::size_t{1} << 22;

  double count_deviation([[maybe_unused]] double expected) const {
    if constexpr (Chain::bound_adapts) return chain_.bound().count_deviation(expected);
    return 0;
  }
  double bound_of(const chain_state<T>& state) const {
    return Chain::bound_adapts ? state.bound : chain_.first_bound();
  }
  /// What the integer 1 means.
  double unit_of(const chain_state<T>& state) const {
    return Chain::bounds > 0 ? bound_of(state) * 0x1p-40 : 0x1p-30;
  }
  double weight_of([[maybe_unused]] std::size_t examples) const {
    double weight = 1;
    chain_.stages().for_each([&](const auto& stage) {
      if constexpr (requires { stage.weight(examples); }) weight = stage.weight(examples);
    });
    return weight;
  }

  Chain chain_;
  std::size_t size_;
  aligned_vector<T> piece_;
};

template <class Steps>
update_average(Steps, std::size_t) -> update_average<Steps>;

} // namespace privet
