#pragma once
// Scattering coefficients of images: features that are fixed before any image is seen.

#include <privet/core/aligned.hpp>
#include <privet/core/error.hpp>
#include <privet/core/image_shape.hpp>
#include <privet/core/parallel.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/core/tensor.hpp>
#include <privet/data/fourier_line.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// How far a scattering transform looks, and in how many directions.
struct scattering_options {
  std::size_t scales = 2; ///< J: averages over windows of 2^J pixels
  std::size_t angles = 8; ///< L: directions within a half turn
};

/// The scattering transform of orders 0, 1 and 2 with Morlet wavelets: what edges there are near each place,
/// and what edges there are among those.
///
/// Formula   S0 = x * phi,  S1(j, a) = |x * psi(j, a)| * phi,
///           S2(j, a, k, b) = ||x * psi(j, a)| * psi(k, b)| * phi for k > j; * is convolution of the image
///           continued by mirroring over 2^J pixels each way; all read every 2^J pixels. The wavelets:
///           docs/data/scattering.md
/// Shape     (height, width) -> (channels, height / 2^J, width / 2^J) with 1 + J L + L^2 J (J - 1) / 2
///           channels: order 0; order 1 by scale, then angle; order 2 by the first's scale and angle, then
///           the second's. 28 x 28 with J = 2, L = 8: 81 channels of 7 x 7. An image of several channels becomes
///           these channels of the first one, then those of the second: 3 x 32 x 32 has 243 of 8 x 8
/// Units     those of the pixels; twice the contrast is twice the coefficient
/// Privacy   a row of the output is a function of one image and of constants, so data sets that differ in one
///           image stay so: it costs nothing
/// Errors    N001 for scales or angles out of range, N003 for sizes that are no multiples of 2^J or below two
///           of them, and for rows of another width
/// Cost      a batch of images at a time, one per lane; the same bits for any number of threads and whatever
///           images lie beside
/// Source    Bruna, Mallat, IEEE PAMI 35(8), 2013, arXiv:1203.1513; parameters of the wavelets as in Oyallon,
///           Mallat, CVPR 2015, arXiv:1412.8659. Before private training: Tramer, Boneh, ICLR 2021,
///           arXiv:2011.11660
/// Test      tests/data/scattering.test.cpp
template <class T = float, class Arch = simd::default_arch>
class scattering_2d {
  using B = simd::batch<T, Arch>;
  using cell = detail::complex_lanes<B>;
  static constexpr std::size_t lanes = simd::width<T, Arch>;

 public:
  scattering_2d(std::size_t height, std::size_t width, scattering_options options = {})
      : scattering_2d(image_shape{1, height, width}, options) {}
  /// Of colour: every channel by itself.
  explicit scattering_2d(const image_shape& shape, scattering_options options = {})
      : colours_(shape.channels),
        height_(shape.height),
        width_(shape.width),
        scales_(options.scales),
        angles_(options.angles) {
    const std::size_t height = height_, width = width_;
    require(colours_ >= 1 && colours_ <= 4096, fault::shape, "scattering_2d: images of ", colours_,
            " channels, expected 1 to 4096");
    require(scales_ >= 1 && scales_ <= 8 && angles_ >= 1 && angles_ <= 64, fault::argument,
            "scattering_2d: got ", scales_, " scales and ", angles_,
            " angles, expected 1 to 8 scales and 1 to 64 angles");
    const std::size_t step = std::size_t{1} << scales_;
    require(height % step == 0 && width % step == 0 && std::min(height, width) >= 2 * step, fault::shape,
            "scattering_2d: images of ", height, " x ", width, ", expected multiples of ", step, " from ",
            2 * step, " on for ", scales_, " scales");
    require(std::max(height, width) <= 4096, fault::shape, "scattering_2d: images of ", height, " x ", width,
            ", expected at most 4096 each way");
    for (std::size_t j = 0; j < scales_; ++j)
      grids_.push_back({padded_height() >> j, padded_width() >> j, transform(padded_height() >> j),
                        transform(padded_width() >> j), low_pass(padded_height(), height, j),
                        low_pass(padded_width(), width, j)});
    for (std::size_t j = 0; j < scales_; ++j)
      for (std::size_t a = 0; a < angles_; ++a) {
        const auto whole = morlet(j, a);
        wavelets_.emplace_back();
        for (std::size_t r = 0; r <= j; ++r) wavelets_.back().push_back(at_resolution(whole, r));
      }
  }

