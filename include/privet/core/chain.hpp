#pragma once
// Between a gradient and its release stands a chain of stages. This header knows the four
// roles, the order they may stand in, and how a label changes on the way.

#include <privet/core/aligned.hpp>
#include <privet/core/indexed_list.hpp>
#include <privet/core/labels.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace privet {

/// What a stage does; a stage says so by `static constexpr stage_role role`.
enum class stage_role {
  bound,     ///< maps a unit's squared norm to a coefficient
  reduction, ///< turns many units into one vector
  pointwise, ///< maps any sub-range of the vector, with its slice of state
  encoding   ///< turns the vector into a message; comes last
};

template <class S>
concept Stage = requires {
  { S::role } -> std::convertible_to<stage_role>;
};
template <class S>
concept Bound = Stage<S> && S::role == stage_role::bound;
template <class S>
concept Reduction = Stage<S> && S::role == stage_role::reduction;
/// Law: a run slice by slice equals a run over the whole, and `slots` scalars of state per
/// parameter are all it remembers.
template <class S>
concept Pointwise = Stage<S> && S::role == stage_role::pointwise && requires {
  { S::slots } -> std::convertible_to<std::size_t>;
};
template <class S>
concept Encoding = Stage<S> && S::role == stage_role::encoding;
/// A bound on each layer's norm by itself: `coefficient(squared_norm, layers)`.
template <class S>
concept BoundByLayer = Bound<S> && requires { requires S::by_layer; };
/// A bound that moves with a count of the norms below it: `coefficient(squared_norm, bound)`, where the bound
/// is part of the chain's state, `count_deviation(expected_batch)`, `next(bound, count, expected_batch)`.
template <class S>
concept AdaptiveBound = Bound<S> && requires { requires S::adapts; };
/// A pointwise stage after which a value may leave: it adds the noise that hides one unit.
template <class S>
concept Mechanism = Pointwise<S> && requires { requires S::adds_noise; };
/// A stage that sets coordinates to zero, or leaves them out, by what the data says.
template <class S>
concept Selecting = Stage<S> && requires { requires S::selects; };

/// A stage that reads `update_context::anchor`.
template <class S>
concept Anchored = Stage<S> && requires { requires S::anchored; };

namespace detail {
struct has_update {
  void update();
};
template <class S>
struct two_updates : S, has_update {}; // `update` is ambiguous here if S has one, whatever its form
} // namespace detail

/// A pointwise stage that multiplies the step by `double factor(std::uint64_t step) const` and has
/// no `update`; the chain does it. A stage that has both, such as a noise whose size follows a
/// schedule, keeps its `update`: an `update` of the wrong form is an error, never passed over.
template <class S>
concept Schedule = Pointwise<S> && !std::is_final_v<S> && requires(const S& stage, std::uint64_t step) {
  { stage.factor(step) } -> std::convertible_to<double>;
  &detail::two_updates<S>::update;
};

/// What a pointwise stage may know besides its slice.
template <class T>
struct update_context {
  std::uint64_t step = 0;          ///< 0 for the first update
  std::span<const T> parameters{}; ///< the same sub-range, before the update
  double expected_batch = 1;
  /// How far one unit more or less moves the whole vector, in l2: the bound after the reduction.
  /// 0 where nothing bounds it.
  double sensitivity = 0;
  /// What noise is multiplied by so that it pays for a count that is released beside it.
  double noise_factor = 1;
  std::span<const T> anchor{}; ///< the same sub-range of the weights that an `Anchored` stage pulls to
};

/// The `slots` state vectors of one stage, cut to one sub-range.
template <class T>
class state_slice {
 public:
  state_slice(T* first, std::size_t stride, std::size_t size) noexcept
      : first_(first), stride_(stride), size_(size) {}
  std::span<T> slot(std::size_t k) const noexcept { return {first_ + k * stride_, size_}; }

 private:
  T* first_;
  std::size_t stride_, size_;
};

