#pragma once
// Batch normalisation, which mixes examples, and its frozen form, which does not.

#include <privet/nn/affine_parameters.hpp>
#include <privet/nn/image.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/normalise.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

namespace privet {

/// Mean and variance of each channel: numbers that a layer reads and nobody trains.
///
/// Privacy   they are a function of rows. Under privacy take those of public data, such as came with public
///           weights, or release them by a mechanism of their own: a chain does not see them
struct running_statistics {
  std::vector<float> mean, variance;

  /// The first channel whose mean or variance is no finite number, or whose variance is below 0; the number of
  /// channels if there is none. Requires as many variances as means.
  std::size_t first_impossible() const noexcept {
    std::size_t c = 0;
    while (c < mean.size() && std::isfinite(mean[c]) && std::isfinite(variance[c]) && variance[c] >= 0) ++c;
    return c;
  }
};

/// Numbers of a layer that are no parameters, as files name them.
struct named_constant {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

/// Batch normalisation by statistics that stay as they are: an affine map of each channel, whose weight and
/// bias are trained. It mixes no examples and stands under privacy.
///
/// Formula     y[c][i] = w[c] (x[c][i] - mean[c]) / sqrt(variance[c] + epsilon) + b[c]: torch.nn.BatchNorm2d
///             in inference
/// Statistics  belong to the layer, as a rate belongs to dropout: they are in its description, not among the
///             parameters, so no noise, no decay and no upload touches them. Without any, means are 0 and
///             variances 1
/// Shapes      x and y (in.channels, in.height, in.width); image{features, 1, 1} is torch.nn.BatchNorm1d. In
///             the type or as a number, the same bits
/// Order       w (channels), then b (channels), in memory as in files: `weight`, `bias`, and beside them
///             `running_mean`, `running_var`
/// Layout      batch-minor lanes, as conv2d
/// Requires    as many means and variances as channels, all finite, variances not below 0; epsilon 1e-30 to
///             1e30
/// Source      Ioffe and Szegedy, "Batch Normalization", ICML 2015
/// Test        tests/nn/normalisation.test.cpp, against PyTorch
template <image In = image{}>
struct frozen_batch_norm {
  [[no_unique_address]] fixed<In> in{};
  std::shared_ptr<const running_statistics> statistics{};
  double epsilon = 1e-5;

  static constexpr activation_layout layout = activation_layout::lanes;
  static constexpr bool fuses = true;
  static constexpr std::size_t static_in = detail::is_fixed<In> ? In.size() : dynamic;
  static constexpr std::size_t static_out = static_in;
  static constexpr std::size_t static_size = detail::is_fixed<In> ? 2 * In.channels : dynamic;

  constexpr std::size_t in_width() const noexcept { return image(in).size(); }
  constexpr std::size_t out_width(std::size_t) const noexcept { return in_width(); }
  constexpr image out_image() const noexcept { return in; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in_width(); }
  constexpr std::size_t size(std::size_t) const noexcept { return 2 * channels(); }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for sizes and statistics that are none, with both sides.
  void check() const {
    detail::check_window("batch_norm", in, window{1, 1});
    detail::check_epsilon("batch_norm", epsilon);
    if (!statistics) return;
    const auto& [means, variances] = *statistics;
    require(means.size() == channels() && variances.size() == channels(), fault::argument,
            "batch_norm: ", means.size(), " means and ", variances.size(), " variances, for ", channels(),
            " channels");
    if (const std::size_t c = statistics->first_impossible(); c < channels())
      fail(fault::argument, "batch_norm: channel ", c, " has mean ", means[c], " and variance ", variances[c],
           ", expected finite numbers, the variance not below 0");
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, const layer_rows<T>& call, T* y, layer_context,
               const Finish& finish = {}) const {
    each_channel<T>([&](std::size_t c, const T* mean, const T* rate) {
      simd::lane_affine<Arch>(pixels(), call.input + at(c), mean, rate, p[c], p[channels() + c], y + at(c),
                              finish);
    });
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    each_channel<T>([&](std::size_t c, const T*, const T* rate) {
      const auto slope = simd::broadcast<Arch>(p[c] * rate[0]);
      for (std::size_t i = at(c); i < at(c + 1); i += simd::width<T, Arch>)
        simd::store<Arch, T>(dx + i, finish(simd::batch<T, Arch>(simd::load<Arch>(dy + i) * slope),
                                            simd::load<Arch>(call.input + i)));
    });
  }

