#pragma once
// Transfer: the first layers of a trained model stay as they are, and what they make of a data set is computed once.

#include <privet/core/aligned.hpp>
#include <privet/core/parallel.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/outputs.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

/// What a body makes of rows: a matrix (rows, columns) that trainers read in their place,
/// `labelled_rows<float>{cached.view(), labels}`.
template <class T = float>
struct features {
  aligned_vector<T> values;
  std::size_t rows = 0, columns = 0;

  rows_view<T> view() const noexcept { return {values.data(), rows, columns}; }
};

/// The first layers of a model and their parameters: read, never trained, counted, noised or uploaded. Copies point to
/// the same parameters.
///
/// Mode      inference: dropout passes everything on
/// Privacy   none of its own. Its parameters must be public, or paid for by a budget of their own: the accountant of
///           a head does not see them. Features are a function of one row each, and as private as that row; clipping
///           and noise in the training of a head protect them as they would protect rows
template <class T = float>
class frozen_body {
 public:
  /// Throws N003 for parameters of another model.
  frozen_body(network layers, parameters<T> weights)
      : layers_(std::move(layers)), weights_(std::make_shared<const parameters<T>>(std::move(weights))) {
    require(weights_->sizes() == layers_.sizes(), fault::shape, "frozen_body: the layers have ",
            layers_.sizes().shared + layers_.sizes().local, " parameters, got ", weights_->trained().size());
  }

  const network& layers() const noexcept { return layers_; }
  const parameters<T>& weights() const noexcept { return *weights_; }
  std::size_t in_width() const noexcept { return layers_.in_width(); }
  std::size_t out_width() const noexcept { return layers_.out_width(); }

  /// What the last layer writes of each row. Throws N003 for rows of another width.
  ///
  /// Ensures  the same bits on any number of threads
  /// Cost     one tape for each thread: of 16 rows, and of as many more as take no more than 256 MiB
  template <class Arch = simd::default_arch>
  privet::features<T> features(rows_view<T> rows, std::size_t threads = 1) const {
    privet::features<T> all{aligned_vector<T>(rows.rows * out_width()), rows.rows, out_width()};
    write_features<Arch>(rows, std::span<T>(all.values), threads);
    return all;
  }
  /// The same into memory of the caller, for data sets that are read in portions. Throws N003 too where `to` is not
  /// as many numbers as there are features.
  template <class Arch = simd::default_arch>
  void write_features(rows_view<T> rows, std::span<T> to, std::size_t threads = 1) const {
    require(rows.columns == in_width(), fault::shape, "frozen_body: the layers read rows ", in_width(),
            " wide, got ", rows.columns);
    require(to.size() == rows.rows * out_width(), fault::shape, "frozen_body: ", rows.rows, " rows have ",
            rows.rows * out_width(), " features, got room for ", to.size());
    threads = std::max<std::size_t>(threads, 1);
    const std::size_t each = (rows.rows + threads - 1) / threads;
    for_each_parallel(threads, threads, [&](std::size_t worker) {
      const std::size_t begin = std::min(worker * each, rows.rows), count = std::min(each, rows.rows - begin);
      if (count == 0) return;
      for_each_output<Arch>(layers_, *weights_,
                            rows_view<T>{rows.data + begin * rows.columns, count, rows.columns},
                            [&](std::size_t first, std::size_t n, const T* values) {
                              std::copy_n(values, n * out_width(), to.data() + (begin + first) * out_width());
                            });
    });
  }

 private:
  network layers_;
  std::shared_ptr<const parameters<T>> weights_;
};

/// A model in two parts: a body that stays as it is, and a head behind it, a model of its own that is trained.
///
///   const auto parts = freeze_all_but(model, p, 1);             // the last layer is trained
///   const auto cached = parts.body.features(rows, threads);     // once for each data set
///   trainer train{parts.head, softmax_cross_entropy{}, steps};  // on cached.view()
///   const auto final_weights = parts.join(train.parameters());  // of parts.whole(), which reads rows
template <class T = float>
struct partly_frozen {
  frozen_body<T> body;
  network head;
  parameters<T> head_weights; ///< as they were in the model

  /// Both parts as one model, that of before.
  network whole() const {
    std::vector<any_layer> layers;
    std::vector<std::size_t> local;
    std::vector<std::vector<std::size_t>> ties;
    for (const network* const part : {&body.layers(), &head}) {
      for (const std::size_t i : part->local_layers()) local.push_back(layers.size() + i);
      for (auto& tied : part->ties()) {
        for (auto& i : tied) i += layers.size();
        ties.push_back(std::move(tied));
      }
      part->layers().for_each([&](const auto& layer) { layers.push_back(layer); });
    }
    network both(std::move(layers));
    both.keep_local(local);
    for (const auto& tied : ties) both.tie(tied);
    return both;
  }

