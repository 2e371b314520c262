#pragma once
// A training step that sees each example several times, each time changed, and still bounds the example once.

#include <privet/data/augment.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace privet {

/// As `training_step`, but the gradient of an example is the mean over `copies` augmented copies of it, and the bound
/// acts on that mean (augmentation multiplicity).
///
/// Formula   sum over examples of c(|g|) g with g = 1/K sum over k of the gradient of copy k: K copies move the
///           sum by no more than the bound, as one would
/// Coins     of a copy: (seed, step, index of the row, copy); under noise the seed is drawn anew from the operating
///           system for each step, so that rows of two neighbours can be matched coin by coin
/// Privacy   that of `training_step`, per example, whatever the number of copies; `sum_of` says so to the mechanism
/// Timing    an example whose gradient is not finite is left out, which takes less time
/// Cost      K rows forward and backward for each example, one example at a time, and two more vectors as long as the
///           parameters; no allocation in a step
/// Source    De, Berrada, Hayes, Smith, Balle, arXiv:2204.13650, section 3.2
/// Test      tests/train/multiplied_step.test.cpp
template <class Model, Loss LossType, class Steps, class T = float, class Arch = simd::default_arch>
class multiplied_step : training_step<Model, LossType, Steps, T, Arch> {
  using base = training_step<Model, LossType, Steps, T, Arch>;
  using Chain = detail::chain_or_neutral<Steps>;

 public:
  using base::anchor, base::chain, base::init, base::model, base::out_width, base::targets_per_row;
  using typename base::model_type, typename base::loss_type, typename base::chain_type;
  using typename base::target, typename base::value_type, typename base::arch_type;

  /// Throws N001 for no copies, N003 when the model reads other rows than the augmentation writes.
  multiplied_step(const Model& layers, LossType loss, Steps steps, augmentation change, std::size_t copies)
      : base(layers, std::move(loss), std::move(steps), std::max<std::size_t>(copies, 1)),
        change_(std::move(change)),
        copies_(copies),
        example_(this->gradient_.size()),
        part_(this->gradient_.size()) {
    require(copies > 0, fault::argument, "multiplied_step: 0 copies of each example");
    require(change_.shape().size() == layers.in_width(), fault::shape, "the model reads rows ",
            layers.in_width(), " wide, the augmentation writes ", change_.shape().size());
    std::string layer;
    for (const auto& tensor : layers.tensors()) { // "<layer>.<name>"
      const auto own = tensor.name.substr(0, tensor.name.find('.'));
      if (!Chain::bounds_by_layer || own != layer) layers_.emplace_back();
      layers_.back().push_back({tensor.offset, tensor.size});
      layer = own;
    }
    squares_.resize(Chain::bounds_by_layer ? layers_.size() : 1);
  }

  std::size_t copies() const noexcept { return copies_; }
  std::size_t in_width() const { return change_.input_shape().size(); }

  /// What the mechanism of the chain must know of the sums of batches of up to `most_rows` examples.
  ///
  /// Proof     docs/privacy/training.md, point 3, with sums of `rows_in_part` examples and their sum; norms are
  ///           added up in double precision
  bounded_sum sum_of(std::size_t most_rows, double expected_batch) const {
    const double u = std::numeric_limits<T>::epsilon() / 2, rows = static_cast<double>(most_rows),
                 part = std::min(rows, static_cast<double>(rows_in_part)),
                 norm = sizeof(T) < sizeof(double) ? 1 : static_cast<double>(this->gradient_.size());
    const double sums = rows * (part + rows / std::max(part, 1.0) + 9);
    return {this->gradient_.size(), u * (sums + norm / 2 + 8) * 1.001, this->count_deviation(expected_batch)};
  }

