#pragma once
// What a network remembers of one chunk of rows: the output of every layer and the delta that
// came back to it. The network owns it, not the layers, so that per-example norms and weighted
// sums need no second pass; it is sized by the chunk, so a batch of any size allocates nothing.

#include <privet/core/aligned.hpp>
#include <privet/core/error.hpp>
#include <privet/simd/convolution.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace privet {

/// What is run on a tape. One for `forward` alone holds an output only until the last layer that reads it has run, and
/// nothing that comes back: of a deep network a small part of one for `both`.
enum class passes { both, forward };

/// What rows behind the first 16 may take where nobody states how many are run at a time: deep networks on large
/// images are run by fewer than small ones.
inline constexpr std::size_t usual_tape_bytes = std::size_t{1} << 28;

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
    std::size_t kept = 0;     ///< scalars of each row that the layer keeps beside its output
    bool weighs = false;      ///< its sums multiply by coefficients themselves
    std::size_t tied = 0; ///< of a layer that shares parameters, room to form gradients of single examples
    // Where nothing comes back: the last layers that read its output and what it reads otherwise, and the layer
    // with which writing the latter begins.
    std::size_t until = 0, entry_until = 0, entry_from = 0;
  };

  /// Gradients of single examples are kept as long as they take no more bytes than this, and made twice of the
  /// layers for which there is no room left: once for the norm and once for the sum, to the same bits.
  static constexpr std::size_t most_kept = std::size_t{1} << 23;

  /// Room for chunks of up to `capacity` rows through these layers, and for `scratch` scalars. Made for `forward` alone
  /// it holds the output of the last layer and no other afterwards.
  tape(std::span<const block> layers, std::size_t capacity, std::size_t scratch, passes of = passes::both) {
    const rooms all = place_layers(layers, capacity, of);
    outputs_.resize(all.outputs);
    deltas_.resize(all.deltas);
    scratch_.resize(scratch);
    kept_.resize(all.kept);
    weights_.resize(all.weights);
    gradient_.resize(all.gradient);
  }
  /// What such a tape would take, in bytes; it is not made.
  static std::size_t bytes(std::span<const block> layers, std::size_t capacity, std::size_t scratch,
                           passes of = passes::both) {
    const rooms all = tape().place_layers(layers, capacity, of);
    return (all.outputs + all.deltas + scratch + all.kept + all.weights + all.gradient) * sizeof(T);
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
  /// Room for two gradients of the lanes of one block, of layers that keep none, and for those of tied ones.
  T* gradient() noexcept { return gradient_.data(); }
  /// What a layer keeps beside its output.
  T* kept_rows(std::size_t layer) noexcept { return outputs_.data() + places_[layer].kept_rows; }
  /// What each example counts in the sums of a layer on lanes, of all blocks, or of one that weighs, once it is
  /// `weighed`.
  T* weights(std::size_t layer) noexcept { return weights_.data() + places_[layer].weights; }
  bool weighed = false;

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct place {
    std::size_t output = 0, delta = 0, entry = 0, entry_delta = 0, kept_rows = 0, kept = none, weights = 0;
  };

  /// Scalars of each kind.
  struct rooms {
    std::size_t outputs = 0, deltas = 0, kept = 0, weights = 0, gradient = 0;
  };
  /// Outputs that share memory with those that nobody reads any more when they are written.
  class shared_room {
   public:
    /// Where so many scalars lie from the time that layer `first` writes until `last` has read.
    std::size_t reserve(std::size_t scalars, std::size_t first, std::size_t last) {
      std::size_t at = 0;
      for (const taken& t : all_) // by place
        if (t.first <= last && first <= t.last) {
          if (at + scalars <= t.at) break;
          at = std::max(at, t.at + t.scalars);
        }
      const auto behind = std::ranges::find_if(all_, [&](const taken& t) { return t.at > at; });
      all_.insert(behind, {at, scalars, first, last});
      return at;
    }

   private:
    struct taken {
      std::size_t at, scalars, first, last;
    };
    std::vector<taken> all_;
  };

  /// Finds a place for everything.
  rooms place_layers(std::span<const block> layers, std::size_t capacity, passes of) {
    capacity_ = capacity;
    const std::size_t blocks = (capacity + simd::lane_block - 1) / simd::lane_block,
                      padded = blocks * simd::lane_block;
    // Whole cache lines apart, so that every layer's block is aligned.
    const auto lines = [line = cache_line / sizeof(T)](std::size_t scalars) {
      return (scalars + line - 1) / line * line;
    };
    const auto reserve = [&](std::size_t& total, std::size_t scalars) {
      const std::size_t start = total;
      total += lines(scalars);
      return start;
    };
    rooms all;
    shared_room shared;
    const bool back = of == passes::both;
    const auto reserve_output = [&](std::size_t scalars, std::size_t first, std::size_t last) {
      if (back) return reserve(all.outputs, scalars);
      const std::size_t at = shared.reserve(lines(scalars), first, last);
      all.outputs = std::max(all.outputs, at + lines(scalars));
      return at;
    };
    const auto reserve_delta = [&](std::size_t scalars) { return back ? reserve(all.deltas, scalars) : 0; };
    // Where no gradient is made twice, the deltas of a block are not read again once the block is done.
    std::size_t wanted = 0;
    for (const auto& layer : layers) wanted += layer.gradient * padded * sizeof(T);
    delta_blocks_ = wanted <= most_kept ? 1 : blocks;
    const auto of_lanes = [&](std::size_t width) { return width * delta_blocks_ * simd::lane_block; };
    places_.reserve(layers.size());
    for (const auto& layer : layers) {
      place own;
      const std::size_t i = places_.size();
      if (layer.entry > 0) {
        own.entry = reserve_output(layer.entry * (layer.lanes ? padded : capacity), layer.entry_from,
                                   layer.entry_until);
        // Nobody reads the delta of the rows that enter the network.
        own.entry_delta = reserve_delta(i == 0        ? 0
                                        : layer.lanes ? of_lanes(layer.entry)
                                                      : layer.entry * capacity);
      }
      if (layer.in_place) {
        own.output = places_.back().output;
        own.delta = places_.back().delta;
      } else {
        if (!layer.borrows)
          own.output = reserve_output(layer.width * (layer.lanes ? padded : capacity), i, layer.until);
        own.delta = reserve_delta(layer.lanes ? of_lanes(layer.width) : layer.width * capacity);
      }
      if (layer.kept > 0)
        own.kept_rows = reserve_output(layer.kept * (layer.lanes ? padded : capacity), i, i);
      if (layer.weighs && back) own.weights = reserve(all.weights, capacity);
      if (layer.gradient > 0 && back) {
        own.weights = reserve(all.weights, padded);
        if ((all.kept + layer.gradient * padded) * sizeof(T) <= most_kept)
          own.kept = reserve(all.kept, layer.gradient * padded);
        else
          all.gradient = std::max(all.gradient, 2 * layer.gradient * simd::lane_block);
      }
      if (back) all.gradient = std::max(all.gradient, layer.tied);
      places_.push_back(own);
    }
    if (!layers.empty() && layers.back().lanes) {
      std::size_t first = layers.size() - 1; // of the last ones on lanes, which write block by block
      while (first > 0 && layers[first - 1].lanes) --first;
      exit_ = reserve_output(layers.back().width * capacity, first, layers.size());
      exit_delta_ = reserve_delta(layers.back().width * capacity);
    }
    return all;
  }

  /// Whether the layer is the last and its output lies in lanes: others read it as rows.
  bool leaves(std::size_t layer) const noexcept { return exit_ != none && layer + 1 == places_.size(); }

  std::size_t capacity_ = 0, delta_blocks_ = 1, exit_ = none, exit_delta_ = none;
  std::vector<place> places_;
  aligned_vector<T> outputs_, deltas_, scratch_, kept_, weights_, gradient_;
};

} // namespace privet
