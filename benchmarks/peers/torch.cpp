// libtorch in C++: nn::Sequential, autograd, optim::SGD.

#include "mlp.hpp"
#include "normal.hpp"
#include "topk.hpp"

#include <torch/torch.h>

#include <utility>

namespace peers {

namespace {

void one_thread() {
  static const bool done = [] {
    at::set_num_threads(1);
    at::set_num_interop_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

template <class T>
torch::Tensor view_of(std::span<const T> values, at::IntArrayRef shape, at::ScalarType type) {
  return torch::from_blob(const_cast<T*>(values.data()), shape, type);
}

/// Convolutions of 3 x 3 with group norms of 4 channels a group, as torch::nn::Sequential has them.
void push_convolution(torch::nn::Sequential& to, std::int64_t in, std::int64_t out, std::int64_t side,
                      std::int64_t stride) {
  to->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, side).stride(stride).padding(side / 2)));
  to->push_back(torch::nn::GroupNorm(torch::nn::GroupNormOptions(out / 4, out)));
}
void push_relu(torch::nn::Sequential& to) {
  to->push_back(torch::nn::ReLU(torch::nn::ReLUOptions().inplace(true)));
}

/// A residual block and the relu behind it.
struct block : torch::nn::Module {
  block(std::int64_t in, std::int64_t out) {
    const std::int64_t stride = in == out ? 1 : 2;
    push_convolution(main, in, out, 3, stride);
    push_relu(main);
    push_convolution(main, out, out, 3, 1);
    register_module("main", main);
    if (in == out) return;
    push_convolution(shortcut, in, out, 1, stride);
    register_module("shortcut", shortcut);
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return main->forward(x).add_(shortcut->is_empty() ? x : shortcut->forward(x)).relu_();
  }

  torch::nn::Sequential main, shortcut;
};

/// The last state of an LSTM.
struct last_state : torch::nn::Module {
  last_state(std::int64_t in, std::int64_t hidden)
      : lstm(torch::nn::LSTMOptions(in, hidden).batch_first(true)) {
    register_module("lstm", lstm);
  }
  torch::Tensor forward(const torch::Tensor& x) { return std::get<0>(lstm->forward(x)).select(1, -1); }

  torch::nn::LSTM lstm;
};

class network final : public mlp {
 public:
  explicit network(const task& t) : optimiser_(make(t)->parameters(), t.learning_rate) {
    const auto rows = static_cast<std::int64_t>(t.labels.size());
    x_ = view_of(t.x, {rows, static_cast<std::int64_t>(t.widths.front())}, torch::kFloat);
    labels_ = view_of(t.labels, {rows}, torch::kInt).to(torch::kLong);
    rows_ = x_.split(1);
    torch::NoGradGuard no_gradient;
    std::size_t at = 0;
    for (auto& p : model_->parameters()) {
      const auto n = static_cast<std::size_t>(p.numel());
      p.copy_(view_of(std::span<const float>(t.weights).subspan(at, n), p.sizes(), torch::kFloat));
      at += n;
    }
  }

  void step(std::size_t first, std::size_t count) override {
    const auto from = static_cast<std::int64_t>(first), n = static_cast<std::int64_t>(count);
    optimiser_.zero_grad();
    const auto loss = torch::nn::functional::cross_entropy(model_->forward(x_.narrow(0, from, n)),
                                                           labels_.narrow(0, from, n));
    loss.backward();
    optimiser_.step();
  }

  void infer(std::size_t row, std::span<float> outputs) override {
    c10::InferenceMode guard;
    const auto z = model_->forward(rows_[row]);
    std::copy_n(z.data_ptr<float>(), outputs.size(), outputs.begin());
  }

  std::vector<float> weights() const override {
    std::vector<float> all;
    for (const auto& p : model_->parameters())
      all.insert(all.end(), p.data_ptr<float>(), p.data_ptr<float>() + p.numel());
    return all;
  }

 private:
  torch::nn::Sequential& make(const task& t) {
    one_thread();
    const auto relu = [&] { push_relu(model_); };
    if (t.kind == network_kind::resnet20) {
      model_->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, {3, 32, 32})));
      push_convolution(model_, 3, 16, 3, 1);
      relu();
      std::int64_t in = 16;
      for (const std::int64_t out : {16, 16, 16, 32, 32, 32, 64, 64, 64})
        model_->push_back(std::make_shared<block>(std::exchange(in, out), out));
      model_->push_back(torch::nn::AvgPool2d(8));
      model_->push_back(torch::nn::Flatten());
      model_->push_back(torch::nn::Linear(64, static_cast<std::int64_t>(t.widths.back())));
      return model_;
    }
    if (t.kind == network_kind::lstm) {
      const auto hidden = static_cast<std::int64_t>(t.widths[1]);
      model_->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, {28, 28})));
      model_->push_back(std::make_shared<last_state>(28, hidden));
      model_->push_back(torch::nn::Linear(hidden, static_cast<std::int64_t>(t.widths.back())));
      return model_;
    }
    const bool lenet = t.kind == network_kind::lenet;
    if (lenet) {
      model_->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, {1, 28, 28})));
      for (const auto& [in, out] : {std::pair{1, 6}, std::pair{6, 16}}) {
        model_->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 5)));
        relu();
        model_->push_back(torch::nn::MaxPool2d(2));
      }
      model_->push_back(torch::nn::Flatten());
    }
    for (std::size_t i = 0; i + 1 < t.widths.size(); ++i) {
      if (i > 0) relu();
      model_->push_back(torch::nn::Linear(static_cast<std::int64_t>(lenet && i == 0 ? 256 : t.widths[i]),
                                          static_cast<std::int64_t>(t.widths[i + 1])));
    }
    return model_;
  }

  torch::nn::Sequential model_;
  torch::optim::SGD optimiser_;
  torch::Tensor x_, labels_;
  std::vector<torch::Tensor> rows_;
};

} // namespace

std::unique_ptr<mlp> torch_mlp(const task& t) { return std::make_unique<network>(t); }
std::string torch_name() { return "libtorch " TORCH_VERSION; }

std::function<void()> torch_normal(std::span<float> out) {
  one_thread();
  auto tensor = torch::from_blob(out.data(), {static_cast<std::int64_t>(out.size())});
  return [tensor]() mutable { tensor.normal_(); };
}

std::function<std::span<const float>()> torch_topk(std::span<const float> x, std::size_t k) {
  one_thread();
  const auto tensor = view_of(x, {static_cast<std::int64_t>(x.size())}, torch::kFloat).abs();
  return [tensor, k, found = torch::Tensor()]() mutable {
    found = std::get<0>(tensor.topk(static_cast<std::int64_t>(k), 0, true, false));
    return std::span<const float>(found.data_ptr<float>(), k);
  };
}

} // namespace peers
