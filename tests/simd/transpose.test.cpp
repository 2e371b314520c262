#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/transpose.hpp>

#include <algorithm>
#include <cstring>

using namespace privet;

namespace {

/// Moving must keep every bit, those of NaN too.
template <class T>
bool same_bits(const T* a, const std::vector<T>& b) {
  return b.empty() || std::memcmp(a, b.data(), b.size() * sizeof(T)) == 0;
}

template <class Arch, class T>
std::size_t whole(std::size_t n) {
  constexpr std::size_t w = simd::width<T, Arch>;
  return (n + w - 1) / w * w;
}

} // namespace

TEST_CASE("transpose swaps rows and columns of a square") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    const auto square = test::mixed<T>(w * w, 1);
    simd::batch<T, Arch> v[w];
    for (std::size_t i = 0; i < w; ++i) v[i] = simd::load<Arch>(square.data() + i * w);
    simd::transpose<Arch, T>(v);
    for (std::size_t i = 0; i < w; ++i) {
      std::vector<T> column(w);
      for (std::size_t j = 0; j < w; ++j) column[j] = square[j * w + i];
      T lanes[w];
      simd::store<Arch, T>(lanes, v[i]);
      CHECK(same_bits(lanes, column));
    }
  });
}

TEST_CASE("reduce_each sums the lanes of each vector") {
  test::for_each_kind([]<class Arch, class T>() {
    constexpr std::size_t w = simd::width<T, Arch>;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const auto numbers = seed % 2 ? test::mixed<T>(w * w, seed) : test::normals<T>(w * w, seed);
      simd::batch<T, Arch> v[w];
      for (std::size_t i = 0; i < w; ++i) v[i] = simd::load<Arch>(numbers.data() + i * w);
      T lanes[w];
      simd::store<Arch, T>(lanes, simd::reduce_each<Arch, T>(v));
      for (std::size_t i = 0; i < w; ++i) {
        T sum{}, size{};
        for (std::size_t j = 0; j < w; ++j) sum += numbers[i * w + j], size += std::abs(numbers[i * w + j]);
        // Another order of the same terms: w - 1 roundings of at most the sum of their sizes.
        const T tolerance = std::numeric_limits<T>::epsilon() * static_cast<T>(w) * size;
        CHECK((lanes[i] == sum || test::near(lanes[i], sum, tolerance)));
      }
    }
  });
}

TEST_CASE("turn transposes any matrix and fills the rest of a row with zeros") {
  test::for_each_kind([]<class Arch, class T>() {
    for (std::size_t rows = 0; rows <= 67; ++rows)
      for (const std::size_t columns : {rows, rows * 7 % 68, rows * 23 % 68, 67 - rows}) {
        INFO(rows << " rows, " << columns << " columns");
        const std::size_t across = whole<Arch, T>(rows) + (columns % 2) * simd::width<T, Arch>;
        test::guarded<T> from(test::mixed<T>(rows * columns, rows + columns)),
            to(std::vector<T>(columns * across, T(5)));
        simd::turn<Arch>(rows, columns, from.data(), to.data(), across);
        std::vector<T> expected(columns * across);
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) expected[j * across + i] = from.data()[i * columns + j];
        REQUIRE(same_bits(to.data(), expected));
        REQUIRE(to.intact());
      }
  });
}

TEST_CASE("turn_back transposes any matrix, passes each batch and its place on, and touches nothing else") {
  test::for_each_kind([]<class Arch, class T>() {
    for (std::size_t rows = 0; rows <= 67; ++rows)
      for (const std::size_t columns : {rows, rows * 7 % 68, rows * 23 % 68, 67 - rows}) {
        INFO(rows << " rows, " << columns << " columns");
        const std::size_t across = whole<Arch, T>(rows), wide = columns + rows % 3;
        test::guarded<T> from(test::mixed<T>(columns * across, rows + columns)),
            to(std::vector<T>(rows * wide, T(5))), beside(test::normals<T>(rows * wide, 3));
        std::vector<T> expected(rows * wide, T(5));
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) expected[i * wide + j] = from.data()[j * across + i];
        simd::turn_back<Arch>(columns, rows, from.data(), across, to.data(), wide);
        REQUIRE(same_bits(to.data(), expected));
        REQUIRE(to.intact());

        simd::turn_back<Arch>(columns, rows, from.data(), across, to.data(), wide,
                              [&](const auto& v, std::size_t at, auto lanes) {
                                return v + simd::load_lanes<Arch>(static_cast<const T*>(beside.data()) + at,
                                                                  lanes);
                              });
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) expected[i * wide + j] += beside.data()[i * wide + j];
        REQUIRE(std::equal(expected.begin(), expected.end(), to.data(), test::same<T>));
        REQUIRE(to.intact());
      }
  });
}
