// expect: P002 chain-order
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

/// Says nothing of what it does to a bound, so the bound ends here: every tenth step it would be passed.
struct tenth_step {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  double factor(std::uint64_t step) const { return step % 10 == 9 ? 10 : 1; }
};

#if MISUSE
const auto steps = chain(clip_l2{}, average_over_batch{}, tenth_step{}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps = chain(clip_l2{}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, tenth_step{});
#endif
