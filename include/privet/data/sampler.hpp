#pragma once
// Which rows make up the next batch.

#include <privet/core/error.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace privet {

/// What the order of an epoch is drawn from: of one stream, as many words for each epoch as no permutation of 2^32
/// rows draws. Throws N001 from epoch 2^24 on, where the stream ends.
inline replayable_random epoch_source(std::uint64_t seed, std::uint64_t stream, std::uint64_t epoch) {
  require(epoch < std::uint64_t{1} << 24, fault::argument, "epoch ", epoch,
          " of batches, must be below 2^24");
  replayable_random source(seed, stream);
  source.skip(epoch << 40);
  return source;
}

/// Every row once per epoch, in an order that is a function of (seed, stream, epoch) alone: epochs
/// may be visited in any order or again, for instance after a restart.
///
/// Ensures  the last batch holds what is left over; no allocation after construction
/// Privacy  none: whoever knows the seed knows the order
/// Test     tests/data/sampler.test.cpp
class shuffled_batches {
 public:
  /// Throws [N001] for no rows, 2^32 rows or more, or an empty batch. The first epoch is drawn.
  shuffled_batches(std::size_t rows, std::size_t batch_size, std::uint64_t seed, std::uint64_t stream = 0)
      : batch_size_(batch_size), seed_(seed), stream_(stream) {
    require(rows > 0 && rows <= std::numeric_limits<std::uint32_t>::max(), fault::argument,
            "shuffled_batches: ", rows, " rows, must be 1 to 2^32 - 1");
    require(batch_size > 0, fault::argument, "shuffled_batches: a batch of 0 rows");
    order_.resize(rows);
    start(0);
  }

  /// Draws the order of an epoch. Throws [N001] from epoch 2^24 on, where the stream ends.
  void start(std::uint64_t epoch) {
    if (epoch == drawn_) return;
    auto source = epoch_source(seed_, stream_, epoch);
    permutation(source, order_);
    drawn_ = epoch;
  }

  /// Batches per epoch.
  std::size_t size() const noexcept { return (order_.size() - 1) / batch_size_ + 1; }

  /// Rows of batch `i`; valid until the next `start`. Precondition: i < size().
  std::span<const std::uint32_t> operator[](std::size_t i) const noexcept {
    const std::size_t from = i * batch_size_;
    return std::span(order_).subspan(from, std::min(batch_size_, order_.size() - from));
  }

  /// All rows in the order of this epoch.
  std::span<const std::uint32_t> order() const noexcept { return order_; }

 private:
  std::vector<std::uint32_t> order_;
  std::size_t batch_size_;
  std::uint64_t seed_, stream_;
  std::uint64_t drawn_ = std::numeric_limits<std::uint64_t>::max(); ///< the epoch of `order_`, at first none
};

} // namespace privet
