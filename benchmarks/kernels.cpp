// The matrix products of a network in its usual shapes, beside OpenBLAS, Eigen and the scalar reference.

#include "peers/gemm.hpp"
#include "support/compare.hpp"

#include <privet/core/aligned.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/quantise.hpp>
#include <privet/simd/ring_gemm.hpp>

#include <cmath>
#include <memory>

namespace {

using namespace privet;
using matrix = aligned_vector<float>;

/// The products of a layer as its kernels are called by `dense<In, Out>`: the widths are known to the
/// compiler, the number of rows is not. In the form of peers::gemm, except that a narrow layer has its
/// weights, and so their gradient, transposed.
template <std::size_t In, std::size_t Out>
struct layer {
  static constexpr bool narrow = Out < simd::narrow;
  static constexpr simd::size_constant<In> in{};
  static constexpr simd::size_constant<Out> out{};

  /// y = x w + 0
  static void affine(std::size_t rows, std::size_t, std::size_t, const float* x, const float* w, float* y) {
    alignas(cache_line) static constexpr float zero[Out] = {};
    if constexpr (narrow)
      simd::affine_by_output(rows, out, in, x, w, zero, y);
    else
      simd::affine(rows, out, in, x, w, zero, y);
  }
  /// g = x^T d or g += x^T d
  template <class How>
  static void outer(std::size_t, std::size_t rows, std::size_t, const float* x, const float* d, float* g) {
    if constexpr (narrow)
      simd::outer(rows, out, in, d, Out, x, g, How{});
    else
      simd::outer(rows, in, out, x, In, d, g, How{});
  }
  /// dx = d w^T
  static void times_transposed(std::size_t rows, std::size_t, std::size_t, const float* d, const float* w,
                               float* dx) {
    const auto as_it_is = [](const auto& sum, const auto&) { return sum; };
    if constexpr (narrow) {
      simd::back_by_output(rows, out, in, d, w, dx, dx, as_it_is);
    } else {
      static matrix scratch(simd::back_scratch(simd::back_rows, Out));
      simd::back_by_input(rows, out, in, d, w, dx, dx, scratch.data(), as_it_is);
    }
  }
};

const peers::gemm_forms scalar{
    [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
      std::fill_n(c, m * n, 0.f);
      simd::gemm_reference(m, n, k, a, k, std::size_t{1}, b, n, std::size_t{1}, c, n);
    },
    [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
      std::fill_n(c, m * n, 0.f);
      simd::gemm_reference(m, n, k, a, std::size_t{1}, m, b, n, std::size_t{1}, c, n);
    },
    [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
      simd::gemm_reference(m, n, k, a, std::size_t{1}, m, b, n, std::size_t{1}, c, n);
    },
    [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
      std::fill_n(c, m * n, 0.f);
      simd::gemm_reference(m, n, k, a, k, std::size_t{1}, b, std::size_t{1}, k, c, n);
    }};

/// (columns, rows) from (rows, columns)
matrix transposed(std::size_t rows, std::size_t columns, const matrix& from) {
  matrix to(from.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  return to;
}

struct row {
  const char* name;
  peers::gemm peers::gemm_forms::*form;
  peers::gemm ours;
  bool narrow;
  std::size_t m, k, n;
};

/// A product, what goes into it and what should come out.
struct call {
  peers::gemm f;
  std::size_t m, k, n;
  matrix left, right, expected;

  void operator()(matrix& c) const { f(m, k, n, left.data(), right.data(), c.data()); }
  bool right_result() const {
    matrix c(expected.size());
    (*this)(c);
    // Rounding alone: a chain of k products of two normals.
    const double most = 1e-5 * std::sqrt(static_cast<double>(k));
    return std::ranges::equal(c, expected, [&](float x, float y) { return std::abs(x - y) <= most; });
  }
  /// Seconds for many calls, roughly: the best of some blocks.
  double quick_time() const {
    matrix c(expected.size());
    double best = 1e300;
    for (int block = 0; block < 20; ++block) {
      const double start = machine::cpu_seconds();
      for (int i = 0; i < 200; ++i) {
        (*this)(c);
        benchmark::ClobberMemory();
      }
      best = std::min(best, machine::cpu_seconds() - start);
    }
    return best;
  }
};

/// Times every side of a row, after comparing what it gives with the reference.
void add(compare::table& table, const row& r) {
  const bool nt = r.form == &peers::gemm_forms::nt, tn = !nt && r.form != &peers::gemm_forms::plain;
  matrix a(r.m * r.k), b(r.k * r.n), c(r.m * r.n);
  replayable_random source(1);
  fill_normal(source, std::span<float>(a));
  fill_normal(source, std::span<float>(b));
  (scalar.*r.form)(r.m, r.k, r.n, a.data(), b.data(), c.data());
  const matrix turned_b = nt ? transposed(r.n, r.k, b) : transposed(r.k, r.n, b);
  const matrix turned_c = transposed(r.m, r.n, c);
  const double flop = 2.0 * static_cast<double>(r.m * r.k * r.n);
  const compare::job job{.name = concat(r.name, ' ', r.m, 'x', r.k, 'x', r.n), .flop = flop};

  const auto side = [&](const std::string& name, call way) {
    if (!way.right_result()) table.complain(concat(job.name, ": ", name, " and the reference do not agree."));
    table.time(job, name, [way = std::move(way), out = matrix(c.size())]() mutable { way(out); });
  };
  // A narrow layer's weights may lie either way; a peer gets them as it is faster.
  const auto peer = [&](const std::string& name, const peers::gemm_forms& forms) {
    const call straight{forms.*r.form, r.m, r.k, r.n, a, b, c};
    const call turned = tn ? call{forms.*r.form, r.n, r.k, r.m, b, a, turned_c}
                           : call{nt ? forms.plain : forms.nt, r.m, r.k, r.n, a, turned_b, c};
    side(name, r.narrow && turned.quick_time() < straight.quick_time() ? turned : straight);
  };
  side(compare::ours,
       {r.ours, r.m, r.k, r.n, a, r.narrow && !tn ? turned_b : b, r.narrow && tn ? turned_c : c});
  if constexpr (PEER_OPENBLAS) peer(peers::openblas_name(), peers::openblas_gemm());
  if constexpr (PEER_EIGEN) peer(peers::eigen_name(), peers::eigen_gemm());
  if (flop < 4e5) side("scalar reference", {scalar.*r.form, r.m, r.k, r.n, a, b, c});
}

// The widths are those of the layer, the list holds batch sizes; rows are named m x k x n.
template <std::size_t In, std::size_t Out, class L = layer<In, Out>>
void forward(compare::table& table, std::initializer_list<std::size_t> batches) {
  for (const auto rows : batches)
    add(table, {"gemm", &peers::gemm_forms::plain, L::affine, L::narrow, rows, In, Out});
}
template <std::size_t In, std::size_t Out, class L = layer<In, Out>>
void gradient(compare::table& table, std::initializer_list<std::size_t> batches) {
  using forms = peers::gemm_forms;
  for (const auto rows : batches)
    add(table, {"gemm_tn", &forms::tn, L::template outer<simd::write>, L::narrow, In, rows, Out});
  for (const auto rows : batches)
    add(table, {"gemm_tn_add", &forms::tn_add, L::template outer<simd::add>, L::narrow, In, rows, Out});
}
template <std::size_t In, std::size_t Out, class L = layer<In, Out>>
void backward(compare::table& table, std::initializer_list<std::size_t> batches) {
  for (const auto rows : batches)
    add(table, {"gemm_nt", &peers::gemm_forms::nt, L::times_transposed, L::narrow, rows, Out, In});
}

/// Products modulo 2^64.
void ring(compare::table& table, std::size_t m, std::size_t k, std::size_t n) {
  struct operands {
    aligned_vector<std::uint64_t> a, b, c;
  };
  const auto o = std::make_shared<operands>(operands{aligned_vector<std::uint64_t>(m * k),
                                                     aligned_vector<std::uint64_t>(k * n),
                                                     aligned_vector<std::uint64_t>(m * n)});
  for (auto* part : {&o->a, &o->b})
    for (std::size_t i = 0; i < part->size(); ++i) (*part)[i] = (i + 1) * 0x9E3779B97F4A7C15u;
  auto expected = o->c;
  simd::ring_gemm(m, n, k, o->a, o->b, o->c);
  simd::ring_gemm_reference(m, n, k, o->a, o->b, expected);
  const compare::job job{.name = concat("ring_gemm ", m, 'x', k, 'x', n),
                         .items = static_cast<double>(m * k * n)};
  if (o->c != expected) table.complain(job.name + ": privet and the reference do not agree.");
  table.time(job, compare::ours, [=] { simd::ring_gemm(m, n, k, o->a, o->b, o->c); });
  if (m * k * n < 20'000'000)
    table.time(job, "scalar reference", [=] { simd::ring_gemm_reference(m, n, k, o->a, o->b, o->c); });
}

/// Stochastic rounding to bytes, and back.
void bytes(compare::table& table) {
  constexpr std::size_t size = 16384;
  struct operands {
    aligned_vector<float> x;
    aligned_vector<std::uint32_t> words;
    aligned_vector<std::int8_t> q;
  };
  const auto o = std::make_shared<operands>(operands{
      aligned_vector<float>(size), aligned_vector<std::uint32_t>(size), aligned_vector<std::int8_t>(size)});
  replayable_random source(1);
  fill_normal(source, std::span<float>(o->x));
  source.fill(o->words);
  const auto row = [&]<class Arch>(const std::string& side, Arch) {
    const auto grid = simd::quantise_grid::of_bits(8, 3.f);
    table.time({.name = "quantise to bytes", .items = size}, side, [=] {
      simd::quantise<Arch>(std::span<const float>(o->x), grid, std::span<const std::uint32_t>(o->words),
                           std::span<std::int8_t>(o->q));
    });
  };
  row(compare::ours, simd::default_arch{});
  row("scalar reference", simd::scalar{});
}

} // namespace

int main(int count, char** words) {
  compare::table table("kernels", count, words);
  if constexpr (!PEER_OPENBLAS) table.left_out("OpenBLAS");
  if constexpr (!PEER_EIGEN) table.left_out("Eigen");
  forward<43, 128>(table, {1, 10, 32, 256});
  forward<128, 6>(table, {1, 10, 32, 256});
  forward<561, 128>(table, {1, 10, 32, 256});
  forward<128, 32>(table, {32});
  forward<512, 512>(table, {512});
  gradient<43, 128>(table, {1, 10, 32, 256});
  gradient<128, 6>(table, {1, 10, 32, 256});
  gradient<561, 128>(table, {10, 32, 256});
  backward<128, 6>(table, {1, 10, 32, 256});
  backward<128, 32>(table, {32});
  backward<512, 512>(table, {64});
  ring(table, 10, 43, 128);
  ring(table, 128, 561, 256);
  ring(table, 512, 512, 512);
  bytes(table);
  return table.run();
}
