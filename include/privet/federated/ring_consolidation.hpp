#pragma once
// Against forgetting in a ring: what earlier sites care about pulls the weights back to where they were.

#include <privet/core/aligned.hpp>
#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// What the sites before have left behind, beside the weights: precision_i / 2 (w_i - anchor_i)^2, summed over the
/// parameters, stands for their losses. Both are empty where nothing is consolidated.
struct ring_memory {
  std::vector<float> precision, anchor;

  bool empty() const noexcept { return precision.empty(); }

  /// Adds a site that ended at `weights` and has the diagonal `fisher`, with its share of all rows; what was there
  /// before counts `decay` times as much from now on.
  ///
  /// Formula   the sum of two parabolas is one: precisions add up, anchors are averaged by precision
  void add(std::span<const float> weights, std::span<const double> fisher, double share, double decay) {
    for (std::size_t i = 0; i < precision.size(); ++i) {
      const double before = decay * precision[i], now = share * fisher[i], all = before + now;
      if (all > 0) anchor[i] = static_cast<float>((before * anchor[i] + now * weights[i]) / all);
      precision[i] = static_cast<float>(all);
    }
  }
};

/// Consolidation at a site: how strong the pull is, and how much older visits count when a new one is added.
///
/// Source    elastic weight consolidation: Kirkpatrick and others, PNAS 2017, arXiv:1612.00796; one running
///           penalty with decay: Schwarz and others, ICML 2018, arXiv:1805.06370; in rings: arXiv:2405.10647
struct weight_consolidation {
  double strength = 1;
  double decay = 0.5; ///< of the precision, at each visit

  void check() const {
    require(strength >= 0 && std::isfinite(strength), fault::argument, "weight_consolidation: strength ",
            strength, ", expected a finite number from 0");
    require(decay >= 0 && decay <= 1, fault::argument, "weight_consolidation: decay ", decay,
            ", expected 0 to 1");
  }
};

/// The same where rows stay private: the Fisher diagonal leaves with noise, once for each visit, and is paid for.
///
/// Formula   sum over the rows of y^2, y = g min(1, bound / |g|) / bound of each gradient g, in steps of 2^-30, plus
///           N(0, noise_multiplier^2), then times bound^2 / rows, and 0 where that is negative
/// Privacy   add-remove of one row moves the sum by at most 1 in l2, as |y^2|_2 <= |y|_2^2 <= 1: a Gaussian query,
///           on a grid as `gaussian`. The number of rows is taken to be public
struct private_weight_consolidation {
  double strength = 1;
  double decay = 0.5;
  double noise_multiplier = 20;
  double bound = 1; ///< of a row's gradient in l2, a public constant

  void check() const {
    weight_consolidation{strength, decay}.check();
    clip_l2{bound}.check();
    gaussian{noise_multiplier}.check();
  }
  /// What one release for so many parameters does to one row.
  privacy_event event(std::size_t parameters) const {
    // Sums of whole multiples of 2^-30 are exact for 2^23 rows; y^2 is rounded towards zero to them.
    return gaussian{noise_multiplier}.event(bounded_sum{.parameters = parameters, .rounding = 0x1p-40});
  }
};

namespace detail {

/// Gradient of the parabola of a `ring_memory`: a stage right behind the reduction, or behind the noise, since it
/// reads nothing but what was passed on.
struct consolidation_pull {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;

  std::shared_ptr<const ring_memory> toward; ///< of the site that runs the chain, and set by it
  double strength = 1;

  /// Without memories it does nothing.
  std::optional<double> scaling(std::uint64_t) const noexcept {
    if (toward && !toward->empty() && strength != 0) return std::nullopt;
    return 1;
  }
  template <class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T>, const update_context<T>& context) const {
    for (std::size_t i = 0; i < g.size(); ++i) {
      const float precision = toward->precision[offset + i], anchor = toward->anchor[offset + i];
      g[i] += static_cast<T>(strength) * static_cast<T>(precision) *
              (context.parameters[i] - static_cast<T>(anchor));
    }
  }
};

