#pragma once
// A name for the instructions this file is compiled for. Everything in simd/ lives in an inline
// namespace of that name, so that objects built with different flags share no function of it.

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define PRIVET_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define PRIVET_ISA avx2_fma
#elif defined(__AVX__)
#define PRIVET_ISA avx
#elif defined(__x86_64__) || defined(__SSE2__)
#define PRIVET_ISA sse2
#elif defined(__aarch64__)
#define PRIVET_ISA neon64
#else
#define PRIVET_ISA plain
#endif
