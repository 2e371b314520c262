#pragma once
// Memory that wipes itself.

#include <privet/core/wipe.hpp>
#include <privet/crypto/words.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

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

/// As many as are asked for, wiped before the memory goes back.
template <class T>
class secret_vector {
 public:
  explicit secret_vector(std::size_t size) : values_(size) {}
  secret_vector(const secret_vector&) = delete;
  secret_vector& operator=(const secret_vector&) = delete;

  std::span<T> all() noexcept { return values_; }
  T& operator[](std::size_t i) noexcept { return values_[i]; }

 private:
  std::vector<T, wiping_allocator<T>> values_;
};

/// Results that are wiped if an error, or an exception, comes before they are whole.
template <class T>
class wiped_unless_kept {
 public:
  explicit wiped_unless_kept(std::span<T> values) noexcept : values_(values) {}
  wiped_unless_kept(const wiped_unless_kept&) = delete;
  wiped_unless_kept& operator=(const wiped_unless_kept&) = delete;
  ~wiped_unless_kept() { wipe(values_); }
  void keep() noexcept { values_ = {}; }

 private:
  std::span<T> values_;
};

} // namespace privet::detail
