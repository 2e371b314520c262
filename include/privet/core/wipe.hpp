#pragma once
// Clearing secrets so that the compiler cannot skip it.

#include <cstddef>
#include <cstring>
#include <span>

namespace privet {

/// Zeroes memory that nobody reads again. Copies in registers or made by the kernel (swap, core
/// files) are out of reach.
template <class T, std::size_t N>
#if defined(__GNUC__)
[[gnu::always_inline]] // kernels of several instruction sets call it and must share no symbol
#endif
inline void
wipe(std::span<T, N> secret) noexcept {
#if defined(__GNUC__)
  if (!secret.empty()) std::memset(static_cast<void*>(secret.data()), 0, secret.size_bytes());
  asm volatile("" : : "r"(secret.data()) : "memory");
#else
  auto* byte = reinterpret_cast<volatile unsigned char*>(secret.data());
  for (std::size_t i = 0; i < secret.size_bytes(); ++i) byte[i] = 0;
#endif
}

namespace detail {

/// Wipes memory when its scope ends, by an exception too, unless what lies there is to be kept.
template <class T>
class wiped_at_exit {
 public:
  explicit wiped_at_exit(std::span<T> secret) noexcept : secret_(secret) {}
  wiped_at_exit(const wiped_at_exit&) = delete;
  wiped_at_exit& operator=(const wiped_at_exit&) = delete;
  ~wiped_at_exit() { wipe(secret_); }
  void keep() noexcept { secret_ = {}; }

 private:
  std::span<T> secret_;
};

} // namespace detail

} // namespace privet
