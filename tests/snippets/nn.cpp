// The code of docs/nn and docs/simd.

#include <privet/nn/activations.hpp>
#include <privet/nn/batch_norm.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/describe.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/freeze.hpp>
#include <privet/nn/group_norm.hpp>
#include <privet/nn/layer_norm.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/nn/tied.hpp>
#include <privet/nn/weights.hpp>
#include <privet/optim/adam.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/train/trainer.hpp>

#include <cmath>
#include <utility>
#include <vector>

namespace {

using namespace privet;

void multiply() {
  std::vector<float> x(10 * 43), w(43 * 128), bias(128), y(10 * 128);
  simd::affine(10, 128, 43, x.data(), w.data(), bias.data(), y.data()); // y = x w + bias
}

void convolutions() {
  const sequential lenet{conv2d<image{1, 28, 28}, 6, window{5, 5}>{},
                         relu{},
                         max_pool<image{6, 24, 24}, window{2, 2, 2}>{},
                         conv2d<image{6, 12, 12}, 16, window{5, 5}>{},
                         relu{},
                         max_pool<image{16, 8, 8}, window{2, 2, 2}>{},
                         flatten{},
                         dense<256, 120>{},
                         relu{},
                         dense<120, 84>{},
                         relu{},
                         dense<84, 10>{}};
  static_assert(decltype(lenet)::parameter_count == 44426);
}

void normalise(const safetensors_file& file, const rows_view<float>& rows) {
  const sequential grouped{conv2d<image{3, 32, 32}, 16, window{.height = 3, .width = 3, .padding = 1}>{},
                           group_norm<image{16, 32, 32}, 4>{}, relu{}};
  const sequential by_row{dense<43, 128>{}, layer_norm<128>{}, relu{}, dense<128, 6>{}};

  const image of{16, 32, 32};
  const sequential mixing{conv2d<>{image{3, 34, 34}, 16, window{3, 3}}, batch_norm{of}, relu{}};
  parameters<> p = initialise(mixing, 7);
  // ... training without clipping ...
  const sequential final_model = freeze(mixing, p, rows); // the same p, statistics of these rows

  const running_statistics known = read_statistics(file, "layer1.0.bn1").value();
  const sequential frozen{conv2d<>{image{3, 34, 34}, 16, window{3, 3}}, batch_norm{of}.frozen(known), relu{}};

  const network whole({conv2d<>{image{3, 34, 34}, 16, window{3, 3}}, frozen_batch_norm<>{of}, relu{}});
  const network pretrained = with_statistics(whole, file).value();
  p = read_weights<float>(pretrained, file).value();
}

float decay(float value) {
  const simd::flush_denormals quick; // this thread, until the end of the scope
  for (int i = 0; i < 1000; ++i) value *= 0.9f;
  return value;
}

/// max(x, 0.01 x).
struct leaky_relu : activation<leaky_relu> {
  template <class B>
  static B apply(const B& x) {
    return simd::select(x < B(0), x * B(0.01f), x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) {
    return simd::select(y < B(0), dy * B(0.01f), dy);
  }
};
static_assert(Activation<leaky_relu>);

/// y = x / (1 + |x|).
struct softsign : elementwise {
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    for (std::size_t i = 0; i < rows * in; ++i) y[i] = x[i] / (1 + std::abs(x[i]));
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    for (std::size_t i = 0; i < call.rows * call.in; ++i) {
      const T slope = 1 - std::abs(call.output[i]); // 1 / (1 + |x|)
      dx[i] = dy[i] * slope * slope;
    }
  }
};
static_assert(Layer<softsign>);

float one_row() {
  const float logits[] = {2, -1, 0.5f};
  const std::int32_t label = 0;
  float loss, delta[3];
  softmax_cross_entropy{.smoothing = 0.1}.evaluate<simd::default_arch>(1, 3, logits, &label, &loss, delta);
  return loss + delta[0];
}

void fit_numbers(rows_view<float> rows, const std::vector<float>& targets) {
  trainer train{sequential{dense<3, 16>{}, softsign{}, dense<16, 1>{}}, mean_squared_error{},
                chain(average_over_batch{}, adam{})};
  train.fit(rows, targets, epochs{20}); // one target per row, because the last layer is one wide
}

float read_by_hand(rows_view<float> rows) {
  const sequential model{dense<43, 128>{}, relu{}, dropout{0.2}, dense<128, 6>{}};
  static_assert(decltype(model)::parameter_count == 6406);

  const parameters<> p = initialise(model, 7); // the numbers
  auto memory = model.make_tape(rows.rows);    // room for what the layers write
  model.forward(p.trained(), rows.rows, rows.data, memory);
  const float* scores = memory.output(model.depth() - 1); // (rows, 6)
  return scores[0];
}

std::size_t a_head_of_ones_own() {
  const auto model = keep_local(sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}}, {2});
  const std::size_t sent = model.sizes().shared, kept = model.sizes().local;
  return sent + kept;
}

std::size_t used_twice() {
  const auto model = tie(sequential{dense<43, 64>{}, tanh_layer{}, dense<64, 64>{}, tanh_layer{},
                                    dense<64, 64>{}, tanh_layer{}, dense<64, 6>{}},
                         {2, 4});
  const std::size_t all = model.sizes().shared; // 43 * 64 + 64, once 64 * 64 + 64, 64 * 6 + 6
  return all;
}

result<network> sent(std::size_t columns, std::size_t classes) {
  const network model({dense<>{columns, 64}, relu{}, dense<>{64, classes}});
  const json description = describe(model);
  const result<network> same = read_network(description); // or why not
  return same;
}

template <class Model>
parameters<> keep(const Model& model, const parameters<>& p) {
  write_file_atomically("model.safetensors", write_weights(model, p)).value();
  const auto file = load_safetensors("model.safetensors").value();
  return read_weights<float>(model, file).value();
}

} // namespace

float nn_pages(rows_view<float> rows) {
  multiply();
  convolutions();
  fit_numbers(rows, {});
  a_head_of_ones_own();
  normalise(load_safetensors("model.safetensors").value(), rows);
  const network model = sent(43, 6).value();
  return decay(1) + one_row() + read_by_hand(rows) + keep(model, model.make_parameters()).shared()[0];
}
