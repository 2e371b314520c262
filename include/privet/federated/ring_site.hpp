#pragma once
// A site of a ring: it is handed the weights, trains them for some steps on its own rows and hands them on.

#include <privet/federated/office.hpp>
#include <privet/federated/ring_consolidation.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

/// Messages of rings. The round is the number of the visit, over all laps.
inline constexpr message_kind ring_visit = static_cast<message_kind>(33),
                              ring_visited = static_cast<message_kind>(34);

/// What passes from site to site, as the body of both: u64 lap, u64 step, u64 steps, u64 rows, u8 whether there are
/// memories; f32: weights, shared group, then precision and anchor of the memories.
struct ring_state {
  std::uint64_t lap = 0;   ///< 0 for the first
  std::uint64_t step = 0;  ///< steps taken so far, by all sites
  std::uint64_t steps = 0; ///< to be taken at this visit, or just taken
  std::uint64_t rows = 0;  ///< of all sites together
  std::vector<float> weights;
  ring_memory memory{};
};

inline std::vector<std::byte> encode_ring_state(const ring_state& s) {
  byte_writer out;
  out.put(s.lap).put(s.step).put(s.steps).put(s.rows);
  out.put(static_cast<std::uint8_t>(!s.memory.empty()));
  for (const auto* numbers : {&s.weights, &s.memory.precision, &s.memory.anchor})
    detail::put_numbers(out, std::span<const float>(*numbers));
  return std::move(out).take();
}

/// Errors: N009 for bytes that are none, for a number that is not finite and for a negative precision.
inline result<ring_state> decode_ring_state(std::span<const std::byte> body) {
  constexpr std::string_view what = "ring state";
  byte_reader in(body, what);
  if (in.left() < 33)
    return error::of(fault::message, what, ": ", in.left(), " bytes, at least 33 are needed");
  ring_state s{*in.take<std::uint64_t>(),
               *in.take<std::uint64_t>(),
               *in.take<std::uint64_t>(),
               *in.take<std::uint64_t>(),
               {}};
  const auto remembers = *in.take<std::uint8_t>();
  auto numbers = detail::take_numbers<float>(in, what);
  if (!numbers) return numbers.error();
  const std::size_t parts = remembers ? 3 : 1, size = numbers->size() / parts;
  if (remembers > 1 || numbers->size() % parts != 0)
    return error::of(fault::message, what, ": ", numbers->size(), " numbers, expected a multiple of ", parts);
  const auto part = [&](std::size_t k) {
    const auto first = numbers->begin() + static_cast<std::ptrdiff_t>(k * size);
    return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size));
  };
  s.weights = part(0);
  if (remembers) s.memory = {part(1), part(2)};
  for (std::size_t i = 0; i < s.memory.precision.size(); ++i)
    if (s.memory.precision[i] < 0)
      return error::of(fault::message, what, ": precision ", i, " is ", s.memory.precision[i],
                       ", expected 0 or more");
  return s;
}

/// What a site runs between two transfers: an optimiser chain on batches of its own rows.
template <class Chain, Loss LossType = softmax_cross_entropy>
struct ring_recipe {
  Chain steps;
  std::size_t batch = 32;
  std::optional<weight_consolidation> consolidation{};
  LossType loss{};

  static constexpr bool is_private = false;
  /// What answers for the site until training begins.
  auto for_office() const { return local_recipe<Chain, LossType>{steps, 1, batch, loss}; }
};
template <class Chain>
ring_recipe(Chain, std::size_t) -> ring_recipe<Chain>;
template <class Chain>
ring_recipe(Chain, std::size_t, std::optional<weight_consolidation>) -> ring_recipe<Chain>;

/// The same where rows stay private: Poisson batches through a chain that bounds each row and adds noise in every
/// step, paid for before the first. A weight_consolidation without noise is no argument here.
///
/// Privacy   of one row of the site, add-remove, for everything the site hands on: weights, and with consolidation the
///           Fisher diagonal. The optimiser's state stays at the site. Schema, class names, the number of rows and of
///           steps are taken to be public; losses and class counts are not sent
template <class Chain, Loss LossType = softmax_cross_entropy>
struct private_ring_recipe {
  static constexpr bool is_covered = Released<typename Chain::template label<raw<unit::example>>>;
  static_assert(is_covered,
                "[P001 no-guarantee] a private ring hands on weights of a chain that adds no noise: put "
                "clip_l2{..} before "
                "average_over_batch{} and gaussian{..} behind it. docs/errors/P001.md");
  static_assert(!is_covered ||
                    detail::has_theorem<detail::any_accountant, poisson>(static_cast<const Chain*>(nullptr)),
                "[P006 no-theorem] there is no theorem for this mechanism under this sampler. Draw with "
                "poisson{..}. docs/errors/P006.md");

  Chain steps;
  poisson sampler;
  payment pay; ///< such as a debit of the site's ledger
  std::optional<private_weight_consolidation> consolidation{};
  LossType loss{};

