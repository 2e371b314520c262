#pragma once
// First weights, the same on every target: integer draws and one product each.

#include <privet/core/parameters.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/init_normal.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>

namespace privet {

/// Normal with variance 2 / fan_in, for layers followed by a relu.
/// Source    He, Zhang, Ren, Sun, ICCV 2015
struct he_normal {
  template <class T, RandomSource Source>
  void fill(Source& source, std::span<T> weights, std::size_t fan_in, std::size_t) const {
    fill_init_normal(source, weights, std::sqrt(2.0 / static_cast<double>(fan_in)));
  }
};

/// Uniform in +-sqrt(6 / (fan_in + fan_out)), for tanh and sigmoid.
/// Source    Glorot and Bengio, AISTATS 2010
struct glorot_uniform {
  template <class T, RandomSource Source>
  void fill(Source& source, std::span<T> weights, std::size_t fan_in, std::size_t fan_out) const {
    const T reach = static_cast<T>(std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)));
    for (auto& w : weights) w = (2 * uniform01<T>(source) - 1) * reach;
  }
};

/// New parameters for a model: weights from `scheme`, biases zero. A function of the model's
/// shapes and the seed alone.
template <class T = float, class Scheme = he_normal, class Model>
parameters<T> initialise(const Model& model, std::uint64_t seed, Scheme scheme = {}) {
  auto p = model.template make_parameters<T>();
  replayable_random source(seed, stream_id(purpose::initialisation));
  model.initialise(p, [&](std::span<T> weights, std::size_t fan_in, std::size_t fan_out) {
    scheme.fill(source, weights, fan_in, fan_out);
  });
  return p;
}

} // namespace privet
