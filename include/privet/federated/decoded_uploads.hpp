#pragma once
// A server on thin links: any aggregator of updates, behind a decoder.

#include <privet/federated/encoded_update.hpp>
#include <privet/federated/fedavg.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace privet {

/// Gives an aggregator the updates of clients with `encoded_uploads`, as vectors.
///
/// Law       that of the aggregator: behind a linear one the same bits for any order of arrival
/// Memory    that of the aggregator, and one vector while an update is decoded
/// Errors    the aggregator's; N003 for an update of another length, N009 for places that are out of range, twice
///           there or out of order
/// Test      tests/federated/thin_links.test.cpp
template <Aggregator A = fedavg>
class decoded_uploads {
  static_assert(std::same_as<typename detail::sent_to<A>::type, client_update>,
                "decoded_uploads needs an aggregator of updates, such as fedavg{}");
  using memory = typename detail::memory_of<A>::type;
  static_assert(
      !requires(const A& a, memory& kept) { a.sent(kept); },
      "clients that encode their uploads read no control variate: scaffold needs whole updates");
  static constexpr bool remembers = !std::same_as<memory, detail::no_memory>;

 public:
  using trust = typename A::trust;
  static constexpr bool linear = A::linear;
  static constexpr bool weighs_classes = requires { requires A::weighs_classes; };
  using update = encoded_update;
  static constexpr message_kind reply = message_kind::encoded_update;
  static result<update> decode(const message& m) { return decode_encoded_update(m); }

  struct state {
    decltype(std::declval<const A&>().init(std::size_t{})) sum;
    std::size_t parameters = 0;
  };

  explicit decoded_uploads(A aggregator = {}) : aggregator_(std::move(aggregator)) {}

  /// Says who runs the server.
  template <class Other>
  auto run_by(Other who) const {
    return decoded_uploads<decltype(aggregator_.run_by(who))>(aggregator_.run_by(who));
  }

  state init(std::size_t parameters) const { return {aggregator_.init(parameters), parameters}; }

  status absorb(state& s, const encoded_update& u) const {
    const auto whole = privet::decode(u, s.parameters);
    if (!whole) return whole.error();
    return aggregator_.absorb(s.sum, *whole);
  }

  status finish(state& s, std::span<float> weights) const
    requires(!remembers)
  {
    return aggregator_.finish(s.sum, weights);
  }
  status finish(state& s, std::span<float> weights, memory& kept) const
    requires(remembers)
  {
    return aggregator_.finish(s.sum, weights, kept);
  }
  memory remember(std::size_t parameters) const
    requires(remembers)
  {
    return aggregator_.remember(parameters);
  }
  status check(const memory& kept, std::size_t parameters) const
    requires(remembers)
  {
    return aggregator_.check(kept, parameters);
  }
  std::size_t least() const
    requires requires(const A& a) { a.least(); }
  {
    return aggregator_.least();
  }

 private:
  A aggregator_;
};

} // namespace privet
