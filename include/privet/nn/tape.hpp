#pragma once
// What a network remembers of one chunk of rows: the output of every layer and the delta that
// came back to it. The network owns it, not the layers, so that per-example norms and weighted
// sums need no second pass; it is sized by the chunk, so a batch of any size allocates nothing.

#include <privet/core/aligned.hpp>
#include <privet/core/error.hpp>

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
  };

  /// Room for chunks of up to `capacity` rows through these layers, and for `scratch` scalars.
  tape(std::span<const block> layers, std::size_t capacity, std::size_t scratch) : capacity_(capacity) {
    std::size_t total = 0;
    for (const auto& layer : layers) {
      if (layer.in_place) {
        starts_.push_back(starts_.back());
        continue;
      }
      starts_.push_back(total);
      // Whole cache lines apart, so that every layer's block is aligned.
      const std::size_t line = cache_line / sizeof(T);
      total += (layer.width * capacity + line - 1) / line * line;
    }
    outputs_.resize(total);
    deltas_.resize(total);
    scratch_.resize(scratch);
  }

  std::size_t capacity() const noexcept { return capacity_; }
  /// (rows, width of layer i)
  T* output(std::size_t layer) noexcept { return outputs_.data() + starts_[layer]; }
  /// d loss / d output of layer i, (rows, width of layer i)
  T* delta(std::size_t layer) noexcept { return deltas_.data() + starts_[layer]; }
  T* scratch() noexcept { return scratch_.data(); }

 private:
  std::size_t capacity_ = 0;
  std::vector<std::size_t> starts_;
  aligned_vector<T> outputs_, deltas_, scratch_;
};

} // namespace privet