  std::size_t height() const noexcept { return height_; }
  std::size_t width() const noexcept { return width_; }
  /// Of one channel.
  std::size_t out_height() const noexcept { return height_ >> scales_; }
  std::size_t out_width() const noexcept { return width_ >> scales_; }
  std::size_t channels() const noexcept { return colours_ * channels_of_one(); }
  /// Coefficients of an image.
  std::size_t size() const noexcept { return channels() * out_height() * out_width(); }

  /// The coefficients of each row, an image by channel and row by row: (images, size()). A pixel that is not finite
  /// spoils its image and no other.
  matrix<T> operator()(rows_view<T> images, std::size_t threads = 1) const {
    auto out = make_matrix<T>(images.rows, size());
    transform_rows(images, as_span(out), threads);
    return out;
  }

  /// The coefficients of one image.
  void operator()(std::span<const T> image, std::span<T> out) const {
    transform_rows({image.data(), 1, image.size()}, out, 1);
  }

 private:
  using transform = detail::fourier_line<T, Arch>;
  using table = std::vector<double>;

  /// A resolution: every 2^j-th pixel of the padded image.
  struct grid {
    std::size_t height, width;
    transform along_column, along_row;
    std::vector<T> down, across; ///< low-pass and subsampling: (out_height, height), (out_width, width)
    std::size_t size() const noexcept { return height * width; }
  };
  struct workspace {
    explicit workspace(const scattering_2d& s)
        : image(s.grids_[0].size()),
          spectrum(image.size()),
          first(image.size()),
          moduli(image.size()),
          second(image.size()),
          across(s.grids_[0].height * s.out_width()),
          room(3 * std::max(s.grids_[0].height, s.grids_[0].width)) {}
    aligned_vector<B> image;
    aligned_vector<cell> spectrum, first;
    aligned_vector<B> moduli;
    aligned_vector<cell> second;
    aligned_vector<B> across;
    aligned_vector<cell> room;
  };

  std::size_t channels_of_one() const noexcept {
    return 1 + scales_ * angles_ + angles_ * angles_ * (scales_ * (scales_ - 1) / 2);
  }
  std::size_t size_of_one() const noexcept { return channels_of_one() * out_height() * out_width(); }
  std::size_t border() const noexcept { return std::size_t{1} << scales_; }
  std::size_t padded_height() const noexcept { return height_ + 2 * border(); }
  std::size_t padded_width() const noexcept { return width_ + 2 * border(); }

  void transform_rows(rows_view<T> images, std::span<T> out, std::size_t threads) const {
    if (images.columns != colours_ * height_ * width_)
      fail(fault::shape, "scattering_2d: rows of ", images.columns, " pixels, expected ",
           colours_ > 1 ? concat(colours_, " x ") : std::string(), height_, " x ", width_, " = ",
           colours_ * height_ * width_);
    require(out.size() == images.rows * size(), fault::shape, "scattering_2d: room for ", out.size(),
            " coefficients, expected ", images.rows * size());
    // Channels lie one after another, in rows and in the output: each is an image of its own.
    const std::size_t piece = 16 * lanes, count = images.rows * colours_, pixels = height_ * width_;
    for_each_parallel((count + piece - 1) / piece, threads, [&](std::size_t i) {
      workspace memory(*this);
      const std::size_t end = std::min(count, (i + 1) * piece);
      for (std::size_t first = i * piece; first < end; first += lanes)
        batch({images.data + first * pixels, std::min(lanes, end - first), pixels},
              out.subspan(first * size_of_one()), memory);
    });
  }

