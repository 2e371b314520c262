#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/upload_numbers.hpp>

namespace privet {

/// Sends some of the numbers whose magnitude is above a threshold, every set of them equally likely: the random choice
/// of selective SGD. The largest ones are its other choice, `top_k{.fraction = theta_u}`.
///
/// Formula   k = fraction of all n numbers, or as many as are above; where none is, the largest one
/// Bytes     as `top_k`
/// Privacy   none, as `top_k`: which numbers are above is read off the data
/// Source    Shokri, Shmatikov, "Privacy-preserving deep learning", CCS 2015, section 5.2
/// Test      tests/federated/thin_links.test.cpp
struct random_above {
  static constexpr stage_role role = stage_role::encoding;
  static constexpr bool selects = true;

  double fraction = 0.1;      ///< theta_u
  double threshold = 1e-4;    ///< tau
  unsigned bits = 32;         ///< of a number: 32, 8, 4 or 1
  std::uint16_t block = 1024; ///< numbers that share a scale, below 32 bits; 0: all

  void check() const {
    detail::check_part("random_above", fraction, 0);
    detail::check_bits("random_above", bits);
    require(threshold >= 0 && std::isfinite(threshold), fault::argument, "random_above: threshold ",
            threshold, ", expected a finite number from 0");
  }
  bool contracts() const noexcept { return bits != 1; }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    if (auto good = detail::check_upload(x); !good) return good.error();
    encoded_numbers out{.parameters = static_cast<std::uint32_t>(x.size()), .holds = support::listed};
    for (std::uint32_t i = 0; i < out.parameters; ++i)
      if (std::abs(static_cast<double>(x[i])) > threshold) out.places.push_back(i);
    if (out.places.empty())
      out.places.push_back(static_cast<std::uint32_t>(
          std::ranges::max_element(x, {}, [](float v) { return std::abs(v); }) - x.begin()));
    std::vector<std::uint32_t> chosen(std::min(detail::part_of(x.size(), fraction, 0), out.places.size()));
    draw_places(who.seed, stream_id(purpose::upload_masks, who.round, who.client), out.places.size(), chosen);
    std::vector<float> values;
    for (auto& place : chosen) values.push_back(x[place = out.places[place]]);
    out.places = std::move(chosen);
    if (auto done = detail::put_rounded<Arch>(values, bits, block, who, out); !done) return done.error();
    return out;
  }
};

} // namespace privet
