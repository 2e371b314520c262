// The matrix products of a network beside the machine's own multiply-add peak and the scalar
// reference, in one run.

#include <privet/core/error.hpp>
#include <privet/simd/gemm.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <ctime>
#include <vector>

namespace {

using namespace privet;

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// GFLOP/s of independent fused multiply-adds that touch no memory.
double measured_peak() {
  using arch = simd::default_arch;
  constexpr std::size_t chains = 12, rounds = 20'000'000;
  simd::batch<float, arch> sum[chains];
  for (std::size_t i = 0; i < chains; ++i) sum[i] = simd::broadcast<arch>(static_cast<float>(i));
  auto a = simd::broadcast<arch>(0.999f), b = simd::broadcast<arch>(1e-3f);
  benchmark::DoNotOptimize(a);
  benchmark::DoNotOptimize(b);
  const double start = cpu_seconds();
  for (std::size_t r = 0; r < rounds; ++r)
    for (auto& s : sum) s = simd::fma(s, a, b);
  const double seconds = cpu_seconds() - start;
  for (auto& s : sum) benchmark::DoNotOptimize(s);
  return 2.0 * chains * rounds * simd::width<float, arch> / seconds * 1e-9;
}

enum form { affine, outer, transposed };

template <form Form, class Arch>
void product(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0)), k = static_cast<std::size_t>(state.range(1)),
             n = static_cast<std::size_t>(state.range(2));
  std::vector<float> x(m * k, 0.5f), w(k * n, 0.25f), bias(n, 1.f), y(m * n, 1.f);
  for (auto _ : state) {
    if constexpr (Form == affine) simd::affine<Arch>(m, n, k, x.data(), w.data(), bias.data(), y.data());
    if constexpr (Form == outer) simd::accumulate_outer<Arch>(m, k, n, x.data(), y.data(), w.data());
    if constexpr (Form == transposed) simd::times_transposed<Arch>(m, k, n, y.data(), w.data(), x.data());
    benchmark::ClobberMemory();
  }
  const double flop = 2.0 * static_cast<double>(m * k * n) * static_cast<double>(state.iterations());
  state.counters["FLOP"] = benchmark::Counter(flop, benchmark::Counter::kIsRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& s : std::array<std::array<int, 3>, 6>{
           {{10, 43, 128}, {256, 43, 128}, {10, 128, 6}, {64, 561, 512}, {64, 512, 512}, {256, 561, 128}}})
    b->Args({s[0], s[1], s[2]});
}

BENCHMARK(product<affine, simd::default_arch>)->Apply(shapes);
BENCHMARK(product<outer, simd::default_arch>)->Apply(shapes);
BENCHMARK(product<transposed, simd::default_arch>)->Apply(shapes);
BENCHMARK(product<affine, simd::scalar>)->Args({10, 43, 128})->Args({64, 561, 512});

} // namespace

int main(int count, char** words) {
  benchmark::Initialize(&count, words);
  benchmark::AddCustomContext("peak of one core", concat(measured_peak(), " GFLOP/s"));
  benchmark::RunSpecifiedBenchmarks();
}
