#pragma once
// A client: rows that stay, and answers that carry none of them.

#include <privet/data/dataset.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/federated/message.hpp>
#include <privet/nn/describe.hpp>
#include <privet/nn/losses.hpp>
#include <privet/privacy/private_moments.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/local_training.hpp>
#include <privet/train/private_local_training.hpp>
#include <privet/train/user_level_training.hpp>

#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace privet {

/// Whoever answers messages: bytes in, bytes out, never an exception for what the bytes hold.
class participant {
 public:
  virtual ~participant() = default;
  virtual std::vector<std::byte> answer(std::span<const std::byte> request) = 0;
};

/// What a client runs between two messages: an optimiser chain, how long, on which batches.
template <class Chain, Loss LossType = softmax_cross_entropy>
struct local_recipe {
  Chain steps;
  std::size_t epochs = 1;
  std::size_t batch = 32;
  LossType loss{};

  static constexpr bool is_private = false;
  static std::size_t units(const dataset<float>& data) { return data.rows(); }
  template <class Arch>
  local_training<network, LossType, Chain, float, Arch> training(const network& model,
                                                                 const dataset<float>& data,
                                                                 std::uint64_t seed,
                                                                 std::uint32_t client) const {
    return {model, loss, steps, epochs, batch, data.rows(), seed, client};
  }
};
template <class Chain>
local_recipe(Chain, std::size_t, std::size_t) -> local_recipe<Chain>;

/// Pays for an event of a client, named for its ledger, before anything of it leaves.
using payment = std::function<status(const privacy_event&, std::string_view what)>;

/// What a client runs whose rows stay private in what it sends: Poisson batches through a chain with noise.
///
/// Privacy   of one row of the client, add-remove, for everything it sends: weights after each round, and the
///           moments of its columns if it has a recipe for them. Schema, class names and the number of rows
///           are taken to be public; losses are not sent
template <class Chain, Loss LossType = softmax_cross_entropy>
struct private_recipe {
  Chain steps;
  poisson sampler;
  std::size_t batches = 1; ///< in a round
  payment pay;             ///< such as a debit of the client's ledger
  std::optional<private_moments> scaling{};
  LossType loss{};

  static constexpr bool is_private = true;
  static std::size_t units(const dataset<float>& data) { return data.rows(); }
  moments release_moments(const dataset<float>& data) const { return scaling->release(data); }
  template <class Arch>
  private_local_training<network, LossType, Chain, poisson, float, Arch> training(const network& model,
                                                                                  const dataset<float>& data,
                                                                                  std::uint64_t seed,
                                                                                  std::uint32_t) const {
    return {model, loss, steps, sampler, batches, data.rows(), seed};
  }
};

/// What a client runs that holds the rows of many persons and protects each person as a whole: DP-FedAvg among
/// them (train/user_level_training.hpp). It counts itself by persons, and every group of its rows is one.
///
/// Privacy   of one person of the client with all their rows, add-remove, for everything it sends: weights
///           after each round, and the moments of its columns if it has a recipe for them. Schema, class names
///           and the number of persons are taken to be public
template <class Local, class Chain, Loss LossType = softmax_cross_entropy>
struct user_recipe {
  static_assert(!Chain::bound_adapts, "an office keeps nothing between rounds, so its bound cannot adapt");
  static_assert(
      Released<typename Chain::template label<raw<unit::user>>>,
      "[P001 no-guarantee] a private round ends with a chain that adds no noise: put clip_l2{..} before "
      "average_over_batch{} and gaussian{..} behind it. docs/errors/P001.md");

  local_steps<Local> local; ///< of one person
  Chain steps;              ///< from the persons' updates to the client's
  poisson sampler;          ///< of persons
  std::size_t samples = 1;  ///< in a round
  payment pay;
  std::optional<private_moments> scaling{};
  LossType loss{};

  static constexpr bool is_private = true;
  static std::size_t units(const dataset<float>& data) { return groups_of(data).size(); }
  moments release_moments(const dataset<float>& data) const { return scaling->release_by_person(data); }
  template <class Arch>
  user_level_training<network, LossType, Local, Chain, poisson, float, Arch> training(
      const network& model, const dataset<float>& data, std::uint64_t seed, std::uint32_t) const {
    return {model, loss, local, steps, sampler, data.groups, seed, 1, samples};
  }
};

