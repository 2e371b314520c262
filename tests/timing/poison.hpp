#pragma once
// Secrets that valgrind takes for uninitialised memory: it reports each branch and each address that depends on
// one, wherever it went.

#include <privet/core/aligned.hpp>

#include <valgrind/memcheck.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace privet::test::poison {

template <class T, std::size_t N>
void poison(std::span<T, N> secret) {
  static_cast<void>(
      VALGRIND_MAKE_MEM_UNDEFINED(const_cast<std::remove_const_t<T>*>(secret.data()), secret.size_bytes()));
}
template <class Words>
void poison(Words&& secret) {
  poison(std::span(secret));
}
/// Whether any of this memory is poisoned.
template <class Words>
bool poisoned(const Words& words) {
  const auto bytes = std::as_bytes(std::span(words));
  std::vector<unsigned char> unknown(bytes.size());
  static_cast<void>(VALGRIND_GET_VBITS(bytes.data(), unknown.data(), bytes.size()));
  return std::ranges::any_of(unknown, [](unsigned char bits) { return bits != 0; });
}
/// The same memory, public from here on; throws if the secrets never came here.
template <class Words>
void declassify(const Words& once_secret) {
  if (!poisoned(once_secret)) throw std::logic_error("what is made public was never secret");
  const auto bytes = std::as_bytes(std::span(once_secret));
  static_cast<void>(VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size()));
}
inline bool declassify(bool once_secret) {
  declassify(std::span(&once_secret, 1));
  return once_secret;
}

/// All of an odd number but what everybody knows: that it is odd, and how long it is.
inline void poison_modulus(std::span<const std::uint64_t> odd) {
  poison(odd.first(odd.size() - 1));
  const std::uint64_t unknown = ~std::uint64_t{1};
  static_cast<void>(VALGRIND_SET_VBITS(odd.data(), &unknown, sizeof unknown));
}

/// Words of an object itself, not of its vectors, that hold one of these values.
template <class Object>
std::size_t poison_words_among(std::span<const std::uint64_t> values, Object& object) {
  std::size_t found = 0;
  for (std::size_t at = 0; at + 8 <= sizeof object; at += 8) {
    const auto bytes = std::as_writable_bytes(std::span(&object, 1)).subspan(at, 8);
    if (poisoned(bytes)) continue; // padding
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    if (std::ranges::find(values, word) == values.end()) continue;
    ++found;
    poison(bytes);
  }
  return found;
}

inline std::size_t errors() { return VALGRIND_COUNT_ERRORS; }

/// Blocks of words that were allocated while one of these lived.
class recorded_words {
 public:
  recorded_words() { now = this; }
  recorded_words(const recorded_words&) = delete;
  recorded_words& operator=(const recorded_words&) = delete;
  ~recorded_words() { now = nullptr; }

  /// Poisons those that are still there; returns how many.
  std::size_t poison_all() {
    for (const auto& [at, size] : blocks_) poison(std::span(static_cast<std::byte*>(at), size));
    return blocks_.size();
  }

  static void note(void* at, std::size_t bytes) {
    if (now) now->blocks_[at] = bytes;
  }
  static void forget(void* at) {
    if (now) now->blocks_.erase(at);
  }

 private:
  static inline recorded_words* now = nullptr;
  std::map<void*, std::size_t> blocks_;
};

} // namespace privet::test::poison

/// What `secret_words` allocates with, in this program: it keeps a list.
template <>
struct privet::aligned_allocator<std::uint64_t> {
  using value_type = std::uint64_t;
  aligned_allocator() = default;
  template <class U>
  aligned_allocator(const aligned_allocator<U>&) noexcept {}

  std::uint64_t* allocate(std::size_t n) {
    void* const at = ::operator new(n * sizeof(std::uint64_t), std::align_val_t{cache_line});
    test::poison::recorded_words::note(at, n * sizeof(std::uint64_t));
    return static_cast<std::uint64_t*>(at);
  }
  void deallocate(std::uint64_t* p, std::size_t) noexcept {
    test::poison::recorded_words::forget(p);
    ::operator delete(p, std::align_val_t{cache_line});
  }
  template <class U>
  bool operator==(const aligned_allocator<U>&) const noexcept {
    return true;
  }
};
