#pragma once
// Numbers below the normal range cost a hundred cycles each on many cores, and the momentum of a
// weight whose gradient died decays into them within a thousand steps.

#include <privet/simd/isa.hpp>

#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace privet::simd::inline PRIVET_ISA {

/// While it lives, this thread reads and writes denormal numbers as zero. Without effect on
/// targets whose control register is unknown: results there are a little finer, and slower.
class flush_denormals {
 public:
  flush_denormals() noexcept : saved_(read()) { write(saved_ | flags); }
  ~flush_denormals() { write(saved_); }
  flush_denormals(const flush_denormals&) = delete;
  flush_denormals& operator=(const flush_denormals&) = delete;

 private:
#if defined(__SSE2__)
  using word = unsigned;
  static constexpr word flags = 0x8040; // flush to zero, denormals are zero
  static word read() noexcept { return _mm_getcsr(); }
  static void write(word value) noexcept { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using word = std::uint64_t;
  static constexpr word flags = std::uint64_t{1} << 24; // FZ
  static word read() noexcept {
    word value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(word value) noexcept { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using word = unsigned;
  static constexpr word flags = 0;
  static word read() noexcept { return 0; }
  static void write(word) noexcept {}
#endif
  word saved_;
};

} // namespace privet::simd::inline PRIVET_ISA
