// What mixed_flags.py has to find: functions that are one and the same for every set of flags.

#if !defined(ENTRY)
#define ENTRY run_one
#endif

namespace privet {
[[gnu::noinline]] inline int outside_of_its_instructions(int x) { return x + 1; }
} // namespace privet

namespace helpers {
typedef float eight __attribute__((vector_size(32)));
[[gnu::noinline]] inline void doubled(eight* x) { *x = *x + *x; }
[[gnu::noinline]] inline int harmless(int x) { return x - 1; }
[[gnu::noinline]] inline void masked() {
  asm volatile(""); // or an empty one is left out
#if defined(__AVX512F__)
  asm volatile("vpternlogd $255, %%zmm0, %%zmm0, %%zmm0" ::: "xmm0");
#endif
}
[[gnu::noinline]] inline void shifted() { // no vector, but the instruction is as new as AVX2
  asm volatile("");
#if defined(__BMI2__)
  asm volatile("shlx %%eax, %%eax, %%eax" ::: "eax");
#endif
}
} // namespace helpers

int ENTRY(int x, helpers::eight* numbers) {
  helpers::doubled(numbers);
  helpers::masked();
  helpers::shifted();
  return privet::outside_of_its_instructions(x) + helpers::harmless(x);
}
