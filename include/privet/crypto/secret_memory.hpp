#pragma once
// Memory that wipes itself.

#include <privet/core/wipe.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace privet::detail {

/// A few words, wiped where they were when they move and when they go.
template <class T, std::size_t N>
class secret_array {
 public:
  secret_array() = default;
  explicit secret_array(std::span<const T, N> from) noexcept { std::ranges::copy(from, values_.begin()); }
  secret_array(secret_array&& other) noexcept : values_(other.values_) { other.forget(); }
  secret_array& operator=(secret_array&& other) noexcept {
    if (this != &other) {
      values_ = other.values_;
      other.forget();
    }
    return *this;
  }
  ~secret_array() { forget(); }

  std::span<T, N> all() noexcept { return values_; }
  std::span<const T, N> all() const noexcept { return values_; }
  const std::array<T, N>& get() const noexcept { return values_; }

 private:
  void forget() noexcept { wipe(std::span(values_)); }
  alignas(64) std::array<T, N> values_{};
};

} // namespace privet::detail
