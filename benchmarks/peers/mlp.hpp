#pragma once
// What every side of the training table does. A peer is compiled by itself, so that a change in
// privet does not compile it again.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace peers {

enum class network_kind {
  perceptron, ///< dense layers with relu between them
  /// The first width is an image of 28 x 28: convolution 5 x 5 to 6 channels, relu, largest of 2 x 2, convolution
  /// 5 x 5 to 16 channels, relu, largest of 2 x 2, then dense layers from 256 to the widths behind the first.
  lenet,
  /// The first width is an image of 3 x 32 x 32, the last one the classes: ResNet-20 with group norms of 4 channels a
  /// group, biases in its convolutions, and convolutions of 1 x 1 as shortcuts where a stage begins.
  resnet20,
  /// The first width is 28 steps of 28 numbers: an LSTM, whose last state of the second width a dense layer reads.
  lstm
};

/// A network, softmax cross-entropy, plain gradient descent. Who owns the rows must outlive who learns from them.
struct task {
  network_kind kind = network_kind::perceptron;
  std::vector<std::size_t> widths;
  std::span<const float> x; ///< (rows, widths.front())
  std::span<const std::int32_t> labels;
  /// Of each layer W (out, in), of a convolution (out, in, sides), then the bias; of an LSTM as PyTorch has them.
  std::vector<float> weights;
  float learning_rate;
};

class mlp {
 public:
  virtual ~mlp() = default;
  /// One step on `count` rows from row `first` on; the loss is averaged over them.
  virtual void step(std::size_t first, std::size_t count) = 0;
  /// The outputs before the softmax of one row.
  virtual void infer(std::size_t row, std::span<float> outputs) = 0;
  /// In the order of `task::weights`.
  virtual std::vector<float> weights() const = 0;
};

std::unique_ptr<mlp> torch_mlp(const task& t);
std::string torch_name();

std::unique_ptr<mlp> eigen_mlp(const task& t);
std::string eigen_name();

} // namespace peers
