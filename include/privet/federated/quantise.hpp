#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>

namespace privet {

/// Sends every number as one of a few levels between plus and minus the largest of its block, rounded at random so
/// that the expectation stays.
///
/// Formula   8 and 4 bits: q s / m with m = 127 and 7, s the largest magnitude of the block, q = x m / s rounded
///           up or down with the probability of its fraction; 1 bit: s with probability (1 + x / s) / 2, else -s
/// Bytes     n bits / 8, and 4 for each block
/// Privacy   behind noise it is post-processing. By itself it claims nothing: its coins are public
/// Source    Alistarh, Grubic, Li, Tomioka, Vojnovic, NeurIPS 2017, arXiv:1610.02132 (QSGD); 1 bit: Suresh, Yu, Kumar,
///           McMahan, ICML 2017, arXiv:1611.00429
/// Test      tests/federated/thin_links.test.cpp
struct quantise {
  static constexpr stage_role role = stage_role::encoding;

  unsigned bits = 8;          ///< of a number: 8, 4 or 1
  std::uint16_t block = 1024; ///< numbers that share a scale; 0: all

  void check() const {
    require(bits == 8 || bits == 4 || bits == 1, fault::argument, "quantise: ", bits,
            " bits, expected 8, 4 or 1");
  }
  /// Of one bit the error is larger than the number: `sign` is the one for a memory.
  bool contracts() const noexcept { return bits != 1; }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    if (auto good = detail::check_upload(x); !good) return good.error();
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size())};
    if (auto done = detail::put_rounded<Arch>(x, bits, block, who, out); !done) return done.error();
    return out;
  }
};

} // namespace privet
