#pragma once
// Weights for clients that read only some of them: those that changed most often.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/federated/encoded_update.hpp>
#include <privet/federated/upload_numbers.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace privet {

/// Since when a server counts how often a number was updated.
enum class update_counts {
  unread, ///< since the client last read it: what it has not heard of adds up until it does
  all     ///< since the beginning, for all clients alike
};

/// How many of the weights a client reads before it trains: the ones with the largest counts of updates, of equal
/// ones the first. The others stay as it has them. It reads all of them once, before its first training.
///
/// Memory    4 bytes for each weight; of `unread` 4 for each weight and client
/// Errors    N001 for a fraction outside (0, 1] or a decay outside [0, 1]
/// Source    Shokri, Shmatikov, CCS 2015, section 5: theta_d, and counters `stat` with a decay: `counts = all`
/// Test      tests/federated/selective_sgd.test.cpp
struct partial_download {
  double fraction = 1; ///< theta_d
  update_counts counts = update_counts::unread;
  double decay = 1; ///< what counts are multiplied by after each step of the weights: 1 forgets nothing

  void check() const {
    detail::check_part("partial_download", fraction, 0);
    require(decay >= 0 && decay <= 1, fault::argument, "partial_download: decay ", decay,
            ", expected 0 <= decay <= 1");
  }
  bool whole() const noexcept { return fraction == 1; }
};

namespace detail {

/// The server's part of it.
class update_counter {
 public:
  update_counter() = default;
  update_counter(const partial_download& how, std::size_t parameters, std::size_t clients)
      : how_(how), met_(clients), seen_(how.counts == update_counts::unread ? clients : 0) {
    if (!how_.whole()) counts_.resize(parameters);
  }

  /// Numbers that are zero, or not sent, were not updated.
  void count(const client_update& u) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += u.shared[i] != 0 ? 1.0F : 0.0F;
  }
  void count(const encoded_update& u) {
    if (!counts_.empty()) u.numbers.for_each([&](std::size_t place, std::size_t) { counts_[place] += 1; });
  }
  /// The client reads all weights the next time.
  void forget(std::size_t client) { met_[client] = false; }
  void age() {
    if (how_.decay == 1) return;
    const auto factor = static_cast<float>(how_.decay);
    for (auto& x : counts_) x *= factor;
    for (auto& one : seen_)
      for (auto& x : one) x *= factor;
  }

  /// What a client, counted from 0, reads now of these weights.
  encoded_numbers read(std::size_t client, std::span<const float> weights) {
    std::vector<float>* const seen = seen_.empty() ? nullptr : &seen_[client];
    encoded_numbers part{.parameters = static_cast<std::uint32_t>(weights.size())};
    if (!met_[client]) {
      met_[client] = true;
      if (seen) *seen = counts_;
      part.values.assign(weights.begin(), weights.end());
      return part;
    }
    const auto unread = [&](std::uint32_t i) { return seen ? counts_[i] - (*seen)[i] : counts_[i]; };
    std::vector<std::uint32_t> places(weights.size());
    std::iota(places.begin(), places.end(), std::uint32_t{0});
    const std::size_t k = part_of(weights.size(), how_.fraction, 0);
    std::ranges::nth_element(places, places.begin() + static_cast<std::ptrdiff_t>(k - 1),
                             [&](std::uint32_t a, std::uint32_t b) {
                               const float x = unread(a), y = unread(b);
                               return x > y || (x == y && a < b);
                             });
    places.resize(k);
    std::ranges::sort(places);
    for (const auto i : places) {
      part.values.push_back(weights[i]);
      if (seen) (*seen)[i] = counts_[i];
    }
    part.holds = support::listed;
    part.places = std::move(places);
    return part;
  }

 private:
  partial_download how_{};
  std::vector<float> counts_;
  std::vector<bool> met_;                ///< clients that have read all of them
  std::vector<std::vector<float>> seen_; ///< by each client, of `unread`
};

} // namespace detail

/// The body of `train_part`, in the form of an encoded update: rows of all clients of this round, and numbers of the
/// weights.
inline std::vector<std::byte> encode_part(std::uint64_t examples, encoded_numbers part) {
  return encode_update(encoded_update{.examples = examples, .weight = 1, .numbers = std::move(part)});
}

/// Errors    N009 as `decode_encoded_update`; for numbers that are not whole weights, as they are
inline result<encoded_update> decode_part(const message& m) {
  auto part = decode_encoded_update(m);
  if (part && (part->numbers.bits != 32 || part->numbers.holds == support::masked))
    return error::of(fault::message, "part of the weights: ", part->numbers.bits, " bits a number, support ",
                     static_cast<unsigned>(part->numbers.holds), ", expected 32 and 0 or 1");
  return part;
}

} // namespace privet
