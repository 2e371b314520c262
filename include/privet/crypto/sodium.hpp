#pragma once
// The optional gateway to libsodium, 1.0.18 and later: whoever includes it links with -lsodium
// (CMake: privet::sodium). Guarded memory for secrets, and one name for starting the library.

#include <privet/core/error.hpp>

#include <sodium.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace privet {

/// Starts libsodium once; any thread may call it.
///
/// Errors  N011 when libsodium does not start
inline void start_sodium() {
  static const int refused = ::sodium_init();
  if (refused < 0) fail(fault::unsupported, "libsodium: sodium_init returned ", refused, ", expected 0 or 1");
}

namespace detail {
inline unsigned char* sodium_bytes(std::byte* bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes);
}
inline const unsigned char* sodium_bytes(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}
} // namespace detail

/// Bytes that must not be seen: memory of their own between guard pages, kept out of swap and core files
/// where the system allows it, wiped when let go. Can be moved, not copied.
///
/// Cost    at least four pages each: for keys and passphrases, not for tables
/// Errors  N011 when there is no memory
/// Test    tests/crypto/sodium.test.cpp
class secret_bytes {
 public:
  secret_bytes() = default;
  /// `size` zero bytes, aligned for any number.
  explicit secret_bytes(std::size_t size) : size_(size) {
    start_sodium();
    if (size == 0) return;
    // libsodium puts the end of the piece at a guard page, so only a round size begins aligned.
    constexpr std::size_t grain = alignof(std::max_align_t);
    require(size <= SIZE_MAX - grain, fault::unsupported, "secret_bytes: ", size, " bytes are too many");
    data_ = static_cast<std::byte*>(::sodium_malloc((size + grain - 1) / grain * grain));
    if (!data_) fail(fault::unsupported, "secret_bytes: no memory for ", size, " bytes");
    std::memset(data_, 0, size);
  }
  explicit secret_bytes(std::span<const std::byte> secret) : secret_bytes(secret.size()) {
    std::ranges::copy(secret, data_);
  }
  secret_bytes(secret_bytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  secret_bytes& operator=(secret_bytes&& other) noexcept {
    if (this != &other) {
      ::sodium_free(data_);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~secret_bytes() { ::sodium_free(data_); } // which wipes

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Whether both hold the same bytes. Takes as long wherever they differ; sizes are public.
  friend bool operator==(const secret_bytes& a, const secret_bytes& b) noexcept {
    return a.size_ == b.size_ && (a.size_ == 0 || ::sodium_memcmp(a.data_, b.data_, a.size_) == 0);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace privet