/// The chain with `stage` behind its reduction, or behind its noise where it adds some.
template <class Stage, class... S>
auto with_stage_behind_release(const chain_of<S...>& steps, const Stage& stage) {
  constexpr std::size_t at = [] {
    std::size_t found = 0, i = 0;
    ((++i, found = Reduction<S> || Mechanism<S> ? i : found), ...);
    return found;
  }();
  return [&]<std::size_t... Before, std::size_t... After>(std::index_sequence<Before...>,
                                                          std::index_sequence<After...>) {
    return chain(steps.stages().template get<Before>()..., stage,
                 steps.stages().template get<at + After>()...);
  }(std::make_index_sequence<at>{}, std::make_index_sequence<sizeof...(S) - at>{});
}
template <class Chain>
using pulled_chain = decltype(with_stage_behind_release(std::declval<const Chain&>(), consolidation_pull{}));

/// Writes down the gradient that reaches it, and lets nothing through.
struct gradient_reader {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  std::vector<float>* to;

  void update(std::span<float> g, std::size_t offset, state_slice<float>,
              const update_context<float>&) const {
    std::ranges::copy(g, to->begin() + static_cast<std::ptrdiff_t>(offset));
    std::ranges::fill(g, 0.0f);
  }
};

} // namespace detail

/// The diagonal of the empirical Fisher information: sums over rows of the squared gradients of their losses.
template <class Model, Loss LossType, class Arch = simd::default_arch>
class fisher_diagonal {
  static_assert(!Model::mixes_in_training, "the gradient of a row needs a model that does not mix rows");

 public:
  fisher_diagonal(const Model& model, LossType loss)
      : gradient_(std::make_unique<std::vector<float>>(model.sizes().shared + model.sizes().local)),
        step_(model, std::move(loss), chain(average_over_batch{}, detail::gradient_reader{gradient_.get()}),
              1) {}

  /// The mean over the rows of squared gradients.
  std::vector<double> of(const parameters<float>& p, rows_view<float> rows,
                         std::span<const std::int32_t> labels) {
    std::vector<double> sum(gradient_->size());
    for_each_gradient(p, rows, labels, [&](std::span<const float> g) {
      for (std::size_t i = 0; i < g.size(); ++i) sum[i] += static_cast<double>(g[i]) * g[i];
    });
    for (double& x : sum) x /= static_cast<double>(rows.rows);
    return sum;
  }

  /// The same as a private release. Throws N011 for 2^23 rows or more.
  std::vector<double> release(const private_weight_consolidation& how, const parameters<float>& p,
                              rows_view<float> rows, std::span<const std::int32_t> labels) {
    require(rows.rows < std::size_t{1} << 23, fault::unsupported, "fisher_diagonal: ", rows.rows,
            " rows, a private release takes fewer than ", std::size_t{1} << 23);
    std::vector<double> sum(gradient_->size());
    for_each_gradient(p, rows, labels, [&](std::span<const float> g) {
      double squared = 0;
      for (const float x : g) squared += static_cast<double>(x) * x;
      if (!std::isfinite(squared)) return; // counts as zero: nobody hears of it
      // A hair below the bound pays for the rounding of the norm.
      const double scale = std::min(1 / (how.bound * how.bound), (1 - 0x1p-30) / squared);
      for (std::size_t i = 0; i < g.size(); ++i)
        sum[i] += std::trunc(static_cast<double>(g[i]) * g[i] * scale * 0x1p30) * 0x1p-30;
    });
    gaussian{how.noise_multiplier}.release(std::span<double>(sum), how.noise_multiplier);
    for (double& x : sum) x = std::max(x, 0.0) * how.bound * how.bound / static_cast<double>(rows.rows);
    return sum;
  }

 private:
  template <class F>
  void for_each_gradient(const parameters<float>& p, rows_view<float> rows,
                         std::span<const std::int32_t> labels, const F& f) {
    parameters<float> still = p;
    auto state = step_.init();
    for (std::uint32_t r = 0; r < rows.rows; ++r) {
      state.step = 0; // the same coins of dropout for every row, whatever rows are before it
      step_(still, state, rows, labels.data(), {&r, 1}, 1);
      f(*gradient_);
    }
  }

  using steps = chain_of<average_over_batch, detail::gradient_reader>;
  std::unique_ptr<std::vector<float>> gradient_;
  training_step<Model, LossType, steps, float, Arch> step_;
};

} // namespace privet
