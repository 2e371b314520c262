// Training steps and single-row inference: privet beside libtorch and Eigen.

#include "peers/mlp.hpp"
#include "support/compare.hpp"
#include "support/lenet.hpp"
#include "support/script.hpp"

#include <privet/core/aligned.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/lstm.hpp>
#include <privet/nn/resnet.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>

namespace {

using namespace privet;

template <class Model>
class network final : public peers::mlp {
 public:
  network(const Model& model, const peers::task& t)
      : task_(t),
        step_(model, softmax_cross_entropy{}, plain(t.learning_rate)),
        state_(step_.init()),
        p_(model.make_parameters()),
        tape_(model.make_tape(1)),
        order_(t.labels.size()) {
    std::iota(order_.begin(), order_.end(), 0u);
    const float* from = task_.weights.data();
    each_weight([&](std::size_t place) { p_.trained()[place] = *from++; });
  }

  void step(std::size_t first, std::size_t count) override {
    const rows_view<float> x{task_.x.data(), task_.labels.size(), task_.widths.front()};
    step_(p_, state_, x, task_.labels.data(), std::span<const std::uint32_t>(order_).subspan(first, count),
          static_cast<double>(count));
  }

  void infer(std::size_t row, std::span<float> outputs) override {
    const Model& model = step_.model();
    model.forward(std::as_const(p_).trained(), 1, task_.x.data() + row * task_.widths.front(), tape_);
    std::copy_n(tape_.output(model.depth() - 1), outputs.size(), outputs.begin());
  }

  std::vector<float> weights() const override {
    std::vector<float> all;
    each_weight([&](std::size_t place) { all.push_back(p_.trained()[place]); });
    return all;
  }

 private:
  static auto plain(float rate) { return chain(average_over_batch{}, sgd{.learning_rate = rate}); }

  /// Where the parameters lie, in the order of files: W (out, in), then the bias.
  template <class F>
  void each_weight(F&& f) const {
    for (const auto& tensor : step_.model().tensors())
      for (std::size_t i = 0; i < tensor.size; ++i) f(tensor.offset + tensor.place_of(i));
  }

  peers::task task_;
  training_step<Model, softmax_cross_entropy, decltype(plain(0))> step_;
  chain_state<float> state_;
  parameters<float> p_;
  tape<float> tape_;
  std::vector<std::uint32_t> order_;
};

struct side {
  std::string name;
  std::function<std::unique_ptr<peers::mlp>()> make;
};

/// A model, its rows and everybody who can learn from them.
struct setting {
  aligned_vector<float> x;
  std::vector<std::int32_t> labels;
  peers::task task;
  double products = 0; ///< multiply-adds of one row
  double unneeded = 0; ///< of those, what the gradient of the network's inputs would take again
  std::vector<side> sides;

  template <class Model>
  setting(const Model& model, std::vector<std::size_t> widths, std::size_t rows,
          peers::network_kind kind = peers::network_kind::perceptron)
      : x(rows * widths.front()), labels(rows) {
    replayable_random source(1);
    fill_normal(source, std::span<float>(x));
    // The class is which of the first inputs is largest, so that there is something to learn.
    for (std::size_t r = 0; r < rows; ++r) {
      const float* const first = x.data() + r * widths.front();
      labels[r] = static_cast<std::int32_t>(std::max_element(first, first + widths.back()) - first);
    }
    task = {.kind = kind,
            .widths = std::move(widths),
            .x = x,
            .labels = labels,
            .weights = {},
            .learning_rate = 0.01f};
    const auto p = initialise(model, 1);
    for (const auto& tensor : model.tensors())
      for (std::size_t i = 0; i < tensor.size; ++i)
        task.weights.push_back(p.trained()[tensor.offset + tensor.place_of(i)]);
    model.layers().for_each([&](const auto& layer) {
      const auto count = [&](std::size_t all, std::size_t of_inputs) {
        if (products == 0) unneeded = static_cast<double>(of_inputs);
        products += static_cast<double>(all);
      };
      if constexpr (requires { layer.hidden; }) {
        const std::size_t each = layer.steps * lstm_cell::gates * layer.hidden;
        count(each * (layer.in + layer.hidden), each * layer.in);
      } else if constexpr (requires { layer.shape().weights(); }) { // at each place where the window stands
        const std::size_t all = layer.shape().weights() * layer.out_image().height * layer.out_image().width;
        count(all, all);
      } else if constexpr (requires { layer.in* layer.out; })
        count(layer.in * layer.out, layer.in * layer.out);
    });
    sides.push_back(
        {compare::ours, [&model, this] { return std::make_unique<network<Model>>(model, task); }});
    if constexpr (PEER_TORCH)
      sides.push_back({peers::torch_name(), [this] { return peers::torch_mlp(task); }});
    if (PEER_EIGEN && kind == peers::network_kind::perceptron)
      sides.push_back({peers::eigen_name(), [this] { return peers::eigen_mlp(task); }});
  }
  setting(const setting&) = delete;

  /// Multiply-adds of the products alone, two FLOP each; nobody needs the delta of the inputs.
  double flop(bool training) const { return 2 * (training ? 3 * products - unneeded : products); }
};

/// A row of the table. A step that comes after the last rows starts again at the first.
struct row {
  std::string name;
  const setting& of;
  std::size_t batch = 0; ///< 0: inference of one row