  /// As many images as there are lanes, or fewer.
  void batch(rows_view<T> images, std::span<T> out, workspace& w) const {
    load(images, w.image.data());
    const grid& full = grids_[0];
    std::size_t channel = 0;
    const auto average = [&](const grid& g, const B* x) {
      store_average(g, x, w.across.data(), images.rows, out, channel++);
    };
    average(full, w.image.data());
    for (std::size_t i = 0; i < full.size(); ++i) w.spectrum[i] = {w.image[i], B(T(0))};
    fourier(full, w.spectrum.data(), w.room.data());
    std::size_t second_order = 1 + scales_ * angles_;
    for (std::size_t j = 0; j < scales_; ++j)
      for (std::size_t a = 0; a < angles_; ++a) {
        const grid& g = grids_[j];
        filter(full, g, w.spectrum.data(), wavelets_[j * angles_ + a][0], w.first.data());
        fourier(g, w.first.data(), w.room.data());
        modulus(g.size(), w.first.data(), w.moduli.data());
        average(g, w.moduli.data());
        if (j + 1 == scales_) continue;
        for (std::size_t i = 0; i < g.size(); ++i) w.first[i] = {w.moduli[i], B(T(0))};
        fourier(g, w.first.data(), w.room.data());
        const std::size_t first_order = std::exchange(channel, second_order);
        for (std::size_t k = j + 1; k < scales_; ++k)
          for (std::size_t b = 0; b < angles_; ++b) {
            filter(g, grids_[k], w.first.data(), wavelets_[k * angles_ + b][j], w.second.data());
            fourier(grids_[k], w.second.data(), w.room.data());
            modulus(grids_[k].size(), w.second.data(), w.moduli.data());
            average(grids_[k], w.moduli.data());
          }
        second_order = std::exchange(channel, first_order);
      }
  }

  /// Pixels of one image per lane, mirrored at the border without repeating it.
  void load(rows_view<T> images, B* to) const {
    const auto mirrored = [&](std::size_t i, std::size_t n) {
      const std::size_t b = border();
      return i < b ? b - i : i < b + n ? i - b : 2 * n - 2 - (i - b);
    };
    alignas(cache_line) T pixel[lanes] = {};
    for (std::size_t y = 0; y < padded_height(); ++y)
      for (std::size_t x = 0; x < padded_width(); ++x) {
        const std::size_t from = mirrored(y, height_) * width_ + mirrored(x, width_);
        for (std::size_t l = 0; l < images.rows; ++l) pixel[l] = images.data[l * images.columns + from];
        *to++ = simd::load<Arch>(static_cast<const T*>(pixel));
      }
  }

  static void fourier(const grid& g, cell* x, cell* room) {
    for (std::size_t y = 0; y < g.height; ++y) g.along_row(x + y * g.width, 1, room);
    for (std::size_t i = 0; i < g.width; ++i) g.along_column(x + i, g.width, room);
  }

  /// The spectrum of a product, subsampled by folding; real and imaginary parts exchanged, so that `fourier`
  /// is the inverse. Filters hold the factors.
  static void filter(const grid& from, const grid& to, const cell* x, const std::vector<T>& h, cell* y) {
    for (std::size_t v = 0; v < to.height; ++v)
      for (std::size_t u = 0; u < to.width; ++u) {
        B re(T(0)), im(T(0));
        for (std::size_t i = v; i < from.height; i += to.height)
          for (std::size_t k = i * from.width + u; k < (i + 1) * from.width; k += to.width) {
            const B factor(h[k]);
            re = simd::fma(factor, x[k].re, re);
            im = simd::fma(factor, x[k].im, im);
          }
        *y++ = {im, re};
      }
  }

  static void modulus(std::size_t n, const cell* x, B* y) {
    for (std::size_t i = 0; i < n; ++i) y[i] = simd::sqrt(simd::fma(x[i].re, x[i].re, B(x[i].im * x[i].im)));
  }

