#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>

namespace privet {

/// Sends the sign of every number, and the mean magnitude of each block.
///
/// Formula   sign(x) mean |x|, and sign(0) = 1; it is biased, so it wants a memory: `error_feedback{}.around(sign{})`
/// Bytes     n / 8, and 4 for each block
/// Privacy   behind noise it is post-processing
/// Source    Karimireddy, Rebjock, Stich, Jaggi, ICML 2019, arXiv:1901.09847 (EF-SignSGD)
/// Test      tests/federated/thin_links.test.cpp
struct sign {
  static constexpr stage_role role = stage_role::encoding;

  std::uint16_t block = 1024; ///< numbers that share a scale; 0: all

  static constexpr bool contracts() noexcept { return true; }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context&) const {
    if (auto good = detail::check_upload(x); !good) return good.error();
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size()), .bits = 1, .block = block};
    auto done = detail::for_each_block(x, out, [&](std::size_t first, std::span<const float> part) {
      double sum = 0;
      for (std::size_t i = 0; i < part.size(); ++i) {
        sum += std::abs(static_cast<double>(part[i]));
        out.levels[first + i] = part[i] < 0 ? -1 : 1;
      }
      return static_cast<float>(sum / static_cast<double>(part.size()));
    });
    if (!done) return done.error();
    return out;
  }
};

} // namespace privet
