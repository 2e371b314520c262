#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>
#include <privet/simd/top_k.hpp>

namespace privet {

/// Sends the numbers that are largest by magnitude and their places.
///
/// Order     the last stage of an upload chain; what is left out is lost unless a memory stands around it:
///           `error_feedback{}.around(top_k{..})`
/// Formula   k = fraction of the numbers, at least one, or `count`; in the first `warm_up` rounds r the fraction is
///           first (fraction / first)^(r / warm_up)
/// Bytes     about k (log2(1 / fraction) + 1.5 + bits) / 8
/// Privacy   none: which numbers are large is read off the data. Before noise it is refused (P009); behind
///           noise on every number it shows nothing that is not released already
/// Source    Lin, Han, Mao, Wang, Dally, ICLR 2018, arXiv:1712.01887 (Deep Gradient Compression)
/// Test      tests/federated/thin_links.test.cpp
struct top_k {
  static constexpr stage_role role = stage_role::encoding;
  static constexpr bool selects = true;

  double fraction = 0.01;
  std::size_t count = 0;      ///< instead of the fraction, unless 0
  std::size_t warm_up = 0;    ///< rounds
  double first = 0.25;        ///< fraction of the first round, if it warms up
  unsigned bits = 32;         ///< of a number: 32, 8, 4 or 1
  std::uint16_t block = 1024; ///< numbers that share a scale, below 32 bits; 0: all

  void check() const {
    detail::check_part("top_k", fraction, count);
    detail::check_bits("top_k", bits);
    require(warm_up == 0 || (count == 0 && first >= fraction && first <= 1), fault::argument,
            "top_k: warms up from the fraction ", first, " to ", fraction, ", count ", count,
            ", expected fraction <= first <= 1 and no count");
  }
  bool contracts() const noexcept { return bits != 1; }

  /// How many of n numbers it keeps in a round.
  std::size_t kept(std::size_t n, std::uint64_t round) const {
    double part = fraction;
    if (round < warm_up)
      part = first * std::pow(fraction / first, static_cast<double>(round) / static_cast<double>(warm_up));
    return detail::part_of(n, part, count);
  }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    if (auto good = detail::check_upload(x); !good) return good.error();
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size()), .holds = support::listed};
    out.places.resize(kept(x.size(), who.round));
    std::vector<float> values(out.places.size());
    simd::top_k<Arch>(x, out.places, values);
    if (auto done = detail::put_rounded<Arch>(values, bits, block, who, out); !done) return done.error();
    return out;
  }
};

} // namespace privet