  compare::job job() const {
    return {.name = name, .flop = of.flop(batch > 0) * static_cast<double>(batch > 0 ? batch : 1)};
  }
};

/// What a side gives: the change of the weights in one step, or the outputs of a row.
std::vector<float> answer(const row& r, peers::mlp& m) {
  if (r.batch == 0) {
    std::vector<float> outputs(r.of.task.widths.back());
    m.infer(0, outputs);
    return outputs;
  }
  m.step(0, r.batch);
  auto change = m.weights();
  for (std::size_t i = 0; i < change.size(); ++i) change[i] -= r.of.task.weights[i];
  return change;
}

float largest(std::span<const float> values) {
  float top = 0;
  for (const float value : values) top = std::max(top, std::abs(value));
  return top;
}

/// Within a ten-thousandth of the largest value, and the rounding of the weights that it was added to;
/// false where anything is not a number.
bool agree(std::span<const float> a, std::span<const float> b, std::span<const float> weights) {
  const float most = 1e-4f * largest(a) + 0x1p-22f * largest(weights);
  return std::ranges::equal(a, b, [&](float x, float y) { return std::abs(x - y) <= most; });
}

/// Registers a row and returns who runs in it.
std::vector<std::shared_ptr<peers::mlp>> add(compare::table& table, const row& r) {
  std::vector<std::shared_ptr<peers::mlp>> all;
  std::vector<float> ours;
  for (const auto& side : r.of.sides) {
    const std::shared_ptr<peers::mlp> m = side.make();
    const auto theirs = answer(r, *m);
    if (all.empty()) ours = theirs;
    if (!agree(ours, theirs, r.of.task.weights))
      table.complain(concat(r.name, ": ", side.name, " and privet do not agree after one step."));
    all.push_back(m);
    const std::size_t rows = r.of.labels.size();
    if (r.batch > 0)
      table.time(r.job(), side.name, [m, rows, batch = r.batch, first = std::size_t{0}]() mutable {
        m->step(first, batch);
        first = first + 2 * batch <= rows ? first + batch : 0;
      });
    else
      table.time(r.job(), side.name,
                 [m, rows, outputs = r.of.task.widths.back(), i = std::size_t{0}]() mutable {
                   std::array<float, 16> z;
                   m->infer(i, std::span(z).first(outputs));
                   i = i + 1 < rows ? i + 1 : 0;
                   benchmark::DoNotOptimize(z);
                 });
  }
  return all;
}

void add_pytorch(compare::table& table, const std::string& script, std::span<const row> rows) {
  const bool any = compare::run_script(script, [&](const auto& name, const auto& side, double seconds) {
    for (const auto& r : rows)
      if (name == r.name) table.measured(r.job(), side, seconds);
  });
  if (!any) table.left_out("PyTorch for python3");
}

} // namespace

int main(int count, char** words) {
  compare::table table("training", count, words);
  const std::string pytorch = table.option("--pytorch");
  if constexpr (!PEER_TORCH) table.left_out("libtorch");
  if constexpr (!PEER_EIGEN) table.left_out("Eigen");

  // The inputs of A fit into L2, those of B and D into L3.
  const sequential a_model{dense<43, 128>{}, relu{}, dense<128, 6>{}};
  const sequential b_model{dense<561, 128>{}, relu{}, dense<128, 32>{}, relu{}, dense<32, 6>{}};
  const sequential d_model{dense<561, 512>{}, relu{}, dense<512, 512>{}, relu{}, dense<512, 6>{}};
  const auto lenet_model = compare::lenet();
  const auto resnet_model = resnet20(10);
  const sequential lstm_model{lstm<28, 28, 64, 1>{}, dense<64, 10>{}};
  const setting a(a_model, {43, 128, 6}, 5418), b(b_model, {561, 128, 32, 6}, 1024),
      d(d_model, {561, 512, 512, 6}, 1024),
      lenet(lenet_model, {784, 120, 84, 10}, 1024, peers::network_kind::lenet),
      resnet(resnet_model, {3072, 10}, 256, peers::network_kind::resnet20),
      recurrent(lstm_model, {784, 64, 10}, 1024, peers::network_kind::lstm);
  const row rows[] = {{"step A batch 10", a, 10},
                      {"step A batch 32", a, 32},
                      {"epoch A full", a, 5418},
                      {"step B batch 32", b, 32},
                      {"step D batch 64", d, 64},
                      {"step LeNet batch 64", lenet, 64},
                      {"step ResNet-20 batch 64", resnet, 64},
                      {"step LSTM batch 64", recurrent, 64},
                      {"inference A row 1", a}};

  std::vector<std::shared_ptr<peers::mlp>> all;
  for (const auto& r : rows)
    for (auto& m : add(table, r)) all.push_back(std::move(m));
  if (!pytorch.empty()) add_pytorch(table, pytorch, rows);
  const int result = table.run();
  for (const auto& m : all)
    if (!std::ranges::all_of(m->weights(), [](float w) { return std::isfinite(w); })) {
      std::puts("WRONG: somebody's weights are no longer finite: the times above mean nothing.");
      return 1;
    }
  return result;
}
