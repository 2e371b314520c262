#pragma once
// A client: rows that stay, and answers that carry none of them.

#include <privet/data/dataset.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/federated/class_aware.hpp>
#include <privet/federated/encoded_update.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/upload_numbers.hpp>
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

  /// What it keeps from one round to the next, for a checkpoint: what its uploads left out
  /// (federated/error_feedback.hpp), a control variate (federated/scaffold.hpp) or local layers; most keep nothing.
  virtual std::span<const float> memory() const { return {}; }
  /// Puts that back before the first message. Throws N010 where nothing is kept; a memory of another size than the
  /// model needs is refused when that arrives.
  virtual void restore(std::vector<float> kept) {
    require(kept.empty(), fault::state, "a client that keeps nothing was given a memory of ", kept.size(),
            " numbers");
  }
};

namespace detail {

/// f(), or why it could not be done: a caller's mistake inside is a peer's mistake where bytes ask for it.
template <class F>
auto or_error(std::string_view place, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const exception& why) {
    return error{why.kind(), why.what()};
  } catch (const std::exception&) { // bad_alloc, or length_error of a container
    return error::of(fault::unsupported, place, "not enough memory for what was asked");
  }
}

} // namespace detail

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

template <class Chain>
private_recipe(Chain, poisson, std::size_t, payment) -> private_recipe<Chain>;
template <class Chain>
private_recipe(Chain, poisson, std::size_t, payment, std::optional<private_moments>) -> private_recipe<Chain>;

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
/// Ensures   asked for the same round with the same weights it gives the same answer, unless it is private and sends whole
///           updates: then it pays again and draws again. Where its uploads have a memory, that holds for the last round: an earlier
///           one would be answered by what it remembers now. Round 0 starts with an empty memory
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
    const auto m = decode_message(request);
    if (!m) return refusal(0, m.error());
    const auto reply = detail::or_error(concat("office ", id_, ": "), [&] { return reply_to(*m); });
    return reply ? encode(*reply) : refusal(m->round, reply.error());
  }

  const dataset<float>& data() const noexcept { return data_; }

  std::span<const float> memory() const override {
    if (!training_) return restored_;
    if constexpr (controls) return training_->control();
    return encodes ? std::span<const float>(uploads_.slots) : weights_.local();
  }
  void restore(std::vector<float> kept) override { restored_ = std::move(kept); }
  /// The weights it trained last, local layers among them.
  const parameters<float>& weights() const noexcept { return weights_; }

 private:
  static constexpr bool encodes = requires { requires Recipe::encodes; };
  static constexpr bool sends_shares = requires { requires Recipe::sends_shares; };
  /// Behind the weights of orders and updates lies a control variate (federated/scaffold.hpp).
  static constexpr bool controls = requires { requires Recipe::controls; };

  std::vector<std::byte> refusal(std::uint32_t round, const error& why) const {
    return detail::encode_refusal(data_.schema.hash(), round, id_, why.message);
  }

  result<message> reply_to(const message& m) {
    switch (m.kind) {
      case message_kind::ask_schema:
        return make(message_kind::schema, m, encode_schema({data_.schema, units_}));
      case message_kind::ask_moments:
        return sum_moments(m);
      case message_kind::agree:
        return agree(m);
      case message_kind::ask_classes:
        return count_classes(m);
      case message_kind::agree_classes:
        return weigh_classes(m);
      case message_kind::architecture:
        return build(m);
      case message_kind::ask_start:
        return start(m);
      case message_kind::train:
        return train(m);
      default:
        return error::of(fault::message, "office ", id_, ": message kind ", static_cast<unsigned>(m.kind),
                         " is none that a client answers");
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
    factor_ = 1;
    return make(message_kind::agreed, m, {});
  }

  result<message> count_classes(const message& m) const {
    const auto all = decode_number(m.body, "ask_classes");
    if (!all) return all.error();
    if (*all < units_)
      return error::of(fault::message, "office ", id_, ": has ", units_, " rows, all clients together ",
                       *all);
    if constexpr (Recipe::is_private) return no_budget_for_classes();
    std::vector<double> shares;
    for (const auto count : data_.class_counts())
      shares.push_back(static_cast<double>(count) / static_cast<double>(*all));
    return make(message_kind::classes, m, encode_numbers(std::span<const double>(shares)));
  }

  error no_budget_for_classes() const {
    return error::of(fault::leak, "office ", id_,
                     ": trains privately and has no budget for how many rows each class has");
  }

  result<message> weigh_classes(const message& m) {
    if constexpr (Recipe::is_private) return no_budget_for_classes(); // its weight would tell
    const auto shares = decode_numbers<double>(m.body, "agree_classes");
    if (!shares) return shares.error();
    const auto factor = class_factor(*shares, data_.class_counts());
    if (!factor) return error{factor.error().kind, concat("office ", id_, ": ", factor.error().message)};
    factor_ = *factor;
    return make(message_kind::agreed_classes, m, {});
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
    training_.reset(); // what fails below leaves no model, not half of one
    const bool has_local = model->sizes().local > 0;
    if constexpr (encodes || sends_shares)
      require(!has_local, fault::unsupported, "office ", id_, ": a model with ", model->sizes().local,
              " local parameters, uploads of this kind hold all that are trained");
    weights_ = has_local ? initialise<float>(*model, seed_) : model->template make_parameters<float>();
    local_round_.reset();
    training_.emplace(recipe_.template training<Arch>(*model, data_, seed_, id_));
    try {
      if constexpr (encodes)
        remember();
      else if (!restored_.empty())
        take_back();
    } catch (...) {
      training_.reset();
      throw;
    }
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

  void take_back() {
    if constexpr (controls) {
      training_->restore(restored_);
    } else {
      require(restored_.size() == weights_.local().size(), fault::shape, "office ", id_, ": its memory has ",
              restored_.size(), " numbers, the model ", weights_.local().size(), " local parameters");
      std::ranges::copy(restored_, weights_.local().begin());
    }
    restored_.clear();
  }

  /// Local layers go on from round to round; a round that is asked for again begins with what they were before it,
  /// round 0 with the seed's.
  void begin_local(std::uint32_t round) {
    const auto local = weights_.local();
    if (local.empty()) return;
    if (round == 0)
      std::ranges::copy(first_local(), local.begin());
    else if (local_round_ == round)
      std::ranges::copy(local_before_, local.begin());
    local_before_.assign(local.begin(), local.end());
    local_round_ = round;
  }
  std::vector<float> first_local() const {
    const auto first = initialise<float>(training_->model(), seed_);
    return {first.local().begin(), first.local().end()};
  }

  /// A model of the same size goes on with the memory that is there.
  void remember() {
    const std::size_t n = weights_.shared().size();
    auto fresh = recipe_.upload.template init<float>(n);
    if (uploads_.slots.size() != fresh.slots.size()) uploads_ = std::move(fresh);
    answered_.reset();
    if (restored_.empty()) return;
    require(restored_.size() == uploads_.slots.size(), fault::shape, "office ", id_, ": its memory has ",
            restored_.size(), " numbers, uploads of this model need ", uploads_.slots.size());
    std::ranges::copy(restored_, uploads_.slots.begin());
    restored_.clear();
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
    const std::size_t expected = (controls ? 2 : 1) * shared.size();
    if (order->weights.size() != expected)
      return error::of(fault::shape, "office ", id_, ": got ", order->weights.size(),
                       " weights, the model has ", shared.size(),
                       controls ? ", and as many for a control variate" : "");
    if (order->examples < units_)
      return error::of(fault::message, "office ", id_, ": has ", units_, " rows, the round ",
                       order->examples);

    if constexpr (encodes) // trained again, it would remember the same update twice
      if (answered_ && answered_->round == m.round && answered_->order == order_of(m))
        return make(message_kind::encoded_update, m, answered_->body);
    begin_local(m.round);
    std::copy_n(order->weights.begin(), shared.size(), shared.begin());
    if constexpr (sends_shares) {
      auto share = training_->run(weights_, data_.view(), data_.labels, m.round, paying(m.round));
      if (!share) return share.error();
      return make(message_kind::share, m,
                  encode_share({id_, m.schema_hash, units_, training_->steps_per_round(), std::move(*share),
                                training_->grid(), training_->holders()}));
    } else {
      auto reply = train_alone(m, *order);
      // A round that comes to nothing leaves no trace in what goes on.
      if (!reply && !weights_.local().empty()) std::ranges::copy(local_before_, weights_.local().begin());
      return reply;
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
      for (const float w : weights_.trained())
        if (!std::isfinite(w))
          return error::of(
              fault::range, "office ", id_,
              ": noise has driven its weights out of their range; a lower learning rate may help");
    } else {
      const auto done = [&] {
        if constexpr (controls)
          return training_->run(weights_, std::span(order.weights).subspan(shared.size()), data_.view(),
                                data_.labels, m.round);
        else
          return training_->run(weights_, data_.view(), data_.labels, m.round);
      }();
      if (std::ranges::any_of(weights_.trained(), [](float w) { return !std::isfinite(w); }) ||
          !std::isfinite(done.loss)) {
        if constexpr (controls) training_->give_up();
        return error::of(fault::range, "office ", id_, ": training diverged, its loss is ", done.loss,
                         "; a lower learning rate may help");
      }
      u.steps = done.steps;
      u.loss = done.loss;
    }
    u.examples = units_;
    u.weight = factor_ * static_cast<double>(units_) / static_cast<double>(order.examples);
    if constexpr (encodes) return encode_upload(m, order, u);
    u.shared.resize(shared.size());
    for (std::size_t i = 0; i < shared.size(); ++i)
      u.shared[i] = static_cast<float>(u.weight * (static_cast<double>(order.weights[i]) - shared[i]));
    if constexpr (controls)
      for (const float x : training_->control_change())
        u.shared.push_back(static_cast<float>(u.weight * static_cast<double>(x)));
    return make(message_kind::update, m, encode_update(u));
  }

  /// The same, through the upload chain.
  result<message> encode_upload(const message& m, const training_order& order, const client_update& u) {
    const auto shared = std::as_const(weights_).shared();
    const std::size_t n = shared.size();
    std::vector<float> given(n);
    for (std::size_t i = 0; i < n; ++i)
      given[i] = static_cast<float>(static_cast<double>(order.weights[i]) - shared[i]);
    if (m.round == 0) std::ranges::fill(uploads_.slots, 0.0F);
    recipe_.upload.template update<Arch>(std::span<float>(given), 0, uploads_,
                                         {.step = m.round, .parameters = order.weights});
    const auto& encoding = recipe_.upload.encoding();
    const upload_context who{seed_, m.round, id_};
    auto numbers = [&] {
      if constexpr (requires { encoding.slots; })
        return encoding.template encode<Arch>(given, state_slice<float>(uploads_.slots.data(), n, n), who);
      else
        return encoding.template encode<Arch>(given, who);
    }();
    if (!numbers) return numbers.error();
    answered_ = {m.round, order_of(m),
                 encode_update(encoded_update{.examples = u.examples,
                                              .steps = u.steps,
                                              .weight = u.weight,
                                              .loss = u.loss,
                                              .numbers = std::move(*numbers)})};
    return make(message_kind::encoded_update, m, answered_->body);
  }
  /// Tells the orders of a round apart.
  static std::uint64_t order_of(const message& m) { return detail::message_checksum({}, m.body); }

  error scaled_already() const {
    return error::of(fault::schema, "office ", id_,
                     ": its data is scaled already: ", in_quotes(data_.schema.scaling));
  }
  message make(message_kind kind, const message& request, std::vector<std::byte> body) const {
    return {kind, data_.schema.hash(), request.round, id_, std::move(body)};
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

  double factor_ = 1; ///< of its weight, by its classes
  std::vector<float> local_before_;
  std::optional<std::uint32_t> local_round_;

  // Of encoded uploads.
  struct answer_given {
    std::uint32_t round;
    std::uint64_t order;
    std::vector<std::byte> body;
  };
  chain_state<float> uploads_;
  std::vector<float> restored_;
  std::optional<answer_given> answered_;
};

} // namespace privet
