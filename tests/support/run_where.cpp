// run_where INSTRUCTIONS COMMAND...: runs the command where the processor has the instructions (sse2, avx2,
// avx512: levels 1, 3 and 4 of x86-64). Elsewhere it says so and returns 77, which ctest counts as skipped.

#include <unistd.h>
#include <cstdio>
#include <cstring>

namespace {

bool processor_has(const char* instructions) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (std::strcmp(instructions, "avx512") == 0) return avx512;
  if (std::strcmp(instructions, "avx2") == 0) return avx2;
  return std::strcmp(instructions, "sse2") == 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (!processor_has(argv[1])) {
    std::printf("skipped: this processor has no %s\n", argv[1]);
    return 77;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
