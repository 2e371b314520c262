// expect: P009 memory-before-noise
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

/// Keeps the coordinates that are large: which they are is read off the data.
struct keep_large {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  static constexpr bool selects = true;
  double least = 1e-3;
  template <class T>
  void update(std::span<T> g, std::size_t, state_slice<T>, const update_context<T>&) const {
    for (auto& x : g)
      if (x < static_cast<T>(least) && -x < static_cast<T>(least)) x = T{};
  }
};

#if MISUSE
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, keep_large{}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, keep_large{});
#endif