/// The state of a chain: one vector per slot of every pointwise stage, in stage order. It can
/// be saved, and one chain can serve a thousand clients.
template <class T>
struct chain_state {
  std::size_t parameters = 0;
  std::uint64_t step = 0;
  aligned_vector<T> slots;
  double bound = 0; ///< of one unit, now: a bound may adapt
};

/// What a mechanism must know of the vector that it will be given to state what it spends.
struct bounded_sum {
  std::size_t parameters = 0;
  double rounding = 0;    ///< by how much, as a share of the bound, rounded arithmetic may pass it
  double count_noise = 0; ///< deviation of the noise on the count of an adaptive bound; 0 where none is
};

namespace detail {

/// Roles never go back, and only bounds and pointwise stages may stand twice.
template <class... S>
consteval bool in_order() {
  if constexpr ((Stage<S> && ...)) {
    bool good = true;
    auto last = stage_role::bound;
    ((good = good && (S::role > last || (S::role == last && (Bound<S> || Pointwise<S>))), last = S::role),
     ...);
    return good;
  } else {
    return true; // somebody else reports that
  }
}

/// The label after a stage. A pointwise stage or a reduction that says nothing may do anything: a bound does
/// not survive it.
template <class S, class L>
struct label_after {
  using type = L;
};
template <class S, class L>
  requires(Pointwise<S> || Reduction<S>) && (!requires { typename S::template after<L>; })
struct label_after<S, L> {
  using type = rescaled<L>;
};
template <class S, class L>
  requires requires { typename S::template after<L>; }
struct label_after<S, L> {
  using type = typename S::template after<L>;
};
template <class S, class L>
consteval bool stage_fits() {
  if constexpr (requires { S::template fits<L>; })
    return S::template fits<L>;
  else
    return true;
}

template <class L, class... S>
struct label_fold {
  using type = L;
  static constexpr bool fits = true;
};
template <class L, class S, class... Rest>
struct label_fold<L, S, Rest...> {
  using next = label_fold<typename label_after<S, L>::type, Rest...>;
  using type = typename next::type;
  static constexpr bool fits = stage_fits<S, L>() && next::fits;
};

template <class S>
inline constexpr std::size_t slots_of = 0;
template <class S>
  requires(Pointwise<S> || (Encoding<S> && requires { S::slots; }))
inline constexpr std::size_t slots_of<S> = S::slots;

template <class S>
inline constexpr bool weighs_examples = requires { requires S::weighs_examples; };

/// Whether no stage before a mechanism selects, or remembers what has no noise yet.
template <class... S>
consteval bool forgets_before_noise() {
  std::size_t noises = (std::size_t{0} + ... + (Mechanism<S> ? 1 : 0));
  bool good = true;
  ((noises -= Mechanism<S> ? 1 : 0, good = good && (noises == 0 || !(Selecting<S> || slots_of<S> > 0))), ...);
  return good;
}

/// What the stage multiplies by in this step if that is all it does.
template <class S>
std::optional<double> scaling_of(const S& stage, std::uint64_t step) {
  if constexpr (Schedule<S>)
    return stage.factor(step);
  else if constexpr (requires { stage.scaling(step); })
    return stage.scaling(step);
  else
    return std::nullopt;
}

/// Does the work of no stage.
struct leave_to_chain {
  template <class S>
  bool operator()(const S&, double) const {
    return false;
  }
};

template <class Arch, class T>
void scale_step(std::span<T> g, double factor) {
  const T f = static_cast<T>(factor);
  if (f != T{1})
    for (auto& x : g) x *= f;
}

} // namespace detail

