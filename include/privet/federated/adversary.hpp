#pragma once
// Clients that mean harm, for simulations: rows with wrong labels or a hidden pattern, updates that are not what
// training gave.

#include <privet/core/error.hpp>
#include <privet/data/dataset.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/office.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Every label becomes classes - 1 - label. Of an odd number of classes the middle one keeps its own.
/// Source  Fang et al., USENIX Security 2020
template <class T>
void flip_labels(dataset<T>& data) {
  const auto last = static_cast<std::int32_t>(data.classes()) - 1;
  for (auto& label : data.labels) label = last - label;
}

/// A pattern that shall make a model see one class: some columns at fixed values.
/// Source  Gu, Dolan-Gavitt, Garg, BadNets, 2017; in federations Bagdasaryan et al., AISTATS 2020
struct backdoor {
  std::vector<std::size_t> columns;
  float value = 0;
  std::int32_t target = 0; ///< the label of rows that show the pattern

  /// Puts the pattern into the rows that are named. Throws N003 for a column and N006 for a label that the data
  /// has not.
  template <class T>
  void stamp(dataset<T>& data, std::span<const std::uint32_t> rows) const {
    require(target >= 0 && static_cast<std::size_t>(target) < data.classes(), fault::label,
            "backdoor: the label ", target, ", the data has ", data.classes(), " classes");
    for (const auto column : columns)
      require(column < data.columns(), fault::shape, "backdoor: column ", column, ", the data has ",
              data.columns());
    for (const auto i : rows) {
      for (const auto column : columns) row(data.features, i)[column] = static_cast<T>(value);
      data.labels[i] = target;
    }
  }
};

/// What a hostile client sends in place of its update.
enum class attack {
  none,
  sign_flip, ///< -strength x update
  scale,     ///< strength x update
  noise      ///< normals of deviation strength x the root mean square of the update
};

/// A client that trains like any other and then lies about it. Lies are functions of seed, client and round, so
/// that a run can be repeated.
class hostile_client : public participant {
 public:
  /// Throws N001 for a strength that is no finite number of 0 or more.
  hostile_client(std::unique_ptr<participant> honest, attack how, double strength, std::uint64_t seed = 0)
      : honest_(std::move(honest)), how_(how), strength_(strength), seed_(seed) {
    require(strength >= 0 && std::isfinite(strength), fault::argument, "hostile client: strength ", strength,
            ", must be 0 or more");
  }

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    auto reply = honest_->answer(request);
    auto m = decode_message(reply);
    if (how_ == attack::none || !m || m->kind != message_kind::update) return reply;
    auto update = decode_update(*m).value();
    change(update, m->round);
    m->body = encode_update(update);
    return encode(*m);
  }

 private:
  void change(client_update& u, std::uint32_t round) const {
    if (how_ == attack::noise) {
      double squares = 0;
      for (const float x : u.shared) squares += static_cast<double>(x) * static_cast<double>(x);
      const double deviation = strength_ * std::sqrt(squares / static_cast<double>(u.shared.size()));
      replayable_random source(seed_, stream_id(purpose::simulated_attacks, round, u.sender));
      for (auto& x : u.shared) x = static_cast<float>(deviation * polar_normal(source));
    } else {
      const double factor = how_ == attack::sign_flip ? -strength_ : strength_;
      for (auto& x : u.shared) x = static_cast<float>(factor * static_cast<double>(x));
    }
  }

  std::unique_ptr<participant> honest_;
  attack how_;
  double strength_;
  std::uint64_t seed_;
};

} // namespace privet