  static constexpr bool is_private = true;
  auto for_office() const {
    if constexpr (is_covered)
      return private_recipe<Chain, LossType>{steps, sampler, 1, pay, {}, loss};
    else
      return local_recipe<Chain, LossType>{steps, 1, 1, loss};
  }

  /// What a visit of so many steps does to one row of a site of so many rows: the events in the order they are paid.
  std::vector<privacy_event> events(const network& model, std::size_t rows, std::uint64_t visit_steps) const {
    std::vector<privacy_event> all{event_of_step(model, rows)};
    all[0].count = visit_steps;
    if (consolidation) all.push_back(consolidation->event(model.sizes().shared));
    return all;
  }
  /// The noise multiplier to ask for so that the event of a step has this one.
  double noise_to_ask(const network& model, std::size_t rows, double effective) const {
    if constexpr (is_covered)
      return steps.mechanism().asked_for(effective, sum_of_step(model, rows));
    else
      return 0;
  }

 private:
  privacy_event event_of_step(const network& model, std::size_t rows) const {
    if constexpr (is_covered)
      return steps.mechanism().event(sampler, rows, sum_of_step(model, rows));
    else
      return {};
  }
  bounded_sum sum_of_step(const network& model, std::size_t rows) const {
    return training_step<network, LossType, Chain>(model, loss, steps)
        .sum_of(sampler.most(rows), sampler.expected_batch(rows));
  }
};
template <class Chain>
private_ring_recipe(Chain, poisson, payment) -> private_ring_recipe<Chain>;
template <class Chain>
private_ring_recipe(Chain, poisson, payment, std::optional<private_weight_consolidation>)
    -> private_ring_recipe<Chain>;

/// One site. It answers schema, moments, scaling and model as an office does, and `ring_visit` by training.
///
/// Memory    the optimiser's state starts from zero at every visit and is never handed on; the step number, which is
///           public, goes on over the whole ring. Without privacy a visit is a function of (what was handed over,
///           rows, seed, site)
/// Errors    answered as refusals: a message out of order, of another schema or size, numbers that are not finite, a
///           payment that is refused (nothing was trained then), training that left the finite numbers
template <class Recipe, class Arch = simd::default_arch>
class ring_site : public participant {
  static_assert(!std::remove_cvref_t<decltype(std::declval<Recipe>().steps)>::anchored,
                "a ring states no anchor: its consolidation pulls to what earlier sites left");
  using loss_type = std::remove_cvref_t<decltype(std::declval<Recipe>().loss)>;
  using chain_type = detail::pulled_chain<std::remove_cvref_t<decltype(std::declval<Recipe>().steps)>>;
  using office_type = office<decltype(std::declval<Recipe>().for_office()), Arch>;

