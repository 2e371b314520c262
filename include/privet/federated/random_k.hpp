#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>

namespace privet {

/// Sends numbers whose places public coins draw, other ones for each client and round. The receiver draws the same,
/// so no place is sent.
///
/// Formula   of n numbers every set of k equally likely, k as of `top_k`; unbiased: what is sent is n / k times
///           the number, so that the expectation over the coins is the whole vector
/// Bytes     k bits / 8
/// Privacy   the places depend on (seed, client, round) only: behind noise it is post-processing and keeps the claim
/// Source    Konecny, McMahan, Yu, Richtarik, Suresh, Bacon, arXiv:1610.05492 (random mask)
/// Test      tests/federated/thin_links.test.cpp
struct random_k {
  static constexpr stage_role role = stage_role::encoding;

  double fraction = 0.1;
  std::size_t count = 0;      ///< instead of the fraction, unless 0
  bool unbiased = false;      ///< does not go with a memory of what was not sent
  unsigned bits = 32;         ///< of a number: 32, 8, 4 or 1
  std::uint16_t block = 1024; ///< numbers that share a scale, below 32 bits; 0: all

  void check() const {
    detail::check_part("random_k", fraction, count);
    detail::check_bits("random_k", bits);
  }
  bool contracts() const noexcept { return !unbiased && bits != 1; }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    if (auto good = detail::check_upload(x); !good) return good.error();
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size()),
                        .holds = support::masked,
                        .seed = who.seed,
                        .stream = stream_id(purpose::upload_masks, who.round, who.client)};
    std::vector<std::uint32_t> places(detail::part_of(x.size(), fraction, count));
    draw_places(out.seed, out.stream, x.size(), places);
    std::vector<float> values(places.size());
    const float scale =
        unbiased ? static_cast<float>(static_cast<double>(x.size()) / static_cast<double>(places.size()))
                 : 1.0F;
    for (std::size_t i = 0; i < places.size(); ++i) values[i] = scale * x[places[i]];
    if (auto good = detail::check_upload(values); !good) return good.error();
    if (auto done = detail::put_rounded<Arch>(values, bits, block, who, out); !done) return done.error();
    return out;
  }
};

} // namespace privet
