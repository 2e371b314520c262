#pragma once
// Between a gradient and its release stands a chain of stages. This header knows the four
// roles, the order they may stand in, and how a label changes on the way.

#include <privet/core/aligned.hpp>
#include <privet/core/indexed_list.hpp>
#include <privet/core/labels.hpp>

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

/// The label after a stage; a stage that says nothing leaves it alone.
template <class S, class L>
struct label_after {
  using type = L;
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
template <Pointwise S>
inline constexpr std::size_t slots_of<S> = S::slots;

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
  /// Scalars of state per parameter.
  static constexpr std::size_t slots = (std::size_t{0} + ... + detail::slots_of<S>);

  /// The label of a value that entered as `L`.
  template <Label L>
  using label = typename detail::label_fold<L, S...>::type;

  constexpr explicit chain_of(S... stages) : stages_(std::move(stages)...) {}

  constexpr const indexed_list<S...>& stages() const noexcept { return stages_; }

  /// The state for so many parameters. Throws N001 for a stage whose numbers make no sense.
  template <class T>
  chain_state<T> init(std::size_t parameters) const {
    stages_.for_each([](const auto& stage) {
      if constexpr (requires { stage.check(); }) stage.check();
    });
    return {parameters, 0, aligned_vector<T>(slots * parameters)};
  }

  /// The number that all pointwise stages together multiply the gradient by in this step; nothing
  /// if one of them does more. A kernel then descends without writing the gradient down.
  std::optional<double> scaling(std::uint64_t step) const {
    double product = 1;
    bool simple = true;
    stages_.for_each([&]<class Stage>(const Stage& stage) {
      if constexpr (Schedule<Stage>) {
        product *= stage.factor(step);
      } else if constexpr (requires { stage.scaling(step); }) {
        const std::optional<double> own = stage.scaling(step);
        simple = simple && own.has_value();
        product *= own.value_or(1);
      } else if constexpr (Pointwise<Stage>) {
        simple = false;
      }
    });
    if (!simple) return std::nullopt;
    return product;
  }

  /// Runs the pointwise stages, in order, over parameters [offset, offset + slice.size()).
  /// `slice` enters as the reduced gradient and leaves as the descent direction. `Arch` is handed
  /// to the stages that have kernels; the others do not see it.
  template <class Arch = void, class T>
  void update(std::span<T> slice, std::size_t offset, chain_state<T>& state,
              const update_context<T>& context) const {
    std::size_t slot = 0;
    stages_.for_each([&]<class Stage>(const Stage& stage) {
      if constexpr (Schedule<Stage>) {
        detail::scale_step<Arch>(slice, stage.factor(context.step));
        slot += Stage::slots;
      } else if constexpr (Pointwise<Stage>) {
        T* const first = Stage::slots ? state.slots.data() + slot * state.parameters + offset : nullptr;
        const state_slice<T> own(first, state.parameters, slice.size());
        if constexpr (std::is_void_v<Arch>)
          stage.update(slice, offset, own, context);
        else if constexpr (requires { stage.template update<Arch>(slice, offset, own, context); })
          stage.template update<Arch>(slice, offset, own, context);
        else
          stage.update(slice, offset, own, context);
        slot += Stage::slots;
      }
    });
  }

 private:
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
  static_assert(
      ordered,
      "[P002 chain-order] stages stand in an order that has no meaning: bounds come first, then one "
      "reduction, then pointwise stages, an encoding last. docs/errors/P002.md");
  static_assert(
      !ordered || detail::label_fold<raw<unit::example>, S...>::fits,
      "[P002 chain-order] a stage meets a value that it cannot take: noise needs a bound of its own norm "
      "before it, with nothing between them that undoes the bound. docs/errors/P002.md");
  return chain_of<S...>(std::move(stages)...);
}

/// Divides the sum over a batch by the *expected* batch size; the library divides, never the
/// user, and a private run never divides by the realised size.
struct average_over_batch {
  static constexpr stage_role role = stage_role::reduction;

  constexpr double scale(double expected_batch) const noexcept { return 1.0 / expected_batch; }
};

} // namespace privet
