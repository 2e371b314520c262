#pragma once
// A client that keeps weights of its own and reads only some of the server's.

#include <privet/federated/office.hpp>
#include <privet/federated/partial_download.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// An office that trains on from where it ended, after it has replaced the numbers that the server sends. What it sends
/// are changes since then, of which some, by its recipe's encoding; it keeps the others in its weights.
///
/// Order     as `office`, with `train_part` beside `train`; the first part holds all weights
/// Ensures   asked for the last task again, it gives the same answer
/// Memory    three sets of weights; its own one is what a checkpoint keeps
/// Errors    N003 for a part of another model, N009 for a part before all weights were sent once
/// Source    Shokri, Shmatikov, "Privacy-preserving deep learning", CCS 2015, section 5.1
/// Test      tests/federated/selective_sgd.test.cpp
template <class Recipe, class Arch = simd::default_arch>
class partial_office : public participant {
  static_assert(
      requires { requires Recipe::encodes; } && decltype(Recipe::upload)::slots == 0,
      "a partial_office sends some of its changes and keeps the others in its weights: it needs "
      "uploads that are encoded, without a memory of their own, such as chain(top_k{..})");

 public:
  /// As `office`.
  partial_office(std::uint32_t id, dataset<float> data, Recipe recipe, std::uint64_t seed)
      : id_(id), office_(id, std::move(data), std::move(recipe), seed) {}

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    const auto m = decode_message(request);
    if (!m) return office_.answer(request);
    if (m->kind == message_kind::train_part) {
      auto reply = detail::or_error(concat("office ", id_, ": "), [&] { return go_on(*m); });
      if (reply) return *std::move(reply);
      return detail::encode_refusal(office_.data().schema.hash(), m->round, id_, reply.error().message);
    }
    auto reply = office_.answer(request);
    if (m->kind == message_kind::train) keep(reply, *m, last_ == m->round ? before_ : own_);
    return reply;
  }

  /// Its own weights.
  std::span<const float> memory() const override { return own_; }
  void restore(std::vector<float> kept) override { own_ = std::move(kept); }
  const dataset<float>& data() const noexcept { return office_.data(); }

 private:
  result<std::vector<std::byte>> go_on(const message& m) {
    const auto part = decode_part(m);
    if (!part) return part.error();
    const auto& numbers = part->numbers;
    auto from = last_ == m.round ? before_ : own_;
    auto begin = from;
    if (numbers.holds == support::all) {
      begin = numbers.values;
    } else {
      if (begin.empty())
        return error::of(fault::message, "office ", id_, ": sent ", numbers.size(), " of ",
                         numbers.parameters, " weights, and has none yet");
      if (begin.size() != numbers.parameters)
        return error::of(fault::shape, "office ", id_, ": sent a part of ", numbers.parameters,
                         " weights, it has ", begin.size());
      numbers.for_each([&](std::size_t place, std::size_t i) { begin[place] = numbers[i]; });
    }
    auto reply = office_.answer(
        encode({message_kind::train, m.schema_hash, m.round, m.sender, encode_order(part->examples, begin)}));
    keep(reply, m, std::move(from));
    return reply;
  }

  /// What it trained, if it did.
  void keep(std::span<const std::byte> reply, const message& m, std::vector<float> from) {
    const auto said = decode_message(reply);
    if (!said || said->kind != message_kind::encoded_update) return;
    const auto now = office_.weights().shared();
    before_ = std::move(from);
    last_ = m.round;
    own_.assign(now.begin(), now.end());
  }

  std::uint32_t id_;
  office<Recipe, Arch> office_;
  std::vector<float> own_, before_; ///< its weights, and those before the last task
  std::optional<std::uint32_t> last_;
};

} // namespace privet