  /// The gradient of each example of a block, in its lane: g (size, lane_block).
  template <class Arch, class T>
  void lane_gradients(const layer_rows<T>& call, const T* dy, T* g) const {
    each_channel<T>([&](std::size_t c, const T* mean, const T* rate) {
      simd::lane_products<Arch>(pixels(), call.input + at(c), mean, rate, dy + at(c),
                                g + c * simd::lane_block, g + (channels() + c) * simd::lane_block);
    });
  }

  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&&) const {
    affine().initialise(p);
  }
  std::vector<named_tensor> tensors() const { return affine().tensors(); }
  /// What files hold beside the parameters.
  std::vector<named_constant> constants() const {
    if (statistics)
      return {{"running_mean", {channels()}, statistics->mean},
              {"running_var", {channels()}, statistics->variance}};
    return {{"running_mean", {channels()}, std::vector<float>(channels(), 0.0f)},
            {"running_var", {channels()}, std::vector<float>(channels(), 1.0f)}};
  }

 private:
  static_assert(
      [] {
        if constexpr (detail::is_fixed<In>) return detail::fault_of(In, window{1, 1}).what == nullptr;
        return true;
      }(),
      "batch_norm: an image without pixels");

  constexpr std::size_t channels() const noexcept { return image(in).channels; }
  constexpr std::size_t pixels() const noexcept { return image(in).pixels(); }
  constexpr std::size_t at(std::size_t channel) const noexcept {
    return channel * pixels() * simd::lane_block;
  }
  constexpr affine_parameters affine() const noexcept { return {channels()}; }

  /// f(channel, mean, rate), the same in all lanes.
  template <class T, class F>
  void each_channel(F&& f) const {
    alignas(64) T mean[simd::lane_block], rate[simd::lane_block];
    for (std::size_t c = 0; c < channels(); ++c) {
      const double middle = statistics ? static_cast<double>(statistics->mean[c]) : 0,
                   variance = statistics ? static_cast<double>(statistics->variance[c]) : 1;
      std::ranges::fill(mean, static_cast<T>(middle));
      std::ranges::fill(rate, static_cast<T>(1 / std::sqrt(variance + epsilon)));
      f(c, static_cast<const T*>(mean), static_cast<const T*>(rate));
    }
  }
};

/// Batch normalisation, as torch.nn.BatchNorm2d: in training each channel less its mean over the batch and
/// all pixels, over its standard deviation. Every example then moves all others, so a chain that clips does
/// not compile (P007): freeze it, or take group_norm.
///
/// Formula   y[c][i] = w[c] (x[c][i] - m[c]) / sqrt(v[c] + epsilon) + b[c], m and v over the rows of one
///           chunk: a batch that is larger than the chunk of its training_step is normalised chunk by chunk
/// Inference has no batch, and the layer keeps no memory of those it has met: `freeze(model, p, rows)` of
///           nn/freeze.hpp finds the statistics of rows for a trained model. Forward in inference throws N011
/// Layout    rows: a block of lanes is not the batch
/// Order, requires, source   as frozen_batch_norm
/// Test      tests/nn/normalisation.test.cpp, against PyTorch
template <image In = image{}>
struct batch_norm {
  [[no_unique_address]] fixed<In> in{};
  double epsilon = 1e-5;

  static constexpr bool fuses = true;
  static constexpr std::size_t static_in = detail::is_fixed<In> ? In.size() : dynamic;
  static constexpr std::size_t static_out = static_in;
  static constexpr std::size_t static_size = detail::is_fixed<In> ? 2 * In.channels : dynamic;