/// One party of a federation. It holds its rows, learns the model from a message, and answers
/// with sums and updates only.
///
/// Order     ask_schema, ask_moments, agree, architecture, (ask_start,) train ...; a message out of
///           order, of another schema or of the wrong size is answered with a refusal
template <class Recipe, class Arch = simd::default_arch>
class office : public participant {
 public:
  /// `id` counts from 1; the seed is the federation's. Throws as `dataset::check`, N001 for no rows.
  office(std::uint32_t id, dataset<float> data, Recipe recipe, std::uint64_t seed)
      : id_(id), data_(std::move(data)), recipe_(std::move(recipe)), seed_(seed) {
    data_.check();
    require(data_.rows() > 0, fault::argument, "office ", id, " has no rows");
    units_ = Recipe::units(data_);
    require(id > 0, fault::argument, "office 0: clients count from 1, 0 is the server");
    if constexpr (Recipe::is_private) // refused here, not in an answer that the server reads
      require(std::ranges::all_of(as_span(data_.features), [](float x) { return std::isfinite(x); }),
              fault::leak, "office ", id,
              ": values are missing or not finite; a private office fills them with public constants first");
  }

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    auto reply = handle(request);
    if (!reply) reply = make(message_kind::refusal, {}, copy_of(reply.error().message));
    return encode(*reply);
  }

  const dataset<float>& data() const noexcept { return data_; }

 private:
  result<message> handle(std::span<const std::byte> request) {
    auto m = decode_message(request);
    if (!m) return m.error();
    try {
      switch (m->kind) {
        case message_kind::ask_schema:
          return make(message_kind::schema, *m, encode_schema({data_.schema, units_}));
        case message_kind::ask_moments:
          return sum_moments(*m);
        case message_kind::agree:
          return agree(*m);
        case message_kind::architecture:
          return build(*m);
        case message_kind::ask_start:
          return start(*m);
        case message_kind::train:
          return train(*m);
        default:
          return error::of(fault::message, "office ", id_, ": message kind ", static_cast<unsigned>(m->kind),
                           " is none that a client answers");
      }
    } catch (const exception& why) { // a caller's mistake there is a peer's mistake here
      return error{why.kind(), why.what()};
    } catch (const std::bad_alloc&) {
      return error::of(fault::unsupported, "office ", id_, ": not enough memory for what was asked");
    }
  }

  result<message> sum_moments(const message& m) {
    const auto all = decode_number(m.body, "ask_moments");
    if (!all) return all.error();
    if (*all < units_)
      return error::of(fault::message, "office ", id_, ": has ", units_, " rows, all clients together ",
                       *all);
    if (!data_.schema.scaling.empty()) return scaled_already();
    std::vector<double> sums;
    if constexpr (Recipe::is_private) {
      if (!recipe_.scaling)
        return error::of(fault::leak, "office ", id_,
                         ": trains privately and has no budget for moments of its columns; scale by public "
                         "constants");
      if (auto paid = recipe_.pay(recipe_.scaling->event(data_.columns()), "moments of the columns"); !paid)
        return paid.error();
      sums = recipe_.release_moments(data_).values;
    } else {
      sums = moments::of(data_).values;
    }
    for (auto& x : sums) x /= static_cast<double>(*all);
    return make(message_kind::moments, m, encode_numbers(std::span<const double>(sums)));
  }

  result<message> agree(const message& m) {
    auto values = decode_numbers<double>(m.body, "agree");
    if (!values) return values.error();
    if (!values->empty()) {
      const auto scaling = standardiser::from({std::move(*values)});
      // Refused before `apply`, which would take the rows with it.
      if (scaling.columns() != data_.columns())
        return error::of(fault::shape, "office ", id_, ": a scaling of ", scaling.columns(),
                         " columns, the data has ", data_.columns());
      if (!data_.schema.scaling.empty()) return scaled_already();
      data_ = scaling.apply(std::move(data_));
    }
    agreed_ = true;
    return make(message_kind::agreed, m, {});
  }

  result<message> build(const message& m) {
    if (!agreed_)
      return error::of(fault::message, "office ", id_, ": sent a model before a scaling was agreed on");
    const auto description = parse_json(text_of(m.body), "architecture");
    if (!description) return description.error();
    auto model = read_network(*description, "architecture");
    if (!model) return model.error();
    if (model->out_width() != data_.classes())
      return error::of(fault::shape, "office ", id_, ": the model knows ", model->out_width(),
                       " classes, the data has ", data_.classes());
    if constexpr (Recipe::is_private) // what a scaling makes of a row is nobody's business: it is masked
      require(model->in_width() == data_.columns(), fault::shape, "the model reads rows ", model->in_width(),
              " wide, got ", data_.columns());
    else
      check_rows(*model, data_.view(), std::span<const std::int32_t>(data_.labels));
    training_.reset(); // a model that does not fit into memory leaves none, not half of one
    weights_ = model->template make_parameters<float>();
    training_.emplace(recipe_.template training<Arch>(*model, data_, seed_, id_));
    return make(message_kind::ready, m, encode_number(weights_.shared().size()));
  }

  result<message> start(const message& m) {
    const auto seed = decode_number(m.body, "ask_start");
    if (!seed) return seed.error();
    if (!training_)
      return error::of(fault::message, "office ", id_, ": asked for weights before it was sent a model");
    const auto first = initialise<float>(training_->model(), *seed);
    return make(message_kind::start, m, encode_numbers(std::span<const float>(first.shared())));
  }

  result<message> train(const message& m) {
    if (!training_)
      return error::of(fault::message, "office ", id_, ": asked to train before it was sent a model");
    if (m.schema_hash != data_.schema.hash())
      return error::of(fault::schema, "office ", id_, ": the round is for another schema than ",
                       data_.schema.hash_text());
    const auto order = decode_order(m.body);
    if (!order) return order.error();
    const auto shared = weights_.shared();
    if (order->weights.size() != shared.size())
      return error::of(fault::shape, "office ", id_, ": got ", order->weights.size(),
                       " weights, the model has ", shared.size());
    if (order->examples < units_)
      return error::of(fault::message, "office ", id_, ": has ", units_, " rows, the round ",
                       order->examples);

    std::ranges::copy(order->weights, shared.begin());
    if constexpr (requires { requires Recipe::sends_shares; }) {
      auto share = training_->run(weights_, data_.view(), data_.labels, m.round, paying(m.round));
      if (!share) return share.error();
      return make(message_kind::share, m,
                  encode_share({id_, m.schema_hash, units_, training_->steps_per_round(), std::move(*share),
                                training_->grid(), training_->holders()}));
    } else {
      return train_alone(m, *order);
    }
  }

  /// Pays for what happens in a round.
  auto paying(std::uint32_t round) const {
    return [this, round](const privacy_event& e) { return recipe_.pay(e, concat("round ", round + 1)); };
  }

  result<message> train_alone(const message& m, const training_order& order) {
    const auto shared = weights_.shared();
    client_update u;
    if constexpr (Recipe::is_private) {
      if (auto done = training_->run(weights_, data_.view(), data_.labels, m.round, paying(m.round)); !done)
        return done.error();
      u.steps = training_->steps_per_round(); // and no loss
      for (const float w : weights_.shared())
        if (!std::isfinite(w))
          return error::of(
              fault::range, "office ", id_,
              ": noise has driven its weights out of their range; a lower learning rate may help");
    } else {
      const auto done = training_->run(weights_, data_.view(), data_.labels, m.round);
      if (!std::isfinite(done.loss))
        return error::of(fault::range, "office ", id_, ": training diverged, its loss is ", done.loss,
                         "; a lower learning rate may help");
      u.steps = done.steps;
      u.loss = done.loss;
    }
    u.examples = units_;
    u.weight = static_cast<double>(units_) / static_cast<double>(order.examples);
    u.shared.resize(shared.size());
    for (std::size_t i = 0; i < shared.size(); ++i)
      u.shared[i] = static_cast<float>(u.weight * (static_cast<double>(order.weights[i]) - shared[i]));
    return make(message_kind::update, m, encode_update(u));
  }

  error scaled_already() const {
    return error::of(fault::schema, "office ", id_,
                     ": its data is scaled already: ", in_quotes(data_.schema.scaling));
  }
  message make(message_kind kind, const message& request, std::vector<std::byte> body) const {
    return {kind, data_.schema.hash(), request.round, id_, std::move(body)};
  }
  static std::vector<std::byte> copy_of(std::string_view text) {
    const auto bytes = bytes_of(text);
    return {bytes.begin(), bytes.end()};
  }

  std::uint32_t id_;
  dataset<float> data_;
  Recipe recipe_;
  std::uint64_t seed_;
  std::uint64_t units_ = 0; ///< what it counts itself by: rows, or persons where these are protected
  bool agreed_ = false;
  using training = decltype(std::declval<const Recipe&>().template training<Arch>(
      std::declval<const network&>(), std::declval<const dataset<float>&>(), 0, 0));
  std::optional<training> training_;
  parameters<float> weights_;
};

} // namespace privet
