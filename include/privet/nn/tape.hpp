#pragma once
// What a network remembers of one chunk of rows: the output of every layer and the delta that
// came back to it. The network owns it, not the layers, so that per-example norms and weighted
// sums need no second pass; it is sized by the chunk, so a batch of any size allocates nothing.

#include <privet/core/aligned.hpp>
#include <privet/core/error.hpp>
#include <privet/simd/convolution.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace privet {

template <class T>
class tape {
 public:
  tape() = default;
  /// What the tape keeps for one layer.
  struct block {
    std::size_t width = 0; ///< of its output
    bool in_place = false; ///< it overwrites the output of the layer before it
    bool lanes = false;    ///< its output lies in lanes
    std::size_t entry =
        0; ///< width of what it reads where that lies otherwise than what is written before it
    std::size_t gradient = 0; ///< of a layer on lanes with parameters, how many
    bool borrows = false;     ///< its output is that of an earlier layer; its delta is its own
  };

  /// Gradients of single examples are kept as long as they take no more bytes than this, and made twice of the
  /// layers for which there is no room left: once for the norm and once for the sum, to the same bits.
  static constexpr std::size_t most_kept = std::size_t{1} << 23;

  /// Room for chunks of up to `capacity` rows through these layers, and for `scratch` scalars.
  tape(std::span<const block> layers, std::size_t capacity, std::size_t scratch) : capacity_(capacity) {
    const std::size_t blocks = (capacity + simd::lane_block - 1) / simd::lane_block,
                      padded = blocks * simd::lane_block;
    // Whole cache lines apart, so that every layer's block is aligned.
    const auto reserve = [line = cache_line / sizeof(T)](std::size_t& total, std::size_t scalars) {
      const std::size_t start = total;
      total += (scalars + line - 1) / line * line;
      return start;
    };
    std::size_t total = 0, deltas = 0, kept = 0, weights = 0, gradient = 0;
    // Where no gradient is made twice, the deltas of a block are not read again once the block is done.
    std::size_t wanted = 0;
    for (const auto& layer : layers) wanted += layer.gradient * padded * sizeof(T);
    delta_blocks_ = wanted <= most_kept ? 1 : blocks;
    const auto of_lanes = [&](std::size_t width) { return width * delta_blocks_ * simd::lane_block; };
    places_.reserve(layers.size());
    for (const auto& layer : layers) {
      place own;
      if (layer.in_place) {
        own.output = places_.back().output;
        own.delta = places_.back().delta;
      } else {
        if (!layer.borrows) own.output = reserve(total, layer.width * (layer.lanes ? padded : capacity));
        own.delta = reserve(deltas, layer.lanes ? of_lanes(layer.width) : layer.width * capacity);
      }
      if (layer.entry > 0) {
        own.entry = reserve(total, layer.entry * (layer.lanes ? padded : capacity));
        // Nobody reads the delta of the rows that enter the network.
        const bool first = places_.empty();
        own.entry_delta = reserve(deltas, first         ? 0
                                          : layer.lanes ? of_lanes(layer.entry)
                                                        : layer.entry * capacity);
      }
      if (layer.gradient > 0) {
        own.weights = reserve(weights, padded);
        if ((kept + layer.gradient * padded) * sizeof(T) <= most_kept)
          own.kept = reserve(kept, layer.gradient * padded);
        else
          gradient = std::max(gradient, 2 * layer.gradient * simd::lane_block);
      }
      places_.push_back(own);
    }
    if (!layers.empty() && layers.back().lanes) {
      exit_ = reserve(total, layers.back().width * capacity);
      exit_delta_ = reserve(deltas, layers.back().width * capacity);
    }
    outputs_.resize(total);
    deltas_.resize(deltas);
    scratch_.resize(scratch);
    kept_.resize(kept);
    weights_.resize(weights);
    gradient_.resize(gradient);
  }

  std::size_t capacity() const noexcept { return capacity_; }
  /// (rows, width of layer i); of a layer on lanes (blocks, width, lane), but for the last layer
  T* output(std::size_t layer) noexcept {
    return outputs_.data() + (leaves(layer) ? exit_ : places_[layer].output);
  }
  /// d loss / d output of layer i, as `output`; of a layer on lanes of one block at a time, but for the last layer
  T* delta(std::size_t layer) noexcept {
    return deltas_.data() + (leaves(layer) ? exit_delta_ : places_[layer].delta);
  }
  T* scratch() noexcept { return scratch_.data(); }

  /// As the layer itself writes it, the last one too.
  T* written(std::size_t layer) noexcept { return outputs_.data() + places_[layer].output; }
  T* written_delta(std::size_t layer) noexcept { return deltas_.data() + places_[layer].delta; }
  /// What a layer reads that is not as the layer before wrote it, and its delta.
  T* entry(std::size_t layer) noexcept { return outputs_.data() + places_[layer].entry; }
  T* entry_delta(std::size_t layer) noexcept { return deltas_.data() + places_[layer].entry_delta; }
  /// Block b of deltas on lanes, `width` wide: where one block is all there is room for, that.
  T* delta_block(std::size_t b, std::size_t width, T* deltas) const noexcept {
    return deltas + (delta_blocks_ == 1 ? 0 : b) * width * simd::lane_block;
  }

  /// The gradient of each example, (blocks, gradient, lane), of a layer that keeps them; null of others.
  T* kept(std::size_t layer) noexcept {
    return places_[layer].kept == none ? nullptr : kept_.data() + places_[layer].kept;
  }
  /// Room for two gradients of the lanes of one block, of layers that keep none.
  T* gradient() noexcept { return gradient_.data(); }
  /// What each example counts in the sums of a layer on lanes, of all blocks, once it is `weighed`.
  T* weights(std::size_t layer) noexcept { return weights_.data() + places_[layer].weights; }
  bool weighed = false;

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct place {
    std::size_t output = 0, delta = 0, entry = 0, entry_delta = 0, kept = none, weights = 0;
  };

  /// Whether the layer is the last and its output lies in lanes: others read it as rows.
  bool leaves(std::size_t layer) const noexcept { return exit_ != none && layer + 1 == places_.size(); }

  std::size_t capacity_ = 0, delta_blocks_ = 1, exit_ = none, exit_delta_ = none;
  std::vector<place> places_;
  aligned_vector<T> outputs_, deltas_, scratch_, kept_, weights_, gradient_;
};

} // namespace privet
