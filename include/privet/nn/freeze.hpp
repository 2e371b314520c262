#pragma once
// From batch normalisation that mixes examples to one that does not.

#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/batch_norm.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/nn/tied.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// Sums of the means and variances of batches.
struct moment_sums {
  std::vector<double> mean, variance;
};

/// A batch_norm that remembers the moments of what it reads.
template <image In>
struct measured_batch_norm : batch_norm<In> {
  moment_sums* sums = nullptr;

  measured_batch_norm(const batch_norm<In>& layer, moment_sums& to) : batch_norm<In>(layer), sums(&to) {
    to.mean.assign(image(layer.in).channels, 0);
    to.variance = to.mean;
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, std::size_t rows, std::size_t width, std::size_t, const T* x, T* y,
               layer_context context, const Finish& finish = {}) const {
    const image of = this->in;
    const std::size_t pixels = of.pixels();
    const double n = static_cast<double>(rows * pixels);
    for (std::size_t c = 0; c < of.channels; ++c) {
      const auto over_pixels = [&](auto&& term) {
        double sum = 0;
        for (std::size_t r = 0; r < rows; ++r)
          for (std::size_t i = 0; i < pixels; ++i)
            sum += term(static_cast<double>(x[r * width + c * pixels + i]));
        return sum;
      };
      const double mean = over_pixels([](double v) { return v; }) / n;
      sums->mean[c] += mean;
      sums->variance[c] += over_pixels([&](double v) { return (v - mean) * (v - mean); }) / (n - 1);
    }
    batch_norm<In>::template forward<Arch>(p, rows, width, width, x, y, context, finish);
  }
};

template <class L>
L measured(const L& layer, moment_sums&) {
  return layer;
}
template <image In>
measured_batch_norm<In> measured(const batch_norm<In>& layer, moment_sums& sums) {
  return {layer, sums};
}
template <class L>
L frozen_at(const L& layer, const moment_sums&, double) {
  return layer;
}
template <image In>
frozen_batch_norm<In> frozen_at(const batch_norm<In>& layer, const moment_sums& sums, double batches) {
  running_statistics statistics;
  for (const double sum : sums.mean) statistics.mean.push_back(static_cast<float>(sum / batches));
  for (const double sum : sums.variance) statistics.variance.push_back(static_cast<float>(sum / batches));
  return layer.frozen(std::move(statistics));
}

} // namespace detail

/// The model with its batch_norms frozen at the statistics of `rows`: the means over batches of the mean and
/// of the unbiased variance of what each of them reads, as torch's with `momentum=None` become. Parameters
/// stay as and where they are.
///
///   const auto final_model = freeze(model, p, rows);   // reads p, mixes nothing
///
/// Batches  whole ones of `batch` rows; rows that are left over play no part, but fewer than one batch are
///          one
/// Errors   N003 for rows or parameters of another model; N001 where a batch has a single row, and for rows
///          whose mean or variance no float holds
/// Privacy  the statistics are a function of the rows and not noised
/// Source   Ioffe and Szegedy, ICML 2015, algorithm 2
/// Test     tests/nn/normalisation.test.cpp, against PyTorch
template <class Arch = simd::default_arch, class List, class T>
  requires requires(const List& layers) { layers.template get<0>(); }
auto freeze(const layer_stack<List>& model, const parameters<T>& p, rows_view<T> rows,
            std::size_t batch = 320) {
  batch = std::min(batch, rows.rows);
  require(batch > 1, fault::argument, "freeze: batches of ", batch, " rows, expected 2 or more");
  require(rows.columns == model.in_width(), fault::shape, "freeze: the model reads rows ", model.in_width(),
          " wide, got ", rows.columns);
  require(p.sizes() == model.sizes(), fault::shape, "freeze: the model has ",
          model.sizes().shared + model.sizes().local, " parameters, got ", p.trained().size());
  std::vector<detail::moment_sums> sums(model.depth());
  const auto with = [&](auto&& each) { // a residual block is several layers of the list
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      sequential changed{each(model.layers().template get<I>(), sums[I])...};
      changed.keep_local(model.local_layers());
      if constexpr (detail::with_ties<List>) {
        tied shared(changed);
        for (const auto& layers : model.ties()) shared.tie(layers);
        return shared;
      } else {
        return changed;
      }
    }(std::make_index_sequence<std::remove_cvref_t<decltype(model.layers())>::size()>{});
  };

  const auto measured =
      with([](const auto& layer, detail::moment_sums& to) { return detail::measured(layer, to); });
  auto memory = measured.template make_tape<T>(batch);
  const std::size_t batches = rows.rows / batch;
  for (std::size_t i = 0; i < batches; ++i)
    measured.template forward<Arch>(p.trained(), batch, rows.data + i * batch * rows.columns, memory,
                                    {mode::training, 0, i, 0});
  return with([&](const auto& layer, const detail::moment_sums& from) {
    return detail::frozen_at(layer, from, static_cast<double>(batches));
  });
}

} // namespace privet