  /// The parameters of `whole()` with these of the head: what predicts from rows, and is written to one file. Throws
  /// N003 for parameters of another model.
  parameters<T> join(const parameters<T>& trained) const {
    require(trained.sizes() == head.sizes(), fault::shape, "partly_frozen: the head has ",
            head.sizes().shared + head.sizes().local, " parameters, got ", trained.trained().size());
    const network both = whole();
    auto p = both.make_parameters<T>();
    const auto tensors = both.tensors();
    auto to = tensors.begin(); // layer by layer, as those of the parts
    const auto take = [&](const network& part, const parameters<T>& from) {
      for (const auto& tensor : part.tensors()) {
        std::copy_n(from.trained().data() + tensor.offset, tensor.size, p.trained().data() + to->offset);
        ++to;
      }
    };
    take(body.layers(), body.weights());
    take(head, trained);
    return p;
  }
};

namespace detail {

/// Throws N001 where a model cannot be cut in front of layer `at`.
template <class List>
void check_cut(const layer_stack<List>& model, std::size_t at) {
  require(at >= 1 && at < model.depth(), fault::argument, "freeze_body: ", at, " layers of ", model.depth(),
          " are to be frozen, possible is 1 to ", model.depth() - 1,
          "; to train all, train the model itself");
  std::size_t i = 0;
  model.layers().for_each([&]<class L>(const L& layer) {
    if constexpr (is_join<L> || is_branch<L>) {
      const std::size_t second = i + 1 - layer.back;
      require(i < at || second >= at, fault::argument, "freeze_body: layer ", i, " reads again what layer ",
              second, " reads, and a cut in front of layer ", at, " would part them: cut in front of layer ",
              second, " or behind layer ", i);
    }
    const std::size_t origin = model.origin(i);
    require(i < at || origin >= at || origin == i, fault::argument, "freeze_body: layers ", origin, " and ",
            i, " share parameters, and a cut in front of layer ", at,
            " would part them: cut in front of layer ", origin, " or behind layer ", i);
    if (i == at)
      require(own_in_width(layer).has_value(), fault::argument, "freeze_body: layer ", at,
              " does not know the width of what it reads, so no head begins with it: cut behind it, or in "
              "front of a "
              "layer with parameters");
    ++i;
  });
}

/// Layers first .. last - 1 of a model with their parameters.
template <class List, class T>
std::pair<network, parameters<T>> part_of(const layer_stack<List>& model, const parameters<T>& p,
                                          std::size_t first, std::size_t last) {
  std::vector<any_layer> layers;
  std::vector<std::size_t> local;
  std::size_t i = 0, skipped = 0, taken = 0; // tensors
  model.layers().for_each([&]<class L>(const L& layer) {
    std::size_t count = 0;
    if constexpr (ParametricLayer<L>)
      if (model.origin(i) == i) count = layer.tensors().size();
    if (i < first) skipped += count;
    if (i >= first && i < last) {
      layers.push_back(erase(layer));
      taken += count;
      if (model.is_local(i)) local.push_back(i - first);
    }
    ++i;
  });
  network part(std::move(layers));
  part.keep_local(local);
  for (auto& tied : model.ties())
    if (tied.front() >= first && tied.back() < last) {
      for (auto& layer : tied) layer -= first;
      part.tie(tied);
    }
  auto own = part.template make_parameters<T>();
  const auto from = model.tensors(), to = part.tensors();
  for (std::size_t k = 0; k < taken; ++k)
    std::copy_n(p.trained().data() + from[skipped + k].offset, to[k].size,
                own.trained().data() + to[k].offset);
  return {std::move(part), std::move(own)};
}

} // namespace detail

/// Freezes the first `layers` layers of a model, as they stand in its list; a residual block is several of them.
///
/// Errors   N001 for none or all of the layers, for a cut inside a residual block, which names both of the layers that
///          it would part, and in front of a layer that does not know what it reads, such as an activation; N003
///          for parameters of another model
/// Not      `freeze` of nn/freeze.hpp, which freezes the statistics of batch normalisation
/// Test     tests/nn/frozen_body.test.cpp
template <class List, class T>
partly_frozen<T> freeze_body(const layer_stack<List>& model, const parameters<T>& p, std::size_t layers) {
  require(p.sizes() == model.sizes(), fault::shape, "freeze_body: the model has ",
          model.sizes().shared + model.sizes().local, " parameters, got ", p.trained().size());
  detail::check_cut(model, layers);
  auto [body, body_weights] = detail::part_of(model, p, 0, layers);
  auto [head, head_weights] = detail::part_of(model, p, layers, model.depth());
  return {frozen_body<T>(std::move(body), std::move(body_weights)), std::move(head), std::move(head_weights)};
}

/// Freezes all but the last `count` layers that have parameters, each use of tied ones one: with 1 the classifier alone is trained. Errors as
/// `freeze_body`; N001 for more layers than there are.
template <class List, class T>
partly_frozen<T> freeze_all_but(const layer_stack<List>& model, const parameters<T>& p, std::size_t count) {
  std::vector<std::size_t> parametric;
  std::size_t i = 0;
  model.layers().for_each([&]<class L>(const L&) {
    if constexpr (ParametricLayer<L>) parametric.push_back(i);
    ++i;
  });
  require(count >= 1 && count <= parametric.size(), fault::argument, "freeze_all_but: the last ", count,
          " layers with parameters of ", parametric.size());
  return freeze_body(model, p, parametric[parametric.size() - count]);
}

} // namespace privet
