#pragma once

#include <privet/nn/affine_parameters.hpp>
#include <privet/nn/image.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/normalise.hpp>

#include <algorithm>

namespace privet {

/// Group normalisation of an image: each group of neighbouring channels less its mean, over its standard
/// deviation, of one example alone. Nothing that one example does reaches another, so it stands under privacy
/// where batch_norm cannot.
///
/// Formula   y[c][i] = w[c] (x[c][i] - m) / sqrt(v + epsilon) + b[c], m and v the mean and the variance (over
///           n) of all pixels of all channels of the group of c. One group normalises the image as a whole,
///           as many groups as channels each channel alone (instance normalisation)
/// Shapes    x and y (in.channels, in.height, in.width). `group_norm<image{16, 8, 8}, 4>{}` has them in the
///           type, `group_norm<>{image{16, 8, 8}, 4}` carries them; both give the same bits
/// Order     w (channels), then b (channels), in memory as in files: `weight` and `bias` of
///           torch.nn.GroupNorm. They begin as ones and zeros
/// Layout    batch-minor lanes, as conv2d: each lane holds the gradient of one example
/// Requires  groups divides channels; epsilon 1e-30 to 1e30
/// Source    Wu and He, "Group Normalization", ECCV 2018
/// Test      tests/nn/normalisation.test.cpp, against PyTorch
template <image In = image{}, std::size_t Groups = dynamic>
struct group_norm {
  [[no_unique_address]] fixed<In> in{};
  [[no_unique_address]] extent<Groups> groups{};
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
  constexpr std::size_t size(std::size_t) const noexcept { return 2 * image(in).channels; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Scalars that each example keeps from forward on: the moments of its groups.
  constexpr std::size_t kept_in_lanes() const noexcept { return 2 * groups; }

  /// Throws N001 for sizes that are none, with both sides.
  void check() const {
    detail::check_window("group_norm", in, window{1, 1});
    const std::size_t channels = image(in).channels;
    require(groups >= 1 && channels % groups == 0, fault::argument, "group_norm: ", std::size_t{groups},
            " groups do not divide ", channels, " channels");
    detail::check_epsilon("group_norm", epsilon);
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, const layer_rows<T>& call, T* y, layer_context,
               const Finish& finish = {}) const {
    each_group(call.kept, [&](std::size_t first, T* mean, T* rate) {
      simd::lane_moments<Arch>(together() * pixels(), call.input + at(first), static_cast<T>(epsilon), mean,
                               rate);
      for (std::size_t c = first; c < first + together(); ++c)
        simd::lane_affine<Arch>(pixels(), call.input + at(c), static_cast<const T*>(mean),
                                static_cast<const T*>(rate), p[c], p[channels() + c], y + at(c), finish);
    });
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    const T share = T{1} / static_cast<T>(together() * pixels());
    each_group(call.kept, [&](std::size_t first, const T* mean, const T* rate) {
      alignas(64) T shift[simd::lane_block] = {}, tilt[simd::lane_block] = {}, own[2][simd::lane_block];
      for (std::size_t c = first; c < first + together(); ++c) {
        const T *products = own[0], *sums = own[1];
        if (call.gradient) {
          products = call.gradient + c * simd::lane_block;
          sums = call.gradient + (channels() + c) * simd::lane_block;
        } else {
          simd::lane_products<Arch>(pixels(), call.input + at(c), mean, rate, dy + at(c), own[0], own[1]);
        }
        simd::axpy<Arch>(p[c] * share, std::span<const T>(sums, simd::lane_block), std::span<T>(shift));
        simd::axpy<Arch>(p[c] * share, std::span<const T>(products, simd::lane_block), std::span<T>(tilt));
      }
      for (std::size_t c = first; c < first + together(); ++c)
        simd::lane_affine_back<Arch>(pixels(), call.input + at(c), mean, rate, p[c], dy + at(c),
                                     static_cast<const T*>(shift), static_cast<const T*>(tilt), dx + at(c),
                                     finish);
    });
  }

  /// The gradient of each example of a block, in its lane: g (size, lane_block).
  template <class Arch, class T>
  void lane_gradients(const layer_rows<T>& call, const T* dy, T* g) const {
    each_group(call.kept, [&](std::size_t first, const T* mean, const T* rate) {
      for (std::size_t c = first; c < first + together(); ++c)
        simd::lane_products<Arch>(pixels(), call.input + at(c), mean, rate, dy + at(c),
                                  g + c * simd::lane_block, g + (channels() + c) * simd::lane_block);
    });
  }

  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&&) const {
    affine().initialise(p);
  }
  std::vector<named_tensor> tensors() const { return affine().tensors(); }

 private:
  static_assert(
      [] {
        if constexpr (detail::is_fixed<In>)
          if (detail::fault_of(In, window{1, 1}).what != nullptr) return false;
        if constexpr (Groups == 0) return false;
        if constexpr (detail::is_fixed<In> && Groups != dynamic) return In.channels % Groups == 0;
        return true;
      }(),
      "group_norm: an image without pixels, or groups that do not divide its channels");

  constexpr std::size_t channels() const noexcept { return image(in).channels; }
  constexpr affine_parameters affine() const noexcept { return {channels()}; }
  constexpr std::size_t pixels() const noexcept { return image(in).pixels(); }
  /// Channels of a group.
  constexpr std::size_t together() const noexcept { return channels() / groups; }
  /// Where a channel lies.
  constexpr std::size_t at(std::size_t channel) const noexcept {
    return channel * pixels() * simd::lane_block;
  }

  /// f(first channel, mean, rate) of each group, from where its moments are kept.
  template <class T, class F>
  void each_group(T* kept, F&& f) const {
    for (std::size_t first = 0; first < channels(); first += together(), kept += 2 * simd::lane_block)
      f(first, kept, kept + simd::lane_block);
  }
};

group_norm(image, std::size_t) -> group_norm<>;
group_norm(image, std::size_t, double) -> group_norm<>;

} // namespace privet
