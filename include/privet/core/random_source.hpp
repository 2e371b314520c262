#pragma once
// The seam between whoever draws random words and whoever uses them.

#include <concepts>
#include <cstdint>
#include <span>

namespace privet {

/// A stream of independent uniform 32-bit words. How calls split the stream does not matter:
/// filling 4 and then 6 words gives the same as filling 10.
template <class S>
concept RandomSource = requires(S source, std::span<std::uint32_t> words) {
  { source.fill(words) } -> std::same_as<void>;
};

/// A source fit for noise, keys and masks: cryptographic, seeded by the operating system, and
/// impossible to replay or save. A type joins by `static constexpr bool is_secret = true`.
template <class S>
concept SecretRandomSource = RandomSource<S> && requires { requires S::is_secret; } && !std::copyable<S>;

} // namespace privet
