// The code of docs/simd: functions, selection, small integers, integers modulo 2^64.

#include <privet/random/system.hpp>
#include <privet/simd/exponential.hpp>
#include <privet/simd/quantise.hpp>
#include <privet/simd/ring_gemm.hpp>
#include <privet/simd/top_k.hpp>

#include <vector>

using namespace privet;

void tanh_of_each() {
  const float x[] = {0.5f, -1.0f, 2.0f};
  std::vector<float> y(3);
  simd::for_each_batch<simd::default_arch, float>(3, [&](std::size_t i, auto lanes) {
    const auto v = simd::load_lanes<simd::default_arch>(x + i, lanes);
    simd::store_lanes<simd::default_arch, float>(y.data() + i, simd::tanh(v), lanes);
  });
}

void keep_largest(const std::vector<float>& update) {
  std::vector<std::uint32_t> indices(update.size() / 100);
  std::vector<float> values(indices.size());
  simd::top_k(update, indices, values); // indices ascend
}

std::size_t to_bytes(const std::vector<float>& update, system_random& source) {
  std::vector<std::uint32_t> words(update.size());
  source.fill(words);
  const auto grid = simd::quantise_grid::of_bits(8, 0.5f); // -127 .. 127 for -0.5 .. 0.5
  std::vector<std::int8_t> q(update.size());
  std::size_t outside = simd::quantise(update, grid, words, std::span(q));

  std::vector<float> back(update.size());
  simd::dequantise(std::span<const std::int8_t>(q), grid, back);
  return outside;
}

void multiply_shares() {
  std::vector<std::uint64_t> a(10 * 43), b(43 * 128), c(10 * 128);
  simd::ring_gemm(10, 128, 43, a, b, c); // c += a b
}
