#pragma once
// Counts what a program does with its heap. Replaces the global operator new and delete, so at most
// one file of a test binary may include it.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace privet::test::heap {

inline std::atomic<std::size_t> allocations{0}; ///< so far
inline std::atomic<std::size_t> alive{0};       ///< bytes
inline std::atomic<std::size_t> most_alive{0};  ///< bytes; a test may set it back to `alive`

inline void* counted(std::size_t size, std::size_t alignment) noexcept {
  void* const p = std::aligned_alloc(alignment, ((size ? size : 1) + alignment - 1) / alignment * alignment);
  if (!p) return p;
  ++allocations;
  const std::size_t now = alive += malloc_usable_size(p);
  std::size_t most = most_alive;
  while (now > most && !most_alive.compare_exchange_weak(most, now)) {
  }
  return p;
}
inline void* counted_or_throw(std::size_t size, std::size_t alignment) {
  if (void* const p = counted(size, alignment)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] inline void release(void* p) noexcept { // inlined, GCC takes it for a mismatch
  alive -= malloc_usable_size(p);
  std::free(p);
}

} // namespace privet::test::heap

void* operator new(std::size_t n) {
  return privet::test::heap::counted_or_throw(n, alignof(std::max_align_t));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return privet::test::heap::counted(n, alignof(std::max_align_t));
}
void* operator new(std::size_t n, std::align_val_t a) {
  return privet::test::heap::counted_or_throw(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { privet::test::heap::release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { privet::test::heap::release(p); }
void operator delete(void* p, std::size_t) noexcept { privet::test::heap::release(p); }
void operator delete(void* p, std::align_val_t) noexcept { privet::test::heap::release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { privet::test::heap::release(p); }