  void store_average(const grid& g, const B* x, B* across, std::size_t images, std::span<T> out,
                     std::size_t channel) const {
    const std::size_t high = out_height(), wide = out_width();
    for (std::size_t y = 0; y < g.height; ++y)
      for (std::size_t u = 0; u < wide; ++u) {
        B sum(T(0));
        for (std::size_t i = 0; i < g.width; ++i)
          sum = simd::fma(B(g.across[u * g.width + i]), x[y * g.width + i], sum);
        across[y * wide + u] = sum;
      }
    alignas(cache_line) T found[lanes];
    for (std::size_t v = 0; v < high; ++v)
      for (std::size_t u = 0; u < wide; ++u) {
        B sum(T(0));
        for (std::size_t i = 0; i < g.height; ++i)
          sum = simd::fma(B(g.down[v * g.height + i]), across[i * wide + u], sum);
        simd::store<Arch, T>(found, sum);
        for (std::size_t l = 0; l < images; ++l)
          out[l * size_of_one() + (channel * high + v) * wide + u] = found[l];
      }
  }

  // Filters, in double precision.

  /// Frequency k of n, between -n / 2 and n / 2.
  static double signed_frequency(std::size_t k, std::size_t n) noexcept {
    return k < (n + 1) / 2 ? static_cast<double>(k) : static_cast<double>(k) - static_cast<double>(n);
  }

  /// One dimension of phi * and reading every 2^J pixels within the border, on the grid of every 2^j-th.
  std::vector<T> low_pass(std::size_t padded, std::size_t inner, std::size_t j) const {
    const double deviation = 0.8 * static_cast<double>(std::size_t{1} << (scales_ - 1));
    const std::size_t n = padded >> j, outputs = inner >> scales_, step = border() >> j;
    const double unit = 2 * std::numbers::pi / static_cast<double>(padded);
    table spectrum(padded), response(n);
    for (std::size_t k = 0; k < padded; ++k)
      for (std::size_t i = 0; i < padded; ++i)
        spectrum[k] += line(static_cast<double>(i), padded, deviation) *
                       std::cos(unit * static_cast<double>(i * k % padded));
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k) // the grid holds the low frequencies alone
        response[i] +=
            spectrum[k < n / 2 ? k : padded - n + k] *
            std::cos(2 * std::numbers::pi * static_cast<double>(i * k % n) / static_cast<double>(n)) /
            static_cast<double>(n);
    std::vector<T> matrix(outputs * n);
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t i = 0; i < n; ++i)
        matrix[o * n + i] = static_cast<T>(response[((o + 1) * step + n - i) % n]);
    return matrix;
  }

  /// A periodic Gaussian density of one dimension.
  static double line(double x, std::size_t period, double deviation) {
    double sum = 0;
    for (int turn = -periods; turn <= periods; ++turn) {
      const double at = (x + turn * static_cast<double>(period)) / deviation;
      sum += std::exp(-at * at / 2);
    }
    return sum / (deviation * std::sqrt(2 * std::numbers::pi));
  }

  /// The spectrum of psi(j, a) on the padded grid.
  table morlet(std::size_t j, std::size_t a) const {
    const std::size_t rows = padded_height(), columns = padded_width();
    const double scale = static_cast<double>(std::size_t{1} << j), deviation = 0.8 * scale;
    const double wave = 0.75 * std::numbers::pi / scale, slant = 4 / static_cast<double>(angles_);
    const double turn = (std::floor((static_cast<double>(angles_) - 1) / 2) - static_cast<double>(a)) *
                        std::numbers::pi / static_cast<double>(angles_);
    const double c = std::cos(turn), s = std::sin(turn);
    std::vector<std::complex<double>> gabor(rows * columns);
    table envelope(gabor.size());
    for (std::size_t y = 0; y < rows; ++y)
      for (std::size_t x = 0; x < columns; ++x)
        for (int v = -periods; v <= periods; ++v)
          for (int u = -periods; u <= periods; ++u) {
            const double down = static_cast<double>(y) + v * static_cast<double>(rows),
                         right = static_cast<double>(x) + u * static_cast<double>(columns);
            const double along = c * down + s * right, beside = c * right - s * down;
            const double g =
                std::exp(-(along * along + slant * slant * beside * beside) / (2 * deviation * deviation));
            gabor[y * columns + x] += std::polar(g, wave * along);
            envelope[y * columns + x] += g;
          }
    std::complex<double> wave_sum = 0;
    double sum = 0;
    for (std::size_t i = 0; i < gabor.size(); ++i) wave_sum += gabor[i], sum += envelope[i];
    using line = detail::fourier_line<double, simd::scalar>;
    std::vector<detail::complex_lanes<double>> psi(gabor.size()), room(3 * std::max(rows, columns));
    const double area = 2 * std::numbers::pi * deviation * deviation / slant;
    for (std::size_t i = 0; i < psi.size(); ++i) {
      const auto z = (gabor[i] - wave_sum / sum * envelope[i]) / area; // of mean 0
      psi[i] = {z.real(), z.imag()};
    }
    const line along_row(columns), along_column(rows);
    for (std::size_t y = 0; y < rows; ++y) along_row(psi.data() + y * columns, 1, room.data());
    for (std::size_t x = 0; x < columns; ++x) along_column(psi.data() + x, columns, room.data());
    table spectrum; // real, as psi(-u) is the conjugate of psi(u)
    for (const auto& z : psi) spectrum.push_back(z.re);
    return spectrum;
  }

  /// The low frequencies of a spectrum, as on the grid of every 2^r-th pixel, divided by its size for the
  /// inverse transform.
  std::vector<T> at_resolution(const table& whole, std::size_t r) const {
    const std::size_t rows = padded_height(), columns = padded_width(), high = rows >> r, wide = columns >> r;
    std::vector<T> out;
    for (std::size_t v = 0; v < high; ++v)
      for (std::size_t u = 0; u < wide; ++u) {
        const std::size_t y = v < high / 2 || r == 0 ? v : rows - high + v,
                          x = u < wide / 2 || r == 0 ? u : columns - wide + u;
        out.push_back(static_cast<T>(whole[y * columns + x] / static_cast<double>(high * wide)));
      }
    return out;
  }

  static constexpr int periods = 2; ///< each way; all wavelets are much shorter

  std::size_t colours_, height_, width_, scales_, angles_;
  std::vector<grid> grids_;                           ///< by resolution
  std::vector<std::vector<std::vector<T>>> wavelets_; ///< by scale and angle, then resolution
};

