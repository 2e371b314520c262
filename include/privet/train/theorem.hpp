#pragma once
// Which event a step makes of its sampler and its mechanism, as types: a sampler without a theorem is a
// compile error (P006).

#include <privet/core/chain.hpp>

#include <type_traits>
#include <utility>

namespace privet::detail {

/// What the mechanism of a chain does to the data of one step, by the sampler: the event, or void where
/// there is no theorem.
template <class Stage, class Sampler>
struct event_kind {
  using type = void;
};
template <class Stage, class Sampler>
  requires requires(const Sampler& s) { Stage::kind(s); }
struct event_kind<Stage, Sampler> {
  using type = decltype(Stage::kind(std::declval<const Sampler&>()));
};

/// An accountant of which only the sampler is asked.
struct any_accountant {
  template <class Mechanism>
  static constexpr bool knows = true;
};

/// Whether there is a theorem for every mechanism of the chain under this sampler, known to the accountant.
template <class Accountant, class Sampler, class... S>
consteval bool has_theorem(const chain_of<S...>*) {
  const auto one = []<class Stage>(const Stage*) {
    if constexpr (!Mechanism<Stage>) {
      return true;
    } else {
      using kind = typename event_kind<Stage, Sampler>::type;
      if constexpr (std::is_void_v<kind>)
        return false;
      else
        return Accountant::template knows<kind>;
    }
  };
  return (one(static_cast<const S*>(nullptr)) && ...);
}

} // namespace privet::detail
