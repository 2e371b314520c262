// The code of docs/nn/onnx.md.
#include <privet/core/file.hpp>
#include <privet/nn/onnx.hpp>

namespace {

using namespace privet;

struct leaky : activation<leaky> {
  template <class B>
  static B apply(const B& x) noexcept {
    return simd::select(x < B(0), B(x * B(0.125f)), x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return simd::select(y < B(0), B(dy * B(0.125f)), dy);
  }
  template <class Graph>
  void write_onnx(Graph& g) const {
    g.put(g.node("LeakyRelu", {g.any()}, {{"alpha", 0.125}}));
  }
};

template <class Model>
status export_model(const Model& model, const parameters<float>& p) {
  const auto file = write_onnx(model, p, {.input_shape = {1, 28, 28}, .softmax = true});
  if (!file) return file.error(); // a layer that does not say what it is in ONNX
  return write_file_atomically("model.onnx", *file);
}

} // namespace

void onnx_snippets() {
  const sequential model{dense<784, 10>{}, leaky{}};
  (void)export_model(model, model.make_parameters());
}
