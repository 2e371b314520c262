#pragma once
// A model is one flat vector and a way to read it; this is the vector.

#include <privet/core/aligned.hpp>
#include <privet/core/error.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace privet {

/// How many scalars of each kind a model reads, in this order.
struct group_sizes {
  std::size_t shared = 0;  ///< trained and uploaded
  std::size_t local = 0;   ///< trained, never leaves the device
  std::size_t buffers = 0; ///< running statistics: neither trained nor uploaded
  std::size_t frozen = 0;  ///< read only; many models may point to the same vector

  friend constexpr bool operator==(const group_sizes&, const group_sizes&) = default;
};

/// The flat, aligned, unpadded parameters of one model in four contiguous groups.
///
/// Order     shared | local | buffers in one allocation; frozen apart, shared by reference.
///           Within a group: layer order; within a layer: as the layer documents. The order is
///           the same on every target; a kernel's packed copy is private scratch.
template <class T = float>
class parameters {
 public:
  using value_type = T;

  parameters() = default;
  /// All zeros.
  explicit parameters(group_sizes sizes)
      : sizes_(sizes),
        flat_(sizes.shared + sizes.local + sizes.buffers),
        frozen_(std::make_shared<const aligned_vector<T>>(sizes.frozen)) {}

  group_sizes sizes() const noexcept { return sizes_; }

  std::span<T> shared() noexcept { return part(0, sizes_.shared); }
  std::span<const T> shared() const noexcept { return part(0, sizes_.shared); }
  std::span<T> local() noexcept { return part(sizes_.shared, sizes_.local); }
  std::span<const T> local() const noexcept { return part(sizes_.shared, sizes_.local); }
  /// What an optimiser sees: shared and local, one span.
  std::span<T> trained() noexcept { return part(0, sizes_.shared + sizes_.local); }
  std::span<const T> trained() const noexcept { return part(0, sizes_.shared + sizes_.local); }
  std::span<T> buffers() noexcept { return part(sizes_.shared + sizes_.local, sizes_.buffers); }
  std::span<const T> buffers() const noexcept { return part(sizes_.shared + sizes_.local, sizes_.buffers); }

  std::span<const T> frozen() const noexcept {
    return frozen_ ? std::span<const T>(*frozen_) : std::span<const T>();
  }
  /// Points this model at a frozen vector that others may read too.
  /// Throws N003 when its length is not `sizes().frozen`.
  void share_frozen(std::shared_ptr<const aligned_vector<T>> vector) {
    require(vector && vector->size() == sizes_.frozen, fault::shape, "frozen parameters: got ",
            vector ? vector->size() : 0, " scalars, expected ", sizes_.frozen);
    frozen_ = std::move(vector);
  }

 private:
  std::span<T> part(std::size_t offset, std::size_t n) noexcept {
    return std::span<T>(flat_).subspan(offset, n);
  }
  std::span<const T> part(std::size_t offset, std::size_t n) const noexcept {
    return std::span<const T>(flat_).subspan(offset, n);
  }

  group_sizes sizes_;
  aligned_vector<T> flat_;
  std::shared_ptr<const aligned_vector<T>> frozen_;
};

} // namespace privet
