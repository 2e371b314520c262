// Eigen, dynamic sizes, written by hand: no temporaries, no allocation after the first step.

#include "gemm.hpp"
#include "mlp.hpp"

#include <Eigen/Core>

namespace peers {

namespace {

using matrix = Eigen::MatrixXf; // a column is a row of the data: both lie the same way in memory
using rows = Eigen::Map<const matrix>;

struct layer {
  matrix w; // (out, in)
  Eigen::VectorXf b;
  matrix y, dy; // (out, rows of the batch)
};

class network final : public mlp {
 public:
  explicit network(const task& t) : task_(t) {
    const float* from = t.weights.data();
    for (std::size_t i = 0; i + 1 < t.widths.size(); ++i) {
      const auto in = static_cast<Eigen::Index>(t.widths[i]),
                 out = static_cast<Eigen::Index>(t.widths[i + 1]);
      layer l;
      l.w = rows(from, in, out).transpose(); // row-major (out, in)
      l.b = Eigen::Map<const Eigen::VectorXf>(from + in * out, out);
      from += (in + 1) * out;
      layers_.push_back(std::move(l));
    }
  }

  void step(std::size_t first, std::size_t count) override {
    const rows x = view(first, count);
    forward(x);
    layer& top = layers_.back();
    top.dy.noalias() = top.y.rowwise() - top.y.colwise().maxCoeff();
    top.dy = top.dy.array().exp();
    top.dy.array().rowwise() *= top.dy.colwise().sum().array().inverse().eval() / static_cast<float>(count);
    for (Eigen::Index i = 0; i < x.cols(); ++i)
      top.dy(task_.labels[first + static_cast<std::size_t>(i)], i) -= 1.f / static_cast<float>(count);
    for (std::size_t i = layers_.size(); i-- > 0;) {
      layer& l = layers_[i];
      if (i == 0) {
        descend(l, x);
        break;
      }
      layer& below = layers_[i - 1];
      below.dy.noalias() = l.w.transpose() * l.dy;
      below.dy.array() *= (below.y.array() > 0).cast<float>();
      descend(l, below.y);
    }
  }

  void infer(std::size_t row, std::span<float> outputs) override {
    forward(view(row, 1));
    Eigen::Map<Eigen::VectorXf>(outputs.data(), static_cast<Eigen::Index>(outputs.size())) = layers_.back().y;
  }

  std::vector<float> weights() const override {
    std::vector<float> all;
    for (const auto& l : layers_) {
      const matrix turned = l.w.transpose();
      all.insert(all.end(), turned.data(), turned.data() + turned.size());
      all.insert(all.end(), l.b.data(), l.b.data() + l.b.size());
    }
    return all;
  }

 private:
  rows view(std::size_t first, std::size_t count) const {
    const std::size_t width = task_.widths.front();
    return {task_.x.data() + first * width, static_cast<Eigen::Index>(width),
            static_cast<Eigen::Index>(count)};
  }

  void forward(const rows& x) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layer& l = layers_[i];
      if (i == 0)
        l.y.noalias() = l.w * x;
      else
        l.y.noalias() = l.w * layers_[i - 1].y;
      if (i + 1 < layers_.size())
        l.y = (l.y.colwise() + l.b).cwiseMax(0.f);
      else
        l.y.colwise() += l.b;
    }
  }

  template <class X>
  void descend(layer& l, const X& x) const {
    l.w.noalias() -= task_.learning_rate * l.dy * x.transpose();
    l.b.noalias() -= task_.learning_rate * l.dy.rowwise().sum();
  }

  task task_;
  std::vector<layer> layers_;
};

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

auto read(const float* a, std::size_t m, std::size_t n) {
  return Eigen::Map<const row_major>(a, static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(n));
}
auto write(float* a, std::size_t m, std::size_t n) {
  return Eigen::Map<row_major>(a, static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(n));
}

} // namespace

std::unique_ptr<mlp> eigen_mlp(const task& t) { return std::make_unique<network>(t); }

std::string eigen_name() {
  return "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + '.' + std::to_string(EIGEN_MAJOR_VERSION) + '.' +
         std::to_string(EIGEN_MINOR_VERSION);
}

gemm_forms eigen_gemm() {
  return {[](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
            write(c, m, n).noalias() = read(a, m, k) * read(b, k, n);
          },
          [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
            write(c, m, n).noalias() = read(a, k, m).transpose() * read(b, k, n);
          },
          [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
            write(c, m, n).noalias() += read(a, k, m).transpose() * read(b, k, n);
          },
          [](std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
            write(c, m, n).noalias() = read(a, m, k) * read(b, n, k).transpose();
          }};
}

} // namespace peers