  /// As `training_step::operator()`: `data` holds rows as the augmentation reads them, the loss is the mean over the
  /// copies of each example.
  double operator()(parameters<T>& p, chain_state<T>& state, rows_view<T> data, const target* targets,
                    std::span<const std::uint32_t> batch, double expected_batch, std::uint64_t seed = 0) {
    const simd::flush_denormals quick;
    require(data.columns == in_width(), fault::shape, "the augmentation reads rows ", in_width(),
            " wide, got ", data.columns);
    const double scale = this->start(p, state, expected_batch, seed);
    const std::span<T> sum = this->gradient_, part = part_;
    std::ranges::fill(sum, T{});
    double loss = 0;
    for (std::size_t first = 0; first < batch.size(); first += rows_in_part) {
      std::ranges::fill(part, T{});
      for (std::size_t r = first; r < std::min(first + rows_in_part, batch.size()); ++r) {
        loss += example_gradient(p, state.step, data, targets, batch[r], r, seed);
        if (const T c = coefficient(); c != T{}) simd::axpy<Arch>(c, std::span<const T>(example_), part);
      }
      simd::axpy<Arch>(T{1}, std::span<const T>(part), sum);
    }
    this->apply_sum(p, state, scale);
    this->end(state, expected_batch);
    return loss;
  }

 private:
  static constexpr std::size_t rows_in_part = 64; ///< examples in a row; the sums of so many are added up

  struct slice {
    std::size_t offset, size;
  };

  /// Leaves the sum over the copies of row `index`, number `r` of the batch, in `example_`; returns their mean loss.
  double example_gradient(const parameters<T>& p, std::uint64_t step, rows_view<T> data,
                          const target* targets, std::uint32_t index, std::size_t r, std::uint64_t seed) {
    const std::size_t width = this->model().in_width(), per_row = this->targets_per_row();
    const std::span<const T> row(data.data + index * data.columns, data.columns);
    for (std::size_t k = 0; k < copies_; ++k) {
      change_(row, {seed, step, index, static_cast<std::uint32_t>(k)},
              std::span<T>(this->inputs_).subspan(k * width, width));
      std::copy_n(targets + index * per_row, per_row, this->targets_.data() + k * per_row);
    }
    const T* const x = this->inputs_.data();
    const double loss =
        this->deltas_of_rows(p, copies_, x, this->targets_.data(),
                             {mode::training, seed, step, static_cast<std::uint32_t>(r * copies_)});
    std::ranges::fill(example_, T{});
    this->model().template accumulate<Arch>(copies_, x, this->memory_, std::span<T>(example_));
    return loss / static_cast<double>(copies_);
  }

  /// What makes the example's share of the sum of `example_`; by layer it scales it in place and is 1. Zero for an
  /// example that is left out.
  T coefficient() {
    const T each = T{1} / static_cast<T>(copies_);
    if constexpr (Chain::bounds == 0) {
      return each;
    } else {
      for (std::size_t l = 0; l < squares_.size(); ++l) {
        double squared = 0;
        for_each_of(l, [&](std::span<const T> values) {
          for (const T x : values) squared += static_cast<double>(x) * static_cast<double>(x);
        });
        // Of an underflow the least number is left, as the rounding of the bound reckons; NaN stays NaN.
        squares_[l] = std::max(static_cast<T>(squared / static_cast<double>(copies_ * copies_)),
                               std::numeric_limits<T>::min());
      }
      this->make_coefficients(1, squares_);
      if constexpr (!Chain::bounds_by_layer) return squares_[0] * each;
      if (std::ranges::count(squares_, T{}) == static_cast<std::ptrdiff_t>(squares_.size())) return T{};
      for (std::size_t l = 0; l < squares_.size(); ++l)
        for_each_of(l, [&](std::span<T> values) {
          for (T& x : values) x *= squares_[l] * each;
        });
      return T{1};
    }
  }

  /// The pieces of `example_` that the bound takes together: those of layer l, or all.
  template <class F>
  void for_each_of(std::size_t l, F&& f) {
    if constexpr (Chain::bounds_by_layer)
      for (const slice s : layers_[l]) f(std::span<T>(example_).subspan(s.offset, s.size));
    else
      f(std::span<T>(example_));
  }

  augmentation change_;
  std::size_t copies_;
  aligned_vector<T> example_, part_;
  std::vector<std::vector<slice>> layers_; ///< with parameters, in their order
  std::vector<T> squares_;                 ///< squared norms of an example, then its coefficients
};

template <class Model, class LossType, class Chain>
multiplied_step(const Model&, LossType, Chain, augmentation, std::size_t)
    -> multiplied_step<Model, LossType, Chain>;

} // namespace privet
