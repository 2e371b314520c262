#pragma once
// Local training of a model in two parts: first the head, which stays on the device, then the body, which all share.

#include <privet/core/chain.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/moving_part.hpp>
#include <privet/train/local_training.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace privet {

namespace detail {

/// The chain, whose last stage then holds everything but one part of the parameters where it is. Behind the optimiser,
/// so that neither decay nor a pull moves them.
template <class... S>
auto moving_only(const chain_of<S...>& steps, const moving_part& part) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return chain(steps.stages().template get<I>()..., part);
  }(std::index_sequence_for<S...>{});
}

} // namespace detail

/// Rounds of FedRep on one client: `head_epochs` in which the layers that `keep_local` names move alone, then
/// `body_epochs` in which all others do.
///
/// Schedule  counts the steps of each part alone: one over a whole run ends too early in the part of more epochs
/// Memory    the optimiser's begins from zero in each part of each round; beside that a round is a function of (weights,
///           local layers, rows, seed, client, round)
/// Errors    N001 for a model without local or without shared parameters, and as `local_training`
/// Source    Collins, Hassani, Mokhtari, Shakkottai, "Exploiting Shared Representations for Personalized Federated
///           Learning", ICML 2021, arXiv:2102.07078, algorithm 1
/// Test      tests/train/fed_rep.test.cpp
template <class Model, Loss LossType, class Chain, class T = float, class Arch = simd::default_arch>
class fed_rep_training {
  using in_part = decltype(detail::moving_only(std::declval<const Chain&>(), moving_part{}));
  using part_training = local_training<Model, LossType, in_part, T, Arch>;

 public:
  using outcome = typename part_training::outcome;

  fed_rep_training(const Model& model, const LossType& loss, const Chain& steps, std::size_t head_epochs,
                   std::size_t body_epochs, std::size_t batch, std::size_t rows, std::uint64_t seed,
                   std::uint32_t client)
      : head_(model, loss, detail::moving_only(steps, head_of(model)), head_epochs, batch, rows,
              seed ^ 0xD1B54A32D192ED03u, client), // other batches than those of the body
        body_(model, loss, detail::moving_only(steps, body_of(model)), body_epochs, batch, rows, seed,
              client) {}

  std::uint64_t steps_per_round() const noexcept { return head_.steps_per_round() + body_.steps_per_round(); }
  const Model& model() const noexcept { return body_.model(); }

  /// Trains `p` in place; the loss is the mean over the rows of all epochs. Throws as `local_training::run`.
  outcome run(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels,
              std::uint64_t round) {
    const outcome head = head_.run(p, rows, labels, round), body = body_.run(p, rows, labels, round);
    const auto steps = static_cast<double>(head.steps + body.steps);
    return {
        head.steps + body.steps,
        (static_cast<double>(head.steps) * head.loss + static_cast<double>(body.steps) * body.loss) / steps};
  }

 private:
  static moving_part head_of(const Model& model) {
    const auto sizes = model.sizes();
    require(sizes.local > 0 && sizes.shared > 0, fault::argument, "fed_rep: a model with ", sizes.shared,
            " shared and ", sizes.local, " local parameters, needs both; keep_local names its head");
    return {.first = sizes.shared, .last = sizes.shared + sizes.local};
  }
  static moving_part body_of(const Model& model) { return {.first = 0, .last = model.sizes().shared}; }

  part_training head_, body_;
};

/// What a client runs: `offices{keep_local(model, {2}), data, fed_rep{steps, 10, 1, 32}}`. FedPer, which trains both parts
/// at once, is a `local_recipe` of such a model.
template <class Chain, Loss LossType = softmax_cross_entropy>
struct fed_rep {
  Chain steps;
  std::size_t head_epochs = 10, body_epochs = 1;
  std::size_t batch = 32;
  LossType loss{};

  static constexpr bool is_private = false;
  template <class Data>
  static std::size_t units(const Data& data) {
    return data.rows();
  }
  template <class Arch, class Model, class Data>
  fed_rep_training<Model, LossType, Chain, float, Arch> training(const Model& model, const Data& data,
                                                                 std::uint64_t seed,
                                                                 std::uint32_t client) const {
    return {model, loss, steps, head_epochs, body_epochs, batch, data.rows(), seed, client};
  }
};
template <class Chain>
fed_rep(Chain) -> fed_rep<Chain>;
template <class Chain>
fed_rep(Chain, std::size_t, std::size_t) -> fed_rep<Chain>;
template <class Chain>
fed_rep(Chain, std::size_t, std::size_t, std::size_t) -> fed_rep<Chain>;

} // namespace privet
