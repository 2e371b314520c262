#pragma once
// What may be done with a value, as a type. Labels move one way:
// raw -> bounded -> noise_share -> released, or sealed around any of them.

#include <concepts>
#include <type_traits>
#include <utility>

namespace privet {

/// Whose presence a guarantee hides.
namespace unit {
struct example {};
struct user {};
struct site {};
} // namespace unit

/// How the size of one unit's contribution is measured.
namespace norm {
struct l1 {};
struct l2 {};
struct linf {};
} // namespace norm

/// How privacy loss is measured.
namespace measure {
struct pure {};
struct zcdp {};
struct approximate {};
} // namespace measure

template <class U>
concept Unit = std::same_as<U, unit::example> || std::same_as<U, unit::user> || std::same_as<U, unit::site>;

/// Computed from rows; nothing is known about one unit's influence.
template <Unit U>
struct raw {
  using unit = U;
};
/// One unit moves it by at most the sensitivity kept beside it, in this norm.
template <class Norm, Unit U>
struct bounded {
  using unit = U;
  using norm = Norm;
};
/// Carries part of the noise; private only inside the sum of all shares.
template <class Measure, Unit U>
struct noise_share {
  using unit = U;
  using measure = Measure;
};
/// Carries its guarantee; may leave.
template <class Measure, Unit U>
struct released {
  using unit = U;
  using measure = Measure;
};
/// Unreadable without a key; opening it gives back `Inner`.
template <class Scheme, class Inner>
struct sealed {
  using unit = typename Inner::unit;
  using scheme = Scheme;
  using inner = Inner;
};

namespace detail {
template <class L>
inline constexpr bool is_raw = false;
template <class U>
inline constexpr bool is_raw<raw<U>> = true;
template <class L>
inline constexpr bool is_bounded = false;
template <class N, class U>
inline constexpr bool is_bounded<bounded<N, U>> = true;
template <class L>
inline constexpr bool is_noise_share = false;
template <class M, class U>
inline constexpr bool is_noise_share<noise_share<M, U>> = true;
template <class L>
inline constexpr bool is_released = false;
template <class M, class U>
inline constexpr bool is_released<released<M, U>> = true;
template <class L>
inline constexpr bool is_sealed = false;
template <class S, class I>
inline constexpr bool is_sealed<sealed<S, I>> = true;
} // namespace detail

template <class L>
concept Raw = detail::is_raw<L>;
template <class L>
concept Bounded = detail::is_bounded<L>;
template <class L>
concept NoiseShare = detail::is_noise_share<L>;
template <class L>
concept Released = detail::is_released<L>;
template <class L>
concept Sealed = detail::is_sealed<L>;
template <class L>
concept Label = Raw<L> || Bounded<L> || NoiseShare<L> || Released<L> || Sealed<L>;

/// What is left of a label when a stage rescales the vector by numbers that rows decided, or keeps
/// a memory of vectors before it: a bound is undone, a release stays one.
template <Label L>
using rescaled = std::conditional_t<Released<L>, L, raw<typename L::unit>>;

/// A value held in memory: a number, or something with contiguous elements. A lazy expression
/// is neither: every read would evaluate it, and so draw its noise, again.
template <class V>
concept Evaluated = std::is_arithmetic_v<V> || requires(const V& v) {
  { *v.data() } -> std::convertible_to<std::remove_cvref_t<decltype(*v.data())>>;
  v.size();
};

/// A value and its label. `label_as` alone makes one.
template <Label L, class V>
class labelled {
 public:
  using label = L;

  const V& value() const& noexcept { return value_; }
  V&& value() && noexcept { return std::move(value_); }

 private:
  template <Label M, class W>
  friend labelled<M, W> label_as(W value);

  explicit labelled(V value) : value_(std::move(value)) {
    static_assert(
        !Released<L> || Evaluated<V>,
        "[P008 lazy-release] a lazy random expression kept as a released value: every read draws the noise "
        "again, and the mean of the reads removes it. Evaluate it into a container first. "
        "docs/errors/P008.md");
  }

  V value_;
};

/// Puts a label on a value. The label is believed, so every call is a claim to be audited.
template <Label L, class V>
labelled<L, V> label_as(V value) {
  return labelled<L, V>(std::move(value));
}

} // namespace privet
