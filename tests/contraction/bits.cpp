// Prints one hash for each function: what it makes of many numbers, to the bit. Compiled at several levels of
// optimisation, which contract products and sums otherwise, it must print the same (same_bits.cmake).

#include <privet/nn/gru.hpp>
#include <privet/nn/lstm.hpp>
#include <privet/simd/exponential.hpp>
#include <privet/simd/softmax.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#include <vector>

namespace {

using namespace privet;

template <class T>
using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// FNV-1a, a word at a time.
template <class T>
void print(const char* name, const std::vector<T>& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const T v : values)
    hash = (hash ^ (v == v ? std::bit_cast<word<T>>(v) : 1)) * 0x100000001b3; // one NaN is as good as another
  std::printf("%-28s %s %016llx\n", name, sizeof(T) == 4 ? "float " : "double",
              static_cast<unsigned long long>(hash));
}

/// Multiples of 2^-20 between -size and size: exact, by integers.
template <class T>
std::vector<T> numbers(std::size_t n, std::int64_t size, std::uint64_t seed) {
  std::vector<T> out(n);
  for (T& x : out) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto wide = static_cast<std::int64_t>((seed >> 33) % (static_cast<std::uint64_t>(size) << 21));
    x = static_cast<T>(wide - (size << 20)) * static_cast<T>(0x1p-20);
  }
  return out;
}

template <class Arch, class T, class F>
void function(const char* name, std::int64_t size, F f) {
  constexpr std::size_t count = 20000;
  const auto x = numbers<T>(count, size, 1), y = numbers<T>(count, 4, 2);
  std::vector<T> out(count);
  simd::for_each_batch<Arch, T>(count, [&](std::size_t i, auto lanes) {
    const auto v =
        f(simd::load_lanes<Arch>(x.data() + i, lanes), simd::load_lanes<Arch>(y.data() + i, lanes));
    simd::store_lanes<Arch, T>(out.data() + i, v, lanes);
  });
  print(name, out);
}

template <class Arch, class T>
void functions() {
  // The results meet sums and products, as a caller's may.
  function<Arch, T>("exp", 120, [](const auto& x, const auto&) { return simd::exp(x); });
  function<Arch, T>("exp + y", 4, [](const auto& x, const auto& y) { return simd::exp(x) + y; });
  function<Arch, T>("log", 9, [](const auto& x, const auto&) { return simd::log(x); });
  function<Arch, T>("log - y", 9, [](const auto& x, const auto& y) { return simd::log(x) - y; });
  function<Arch, T>("tanh", 12, [](const auto& x, const auto&) { return simd::tanh(x); });
  function<Arch, T>("y - tanh", 1, [](const auto& x, const auto& y) { return y - simd::tanh(x); });
  function<Arch, T>("sigmoid", 30, [](const auto& x, const auto&) { return sigmoid::apply(x); });
  function<Arch, T>("sigmoid + y", 3, [](const auto& x, const auto& y) { return sigmoid::apply(x) + y; });
}

template <class Arch, class T>
void losses(std::size_t w) {
  constexpr std::size_t rows = 67;
  const auto z = numbers<T>(rows * w, 6, 3);
  std::vector<std::int32_t> labels(rows);
  for (std::size_t r = 0; r < rows; ++r) labels[r] = static_cast<std::int32_t>(r % w);
  std::vector<T> lost(rows), deltas(rows * w);
  simd::softmax_cross_entropy<Arch>(rows, w, z.data(), labels.data(), T(0.1), lost.data(), deltas.data());
  print("loss", lost), print("its deltas", deltas);
  simd::softmax_cross_entropy_reference(rows, w, z.data(), labels.data(), T(0.1), lost.data(), deltas.data());
  print("reference loss", lost), print("its deltas", deltas);
}

template <class Cell, class Arch, class T>
void cell() {
  constexpr std::size_t hidden = 1003;
  const std::size_t g = Cell::gates * hidden, second = Cell::second(hidden);
  auto step = numbers<T>(g, 3, 4), kept = numbers<T>(second, 2, 5), h = numbers<T>(hidden, 1, 6);
  const auto before = numbers<T>(second, 2, 7), sums = numbers<T>(g, 2, 8), state = h;
  auto given = numbers<T>(hidden, 1, 9), later = numbers<T>(hidden, 1, 10), carry = numbers<T>(hidden, 1, 11);
  Cell::template forward<Arch, T>(hidden, step.data(), kept.data(), before.data(), sums.data(), h.data());
  print(Cell::name, step), print("its state", h), print("what it keeps", kept);
  Cell::template backward<Arch, T>(hidden, step.data(), kept.data(), before.data(), state.data(),
                                   given.data(), later.data(), carry.data());
  print("its deltas", step), print("its carry", carry), print("what it keeps", kept);
}

template <class Arch, class T>
void everything() {
  functions<Arch, T>();
  losses<Arch, T>(10), losses<Arch, T>(100);
  cell<lstm_cell, Arch, T>();
  cell<gru_cell, Arch, T>();
}

} // namespace

int main() {
  everything<simd::default_arch, float>();
  everything<simd::default_arch, double>();
  if constexpr (!std::same_as<simd::default_arch, simd::scalar>) {
    everything<simd::scalar, float>();
    everything<simd::scalar, double>();
  }
}