 public:
  /// `id` counts from 1; the seed is the ring's. Throws as `office`, N001 for settings out of range.
  ring_site(std::uint32_t id, dataset<float> data, Recipe recipe, std::uint64_t seed)
      : id_(id),
        recipe_(std::move(recipe)),
        seed_(seed),
        office_(id, std::move(data), recipe_.for_office(), seed) {
    if (recipe_.consolidation) recipe_.consolidation->check();
    if constexpr (Recipe::is_private)
      check_labels(std::span<const std::int32_t>(office_.data().labels), office_.data().classes());
  }

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    const auto m = decode_message(request);
    if (!m ||
        (m->kind != ring_visit && m->kind != message_kind::architecture && m->kind != message_kind::train))
      return office_.answer(request);
    if (m->kind == message_kind::architecture) {
      auto reply = office_.answer(request);
      learn(*m, reply);
      return reply;
    }
    const auto done = detail::or_error(place(), [&] { return visit(*m); });
    if (!done) return refusal(m->round, done.error().message);
    return encode({ring_visited, data().schema.hash(), m->round, id_, encode_ring_state(*done)});
  }

  /// As they are scaled.
  const dataset<float>& data() const noexcept { return office_.data(); }

 private:
  struct trained {
    trained(const network& m, const ring_site& site, std::shared_ptr<const ring_memory> memory)
        : step(m, site.recipe_.loss,
               detail::with_stage_behind_release(
                   site.recipe_.steps, detail::consolidation_pull{std::move(memory), site.strength()})),
          weights(m.template make_parameters<float>()),
          state(step.init()) {
      if (site.recipe_.consolidation) fisher.emplace(m, site.recipe_.loss);
    }
    training_step<network, loss_type, chain_type, float, Arch> step;
    parameters<float> weights;
    chain_state<float> state;
    std::optional<fisher_diagonal<network, loss_type, Arch>> fisher;
  };

  double strength() const { return recipe_.consolidation ? recipe_.consolidation->strength : 0; }

  /// Builds the model, if the office has found it good.
  void learn(const message& m, std::vector<std::byte>& reply) {
    training_.reset();
    const auto said = decode_message(reply);
    if (!said || said->kind != message_kind::ready) return;
    const auto model = read_network(parse_json(text_of(m.body), "architecture").value(), "architecture");
    // What an office can hold, a site that also consolidates may not.
    const auto built = detail::or_error(place(), [&]() -> status {
      memory_ = std::make_shared<ring_memory>();
      training_ = std::make_unique<trained>(*model, *this, memory_);
      return nothing{};
    });
    if (!built) reply = refusal(m.round, built.error().message);
  }

  std::vector<std::byte> refusal(std::uint32_t round, std::string_view why) const {
    return detail::encode_refusal(data().schema.hash(), round, id_, why);
  }

  result<ring_state> visit(const message& m) {
    if (m.kind != ring_visit)
      return error::of(fault::message, place(), "message kind ", static_cast<unsigned>(m.kind),
                       " is none that a site of a ring answers");
    if (!training_) return error::of(fault::message, place(), "visited before it was sent a model");
    if (training_->step.model().sizes().local > 0)
      return error::of(fault::unsupported, place(), "a ring hands on all of a model, this one has ",
                       training_->step.model().sizes().local, " local parameters");
    if (m.schema_hash != data().schema.hash())
      return error::of(fault::schema, place(), "the ring is for another schema than ",
                       data().schema.hash_text());
    auto state = decode_ring_state(m.body);
    if (!state) return state.error();
    const auto shared = training_->weights.shared();
    if (state->weights.size() != shared.size())
      return error::of(fault::shape, place(), "got ", state->weights.size(), " weights, the model has ",
                       shared.size());
    if (state->memory.empty() != !recipe_.consolidation)
      return error::of(fault::state, place(),
                       recipe_.consolidation ? "consolidates weights, the ring does not"
                                             : "consolidates no weights, the ring does");
    constexpr std::uint64_t most_steps = 1'000'000'000;
    if (state->steps == 0 || state->steps > most_steps || state->lap > most_steps || state->step > most_steps)
      return error::of(fault::message, place(), "asked for ", state->steps, " steps after ", state->step,
                       ", expected 1 to ", most_steps);
    if (state->rows < data().rows())
      return error::of(fault::message, place(), "has ", data().rows(), " rows, the ring ", state->rows);
    if constexpr (Recipe::is_private)
      for (const auto& e : recipe_.events(training_->step.model(), data().rows(), state->steps))
        if (auto paid = recipe_.pay(e, concat("lap ", state->lap + 1)); !paid) return paid.error();

    std::ranges::copy(state->weights, shared.begin());
    *memory_ = state->memory;
    train(*state);
    for (const float w : shared)
      if (!std::isfinite(w))
        return error::of(fault::range, place(),
                         Recipe::is_private ? "noise has driven" : "training has driven",
                         " its weights out of their range; a lower learning rate may help");
    state->step += state->steps;
    state->weights.assign(shared.begin(), shared.end());
    if (recipe_.consolidation)
      state->memory.add(state->weights, fisher(),
                        static_cast<double>(data().rows()) / static_cast<double>(state->rows),
                        recipe_.consolidation->decay);
    return state;
  }

  void train(const ring_state& visit) {
    auto& [step, weights, state, fisher] = *training_;
    std::ranges::fill(state.slots, 0.0f);
    state.bound = step.chain().first_bound();
    state.step = visit.step;
    const std::span<const std::int32_t> labels(data().labels);
    if constexpr (Recipe::is_private) {
      poisson_batches sample(data().rows(), recipe_.sampler.law());
      auto&& coins = recipe_.sampler.coins(visit.step);
      for (std::uint64_t s = 0; s < visit.steps; ++s)
        step(weights, state, data().view(), labels.data(), sample.draw(coins),
             recipe_.sampler.expected_batch(data().rows()), seed_);
    } else {
      shuffled_batches batches(data().rows(), recipe_.batch, seed_, stream_id(purpose::batches, 0, id_));
      // Every visit is as long, so this many batches of its own rows were drawn before.
      for (std::uint64_t s = visit.lap * visit.steps, last = s + visit.steps; s < last; ++s) {
        batches.start(s / batches.size());
        const auto batch = batches[s % batches.size()];
        step(weights, state, data().view(), labels.data(), batch, static_cast<double>(batch.size()),
             client_coins(seed_, id_));
      }
    }
  }

  std::vector<double> fisher() {
    const std::span<const std::int32_t> labels(data().labels);
    if constexpr (Recipe::is_private)
      return training_->fisher->release(*recipe_.consolidation, training_->weights, data().view(), labels);
    else
      return training_->fisher->of(training_->weights, data().view(), labels);
  }

  std::string place() const { return concat("site ", id_, ": "); }

  std::uint32_t id_;
  Recipe recipe_;
  std::uint64_t seed_;
  office_type office_;
  std::shared_ptr<ring_memory> memory_;
  std::unique_ptr<trained> training_;
};

} // namespace privet
