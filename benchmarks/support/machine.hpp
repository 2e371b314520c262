#pragma once
// The machine a benchmark runs on: one core, one thread, its clock and its peak.

#include <privet/simd/arch.hpp>

#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

namespace machine {

/// Seconds of CPU time of this thread: what others do on the machine does not count.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Pins the process to its last core and returns the number of that core, -1 if it may not.
inline int pin_to_one_core() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return -1;
  int core = CPU_SETSIZE - 1;
  while (core > 0 && !CPU_ISSET(core, &allowed)) --core;
  CPU_ZERO(&allowed);
  CPU_SET(core, &allowed);
  return sched_setaffinity(0, sizeof allowed, &allowed) == 0 ? core : -1;
}

/// A program built for AVX2 shows a processor that has no more, so the libraries get no more either.
#if defined(__AVX2__) && !defined(__AVX512F__)
inline constexpr const char *openblas_core = "Haswell", *aten_cpu = "avx2", *dnnl_isa = "AVX2";
#else
inline constexpr const char *openblas_core = nullptr, *aten_cpu = nullptr, *dnnl_isa = nullptr;
#endif

/// One thread for every library, and none held back by a setting. Libraries read these variables
/// when they are loaded, so the program starts again if one has to change.
inline void settle_environment(char** words) {
  const std::pair<const char*, const char*> settings[] = {{"OPENBLAS_CORETYPE", openblas_core},
                                                          {"OPENBLAS_L2_SIZE", nullptr},
                                                          {"ATEN_CPU_CAPABILITY", aten_cpu},
                                                          {"DNNL_MAX_CPU_ISA", dnnl_isa},
                                                          {"OPENBLAS_NUM_THREADS", "1"},
                                                          {"OMP_NUM_THREADS", "1"},
                                                          {"MKL_NUM_THREADS", "1"}};
  bool changed = false;
  for (const auto& [name, wanted] : settings) {
    const char* value = std::getenv(name);
    if (!wanted && value) changed = unsetenv(name) == 0 || changed;
    if (wanted && (!value || std::string_view(value) != wanted))
      changed = setenv(name, wanted, 1) == 0 || changed;
  }
  if (!changed) return;
  execv("/proc/self/exe", words);
  std::perror("cannot start again with one thread for each library");
  std::exit(1);
}

/// Keeps freed memory in the process. Otherwise glibc gives large blocks back to the system or not, by
/// the history of the process, and libtorch's full batch takes three or six milliseconds.
inline void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

/// GFLOP/s of fused multiply-adds that touch no memory: the best of many short blocks.
inline double multiply_add_peak() {
  using arch = privet::simd::default_arch;
  constexpr std::size_t chains = privet::simd::registers == 32 ? 24 : 12; // latency times units, and more
  constexpr std::size_t rounds = 200'000, blocks = 100;
  auto a = privet::simd::broadcast<arch>(0.999f), b = privet::simd::broadcast<arch>(1e-3f);
  const auto keep = [](auto& value) { asm volatile("" : "+m"(value) : : "memory"); };
  keep(a);
  keep(b);
  // One variable for each chain: the compiler keeps an array in memory.
  const auto run = [&](auto... sum) {
    for (std::size_t r = 0; r < rounds; ++r) ((sum = privet::simd::fma(sum, a, b)), ...);
    (keep(sum), ...);
  };
  double best = 1e300;
  for (std::size_t block = 0; block < blocks; ++block) {
    const double start = cpu_seconds();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      run(privet::simd::broadcast<arch>(static_cast<float>(I))...);
    }(std::make_index_sequence<chains>{});
    best = std::min(best, cpu_seconds() - start);
  }
  return 2.0 * chains * rounds * privet::simd::width<float, arch> / best * 1e-9;
}

} // namespace machine
