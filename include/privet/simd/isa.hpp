#pragma once
// A name for the instructions this file is compiled for. Everything in simd/ lives in an inline
// namespace of that name, so that objects built for different levels share no function of it. Flags
// that differ within one level (SSSE3 and SSE4.2, AVX-512 with and without VBMI) have one name: a
// program should not mix those (docs/simd/runtime-isa.md).

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define PRIVET_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define PRIVET_ISA avx2_fma
#elif defined(__AVX__)
#define PRIVET_ISA avx
#elif defined(__SSE3__)
#define PRIVET_ISA sse3
#elif defined(__x86_64__) || defined(__SSE2__)
#define PRIVET_ISA sse2
#elif defined(__aarch64__)
#define PRIVET_ISA neon64
#else
#define PRIVET_ISA plain
#endif