/// Brings each group of channels of one image to mean 0 and deviation 1, by its own numbers alone.
///
/// Formula   x -> (x - mean) / sqrt(variance + 1e-5) over the group, with the biased variance
/// Shape     the row of an image: `groups` pieces of the same length, one after another
/// Privacy   a function of one row and of constants: it costs nothing, where moments over rows would
/// Errors    N001 for no group, N003 when the row is not a whole number of groups
/// Source    Wu, He, ECCV 2018, arXiv:1803.08494; for scattering coefficients Tramer, Boneh, arXiv:2011.11660,
///           with 27 groups of 3 channels
template <class T>
void normalise_groups(std::span<T> row, std::size_t groups) {
  require(groups > 0, fault::argument, "normalise_groups: got 0 groups, expected at least 1");
  require(row.size() % groups == 0, fault::shape, "normalise_groups: a row of ", row.size(),
          " numbers, expected a multiple of its ", groups, " groups");
  const std::size_t n = row.size() / groups;
  for (std::size_t g = 0; g < groups; ++g) {
    const auto group = row.subspan(g * n, n);
    double sum = 0, squares = 0;
    for (const T x : group) sum += static_cast<double>(x);
    const double mean = sum / static_cast<double>(n);
    for (const T x : group) squares += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (T& x : group) x = static_cast<T>((static_cast<double>(x) - mean) * scale);
  }
}

} // namespace privet
