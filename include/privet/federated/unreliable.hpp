#pragma once
// A world in which clients fail, for simulations: links that lose, delay and repeat updates as a seed says.

#include <privet/core/error.hpp>
#include <privet/core/transport.hpp>
#include <privet/federated/message.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// What becomes of a client's part in a round.
enum class fate {
  answers,
  drops_before, ///< the order to train does not reach it
  drops_during, ///< it begins to train, and is gone
  drops_after,  ///< it has trained, and paid for it if it is private; its update is lost
  late,         ///< its update comes after the deadline, so before that of its next round
  twice         ///< its update comes, and once more before that of its next round
};

/// How often clients fail. Which one does in which round is a function of the seed, the round and the client
/// alone. Probabilities of a client in a round; they add up to 1 at most, and what is left answers.
struct unreliable {
  double before = 0, during = 0, after = 0, twice = 0;
  /// A client takes rows x seconds_per_row x e^(spread x z) seconds for a round, with a standard normal z of its own
  /// that is the same in every round: the slow stay slow. Beyond the deadline its update is late. 0: no deadline.
  double deadline = 0, seconds_per_row = 0, spread = 0;
  std::uint64_t seed = 0;

  /// Throws N001 for probabilities or times that are none.
  void check() const {
    for (const double p : {before, during, after, twice})
      require(p >= 0 && p <= 1, fault::argument, "unreliable: a probability is ", p, ", must be in [0, 1]");
    require(before + during + after + twice <= 1 + 1e-12, fault::argument,
            "unreliable: the probabilities add up to ", before + during + after + twice, ", at most to 1");
    for (const double t : {deadline, seconds_per_row, spread})
      require(t >= 0 && std::isfinite(t), fault::argument, "unreliable: deadline ", deadline,
              ", seconds per row ", seconds_per_row, " and spread ", spread, " must be 0 or more");
  }

  /// Seconds that a client of so many rows takes for a round.
  double seconds_of(std::uint32_t client, std::uint64_t rows) const {
    replayable_random source(seed, stream_id(purpose::simulated_failures, 0, client));
    return static_cast<double>(rows) * seconds_per_row * std::exp(spread * polar_normal(source));
  }

  /// `round` counts from 0, as in messages.
  fate of(std::uint32_t client, std::uint64_t round, std::uint64_t rows) const {
    if (before + during + after + twice + deadline == 0) return fate::answers; // nothing to draw
    replayable_random source(seed, stream_id(purpose::simulated_failures, round + 1, client));
    double u = uniform01<double>(source);
    for (const auto& [p, what] : {std::pair{before, fate::drops_before},
                                  {during, fate::drops_during},
                                  {after, fate::drops_after},
                                  {twice, fate::twice}}) {
      if (u < p) return what;
      u -= p;
    }
    return deadline > 0 && seconds_of(client, rows) > deadline ? fate::late : fate::answers;
  }
};

/// A link of such a world. Only orders to train can fail: clients that are not there at the start are in no round.
class unreliable_link : public transport {
 public:
  /// `rows` of the client, which its time depends on. Throws as `unreliable::check`.
  unreliable_link(transport& inner, const unreliable& world, std::uint32_t client, std::uint64_t rows)
      : inner_(&inner), world_(world), client_(client), rows_(rows) {
    world_.check();
  }

  status send(std::span<const std::byte> message) override {
    const auto m = decode_message(message);
    const bool order = m && (m->kind == message_kind::train || m->kind == message_kind::train_part);
    fate_ = order ? world_.of(client_, m->round, rows_) : fate::answers;
    if (fate_ == fate::drops_before) return gone("the link is down");
    if (fate_ == fate::drops_during) return nothing{};
    return inner_->send(message);
  }

  result<std::vector<std::byte>> receive() override {
    if (!overdue_.empty()) {
      auto reply = std::move(overdue_.front());
      overdue_.pop_front();
      return reply;
    }
    if (fate_ == fate::drops_during) return gone("no answer, the link went down");
    auto reply = inner_->receive();
    if (!reply || fate_ == fate::answers) return reply;
    if (fate_ == fate::drops_after) return gone("no answer, the link went down");
    overdue_.push_back(*reply);
    if (fate_ == fate::late) return gone("no answer before the deadline");
    return reply;
  }

 private:
  error gone(const char* why) const { return error::of(fault::message, "client ", client_, ": ", why); }

  transport* inner_;
  unreliable world_;
  std::uint32_t client_;
  std::uint64_t rows_;
  fate fate_ = fate::answers;
  std::deque<std::vector<std::byte>> overdue_;
};

} // namespace privet
