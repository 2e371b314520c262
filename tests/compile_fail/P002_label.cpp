// expect: P002 chain-order
#include <privet/core/chain.hpp>

// Noise whose size follows from an l2 bound, behind a bound of another norm. The two stages are the
// least that says so; a real mechanism states its demand in the same words.
struct l2_bound {
  static constexpr auto role = privet::stage_role::bound;
  template <class L>
  using after = privet::bounded<privet::norm::l2, typename L::unit>;
};
struct l1_bound {
  static constexpr auto role = privet::stage_role::bound;
  template <class L>
  using after = privet::bounded<privet::norm::l1, typename L::unit>;
};
struct l2_noise {
  static constexpr auto role = privet::stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <class L>
  static constexpr bool fits = requires { requires std::same_as<typename L::norm, privet::norm::l2>; };
};

#if MISUSE
auto steps = privet::chain(l1_bound{}, privet::average_over_batch{}, l2_noise{});
#else
auto steps = privet::chain(l2_bound{}, privet::average_over_batch{}, l2_noise{});
#endif
