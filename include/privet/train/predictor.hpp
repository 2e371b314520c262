#pragma once
// Predictions one row at a time, where what counts is how soon the answer is there.

#include <privet/core/parameters.hpp>
#include <privet/nn/sequential.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace privet {

/// A trained model and room for one row. Allocates when it is made, never in a prediction; one per
/// thread. Gives the bits that `predict` gives the same row among others.
template <class Model, class T = float, class Arch = simd::default_arch>
class predictor {
 public:
  /// Keeps copies. Throws N003 for parameters of another model.
  predictor(const Model& model, const parameters<T>& p)
      : model_(model), parameters_(p), memory_(model_.template make_tape<T>(1, passes::forward)) {
    require(p.trained().size() == model.sizes().shared + model.sizes().local, fault::shape, "the model has ",
            model.sizes().shared + model.sizes().local, " parameters, got ", p.trained().size());
  }

  /// What the last layer writes, valid until the next call. Throws N003 for a row of another width.
  std::span<const T> scores(std::span<const T> row) {
    require(row.size() == model_.in_width(), fault::shape, "the model reads rows ", model_.in_width(),
            " wide, got ", row.size());
    const std::span<const T> weights = parameters_.trained();
    model_.template forward<Arch>(weights, 1, row.data(), memory_);
    return {memory_.output(model_.depth() - 1), model_.out_width()};
  }
  /// The class with the largest score; the first of equals.
  std::int32_t operator()(std::span<const T> row) {
    const auto s = scores(row);
    return static_cast<std::int32_t>(std::ranges::max_element(s) - s.begin());
  }

 private:
  Model model_;
  parameters<T> parameters_;
  tape<T> memory_;
};

template <class Model, class T>
predictor(const Model&, const parameters<T>&) -> predictor<Model, T>;

} // namespace privet