  constexpr std::size_t in_width() const noexcept { return image(in).size(); }
  constexpr std::size_t out_width(std::size_t) const noexcept { return in_width(); }
  constexpr image out_image() const noexcept { return in; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in_width(); }
  constexpr std::size_t size(std::size_t) const noexcept { return 2 * channels(); }
  static constexpr bool mixes_examples(mode m) noexcept { return m == mode::training; }

  /// Throws N001 for sizes that are none, with both sides.
  void check() const { frozen().check(); }

  /// The layer with these statistics from here on, which mixes nothing.
  frozen_batch_norm<In> frozen(running_statistics statistics) const {
    frozen_batch_norm<In> layer{in, std::make_shared<const running_statistics>(std::move(statistics)),
                                epsilon};
    layer.check();
    return layer;
  }
  /// With means of 0 and variances of 1, until a file brings others.
  frozen_batch_norm<In> frozen() const { return {in, nullptr, epsilon}; }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context context, const Finish& finish = {}) const {
    require(
        context.mode == mode::training, fault::unsupported,
        "batch_norm: one that is not frozen has no statistics outside training: run freeze(model, p, rows)");
    if (rows == 0) return;
    for (std::size_t c = 0; c < channels(); ++c) {
      const auto of =
          simd::channel_moments<Arch>(rows, in_width(), pixels(), x + c * pixels(), static_cast<T>(epsilon));
      simd::channel_affine<Arch>(rows, in_width(), pixels(), x + c * pixels(), of, p[c], p[channels() + c],
                                 y + c * pixels(), finish);
    }
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    if (call.rows == 0) return;
    const T n = static_cast<T>(call.rows * pixels());
    for (std::size_t c = 0; c < channels(); ++c) {
      const std::size_t first = c * pixels();
      const auto of = moments_of<Arch>(call, c);
      const auto [product, sum] =
          simd::channel_products<Arch>(call.rows, in_width(), pixels(), call.input + first, of, dy + first);
      simd::channel_affine_back<Arch>(call.rows, in_width(), pixels(), call.input + first, of, p[c],
                                      dy + first, p[c] * sum / n, p[c] * product / n, dx + first, finish);
    }
  }

  /// The squares of what one row adds to the gradient, its moments taken as given: no bound on what the row
  /// does to the sum, and nothing asks for it where a layer mixes examples.
  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    for (std::size_t c = 0; call.rows > 0 && c < channels(); ++c) {
      const auto of = moments_of<Arch>(call, c);
      for (std::size_t r = 0; r < call.rows; ++r) {
        const std::size_t at = r * in_width() + c * pixels();
        const auto [product, sum] =
            simd::channel_products<Arch>(1, in_width(), pixels(), call.input + at, of, dy + at);
        norms[r] += simd::fma(product, product, sum * sum);
      }
    }
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    for (std::size_t c = 0; call.rows > 0 && c < channels(); ++c) {
      const auto [product, sum] =
          simd::channel_products<Arch>(call.rows, in_width(), pixels(), call.input + c * pixels(),
                                       moments_of<Arch>(call, c), dy + c * pixels());
      g[c] += product;
      g[channels() + c] += sum;
    }
  }

  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&&) const {
    affine().initialise(p);
  }
  std::vector<named_tensor> tensors() const { return affine().tensors(); }

 private:
  constexpr std::size_t channels() const noexcept { return image(in).channels; }
  constexpr std::size_t pixels() const noexcept { return image(in).pixels(); }
  constexpr affine_parameters affine() const noexcept { return {channels()}; }

  template <class Arch, class T>
  simd::moments<T> moments_of(const layer_rows<T>& call, std::size_t c) const {
    return simd::channel_moments<Arch>(call.rows, in_width(), pixels(), call.input + c * pixels(),
                                       static_cast<T>(epsilon));
  }
};

batch_norm(image) -> batch_norm<>;
batch_norm(image, double) -> batch_norm<>;

} // namespace privet