/// Stages in order. Made by `chain(...)`, which checks the order.
template <class... S>
class chain_of {
 public:
  static constexpr std::size_t reductions = (std::size_t{0} + ... + (Reduction<S> ? 1 : 0));
  static constexpr std::size_t bounds = (std::size_t{0} + ... + (Bound<S> ? 1 : 0));
  static constexpr std::size_t encodings = (std::size_t{0} + ... + (Encoding<S> ? 1 : 0));
  static constexpr bool bounds_by_layer = (BoundByLayer<S> || ...);
  static constexpr bool bound_adapts = (AdaptiveBound<S> || ...);
  /// Whether the reduction weighs a unit by its number of examples.
  static constexpr bool weighs_examples = (detail::weighs_examples<S> || ...);
  static constexpr std::size_t mechanisms = (std::size_t{0} + ... + (Mechanism<S> ? 1 : 0));
  /// Whether whoever runs the chain must state an anchor.
  static constexpr bool anchored = (Anchored<S> || ...);
  /// Scalars of state per parameter.
  static constexpr std::size_t slots = (std::size_t{0} + ... + detail::slots_of<S>);

  /// The label of a value that entered as `L`.
  template <Label L>
  using label = typename detail::label_fold<L, S...>::type;

  constexpr explicit chain_of(S... stages) : stages_(std::move(stages)...) {}

  constexpr const indexed_list<S...>& stages() const noexcept { return stages_; }

  /// The first stage that bounds.
  constexpr const auto& bound() const noexcept
    requires(bounds > 0)
  {
    constexpr bool does[] = {Bound<S>...};
    return stages_.template get<static_cast<std::size_t>(std::ranges::find(does, true) - does)>();
  }
  /// The first stage that adds noise.
  constexpr const auto& mechanism() const noexcept
    requires(mechanisms > 0)
  {
    constexpr bool does[] = {Mechanism<S>...};
    return stages_.template get<static_cast<std::size_t>(std::ranges::find(does, true) - does)>();
  }
  /// The last stage, which makes a message.
  constexpr const auto& encoding() const noexcept
    requires(encodings > 0)
  {
    return stages_.template get<sizeof...(S) - 1>();
  }

  /// The state for so many parameters. Throws N001 for a stage whose numbers make no sense.
  template <class T>
  chain_state<T> init(std::size_t parameters) const {
    stages_.for_each([](const auto& stage) {
      if constexpr (requires { stage.check(); }) stage.check();
    });
    return {parameters, 0, aligned_vector<T>(slots * parameters), first_bound()};
  }

  /// The l2 norm that a bound leaves to one unit before any adapting; 0 without a bound that says so.
  double first_bound() const {
    double bound = 0;
    stages_.for_each([&](const auto& stage) {
      if constexpr (requires { stage.sensitivity(); }) bound = stage.sensitivity();
    });
    return bound;
  }

  /// The number that all pointwise stages together multiply the gradient by in this step; nothing
  /// if one of them does more. A kernel then descends without writing the gradient down.
  std::optional<double> scaling(std::uint64_t step) const {
    const auto last = last_to_do_more(step);
    if (last.stage < sizeof...(S)) return std::nullopt;
    return last.behind;
  }

  /// Runs the pointwise stages, in order, over parameters [offset, offset + slice.size()).
  /// `slice` enters as the reduced gradient and leaves as the descent direction. `Arch` is handed
  /// to the stages that have kernels; the others do not see it.
  template <class Arch = void, class T>
  void update(std::span<T> slice, std::size_t offset, chain_state<T>& state,
              const update_context<T>& context) const {
    detail::scale_step<Arch>(slice, update_up_to_scale<Arch>(slice, offset, state, context, 1.0));
  }

