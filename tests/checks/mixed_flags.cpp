// What mixed_flags.py compiles for one instruction set after the other: most of simd/, as a program does
// that chooses at run time (docs/simd/runtime-isa.md). ENTRY is the name of its only function.

#include <privet/simd/aes_ctr.hpp>
#include <privet/simd/chacha20.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/normal.hpp>
#include <privet/simd/philox.hpp>
#include <privet/simd/quantise.hpp>
#include <privet/simd/reduce.hpp>
#include <privet/simd/ring_gemm.hpp>
#include <privet/simd/softmax.hpp>
#include <privet/simd/top_k.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#if !defined(ENTRY)
#define ENTRY run_one
#endif

namespace {

using namespace privet;

template <class T>
struct numbers {
  std::size_t m, n, k;
  const T *x, *w, *b;
  T *y, *scratch;
};

const auto rectified = [](const auto& v) {
  using B = std::remove_cvref_t<decltype(v)>;
  return simd::select(v > B(0), v, B(0));
};
const auto through_tanh = [](const auto& dx, const auto& y) {
  return simd::sqrt(simd::divide(dx, simd::tanh(y)));
};

template <class T>
void products(const numbers<T>& a) {
  simd::affine(a.m, a.n, a.k, a.x, a.w, a.b, a.y, rectified);
  simd::gemm_reference(a.m, a.n, a.k, a.x, a.k, 1, a.w, a.n, 1, a.y, a.n);
  simd::outer(a.m, a.k, a.n, a.x, a.k, a.w, a.y, simd::write{});
  simd::outer(a.m, a.k, a.n, a.x, a.k, a.w, a.y, simd::add{});
  simd::outer(a.m, a.k, a.n, a.x, a.k, a.w, a.y, simd::subtract<T>{T(0.1)});
  simd::back_by_input(a.m, a.n, a.k, a.x, a.w, a.b, a.y, a.scratch, through_tanh);
  simd::back_by_output(a.m, a.n, a.k, a.x, a.w, a.b, a.y, through_tanh);
}

template <class T>
void others(const numbers<T>& a, const std::int32_t* labels) {
  const simd::flush_denormals quick;
  simd::sum_rows(a.m, a.n, a.x, a.y, simd::add{});
  simd::affine_by_output(a.m, simd::size_constant<6>{}, a.k, a.x, a.w, a.b, a.y);
  simd::softmax_cross_entropy(a.m, a.n, a.x, labels, T(0.1), a.y, a.scratch);
  simd::softmax_cross_entropy_reference(a.m, a.n, a.x, labels, T(0.1), a.y, a.scratch);
  simd::axpy(T(2), std::span<const T>(a.x, a.n), std::span<T>(a.y, a.n));
  a.y[0] = simd::fma(simd::exp(a.x[0]), simd::tanh(a.x[1]), simd::sqrt(simd::log(a.x[2])));
  simd::scale(simd::sum_squares(std::span<const T>(a.x, a.n)), std::span<T>(a.y, a.n));
}

void selections(const numbers<float>& a, std::span<std::uint32_t> words) {
  const std::span<const float> x(a.x, a.n);
  simd::top_k(x, words, std::span(a.y, a.k));
  simd::top_k_reference(x, words, std::span(a.y, a.k));
  std::int8_t room[64];
  const std::span<std::int8_t> q(room);
  const simd::quantise_grid grid{a.y[0], 127};
  simd::quantise(x, grid, std::span<const std::uint32_t>(words), q);
  simd::quantise(x, grid, q);
  simd::dequantise(std::span<const std::int8_t>(q), grid, std::span(a.y, a.n));
  std::uint64_t c[64] = {words[0], words[1]};
  simd::ring_gemm(a.m, a.n, a.k, c, c, c);
  simd::ring_gemm_reference(a.m, a.n, a.k, c, c, c);
}

} // namespace

void ENTRY(std::size_t m, std::size_t n, std::size_t k, const float* x, const double* wide_x, float* y,
           double* wide_y, const std::int32_t* labels, std::uint32_t* words) {
  const numbers<float> narrow{m, n, k, x, x + n, x + k, y, y + n};
  products(narrow);
  simd::affine_by_output(m, n, k, x, x + n, x + k, y, rectified);
  others(narrow, labels);
  others(numbers<double>{m, n, k, wide_x, wide_x + n, wide_x + k, wide_y, wide_y + n}, labels);
  const std::span out(words, n);
  if (simd::chacha20_blocks({}, 0, {}, out)) simd::philox_blocks(1, 2, 3, out);
  simd::aes128_ctr<>({}).blocks({}, out);
  simd::normals<>(std::span<const std::uint32_t>(out), std::span(y, n));
  simd::normals<>(std::span<const std::uint32_t>(out), std::span(wide_y, n / 2));
  selections(narrow, out);
}