  /// The same, but what enters is `slice` times `factor`, and what leaves is `slice` times the number that
  /// is returned: stages that only multiply cost no pass. `finish(stage, behind)` may do the work of the last
  /// stage that does more, and returns whether it did; those behind it multiply by `behind`.
  template <class Arch = void, class T, class Finish = detail::leave_to_chain>
  double update_up_to_scale(std::span<T> slice, std::size_t offset, chain_state<T>& state,
                            const update_context<T>& context, double factor,
                            const Finish& finish = {}) const {
    const auto last = last_to_do_more(context.step);
    std::size_t slot = 0, i = 0;
    stages_.for_each([&]<class Stage>(const Stage& stage) {
      if constexpr (Schedule<Stage>) {
        factor *= stage.factor(context.step);
      } else if constexpr (Pointwise<Stage>) {
        if (const std::optional<double> own_factor = detail::scaling_of(stage, context.step)) {
          factor *= *own_factor;
        } else {
          detail::scale_step<Arch>(slice, factor);
          factor = 1;
          T* const first = Stage::slots ? state.slots.data() + slot * state.parameters + offset : nullptr;
          const state_slice<T> own(first, state.parameters, slice.size());
          if (const bool finished = i == last.stage && finish(stage, last.behind); !finished) {
            if constexpr (std::is_void_v<Arch>)
              stage.update(slice, offset, own, context);
            else if constexpr (requires { stage.template update<Arch>(slice, offset, own, context); })
              stage.template update<Arch>(slice, offset, own, context);
            else
              stage.update(slice, offset, own, context);
          }
        }
      }
      slot += detail::slots_of<Stage>;
      ++i;
    });
    return factor;
  }

 private:
  /// The last stage that does more than multiply in this step, or sizeof...(S), and what those behind it
  /// multiply by.
  struct last_worker {
    std::size_t stage = sizeof...(S);
    double behind = 1;
  };
  last_worker last_to_do_more(std::uint64_t step) const {
    last_worker found;
    std::size_t i = 0;
    stages_.for_each([&]<class Stage>(const Stage& stage) {
      if constexpr (Pointwise<Stage>) {
        if (const std::optional<double> own = detail::scaling_of(stage, step))
          found.behind *= *own;
        else
          found = {i, 1.0};
      }
      ++i;
    });
    return found;
  }

  indexed_list<S...> stages_;
};

/// Composes stages: `chain(clip_l2{..}, average_over_batch{}, gaussian{..}, adam{..})`.
///
/// Order     bounds, then at most one reduction, then pointwise stages, then at most one
///           encoding; every stage must fit the label it meets (P002).
template <class... S>
constexpr auto chain(S... stages) {
  static_assert((Stage<S> && ...),
                "[P002 chain-order] an argument of chain() is not a stage: it has no role. "
                "Pass bounds, a reduction, pointwise stages or an encoding. docs/errors/P002.md");
  constexpr bool ordered = detail::in_order<S...>();
  constexpr bool forgets = detail::forgets_before_noise<S...>();
  static_assert(
      forgets,
      "[P009 memory-before-noise] a stage before the noise selects coordinates by the data or keeps a memory "
      "of values without noise: what it shows later was never paid for. Put momentum, Adam, top-k and error "
      "feedback after the noise. docs/errors/P009.md");
  static_assert(
      ordered || !forgets,
      "[P002 chain-order] stages stand in an order that has no meaning: bounds come first, then one "
      "reduction, then pointwise stages, an encoding last. docs/errors/P002.md");
  static_assert(
      !ordered || !forgets || detail::label_fold<raw<unit::example>, S...>::fits,
      "[P002 chain-order] a stage meets a value that it cannot take: noise needs a bound of its own norm "
      "before it, with nothing between them that undoes the bound. docs/errors/P002.md");
  return chain_of<S...>(std::move(stages)...);
}

/// Divides the sum over a batch by the *expected* batch size; the library divides, never the
/// user, and a private run never divides by the realised size.
struct average_over_batch {
  static constexpr stage_role role = stage_role::reduction;
  template <Label L>
  using after = L;

  constexpr double scale(double expected_batch) const noexcept { return 1.0 / expected_batch; }
};

/// Leaves the sum over a batch as it is, for whoever adds up the sums of several parties and divides those by
/// the expected batch of all.
struct sum_over_batch {
  static constexpr stage_role role = stage_role::reduction;
  static constexpr bool adds_up = true;
  template <Label L>
  using after = L;

  constexpr double scale(double) const noexcept { return 1; }
};

} // namespace privet
