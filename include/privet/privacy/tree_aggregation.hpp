#pragma once
// Prefix sums of a stream, all of them private, by a tree of noisy sums: the noise of DP-FTRL.

#include <privet/core/error.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/privacy/stream_terms.hpp>
#include <privet/random/rounded_normal.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// What a tree of sums promises.
struct tree_terms {
  double noise_multiplier = 1; ///< noise of one node, as a multiple of the sensitivity
  double sensitivity = 1;      ///< in l2: how far one unit moves the vector of its step
  std::uint64_t steps = 1;     ///< at most, in one tree
  double rounding = 0;         ///< by how much, as a share of it, rounded sums may pass the sensitivity
  neighbours relation = neighbours::zero_out;
  /// Nodes are also estimated by the nodes below them: up to half the variance, two noises a step for one.
  bool from_below = true;
};

/// The sum of all vectors so far, after each of them, with noise that grows with the logarithm of their
/// number.
///
/// Formula   each node of the binary tree over the steps holds the sum of its steps plus z s N(0, I); a
///           prefix is the sum of the nodes of its binary digits. `from_below`: a node is w_v its own noisy
///           sum plus (1 - w_v) the estimates of its two halves, w_v = 2 w_{v-1} / (1 + 2 w_{v-1}), w_0 = 1
/// Requires  a unit is in one step of a tree at most, which one being public and fixed in advance: a unit
///           that is missing leaves its place empty
/// Privacy   all prefix sums together are a Gaussian query: one unit moves `height` nodes by the sensitivity
///           each. Value and noise are whole steps of z s / 2^20, so the event's multiplier is
///           z / (1 + rounding + 1.01 z sqrt(d) / 2^20), up to 2^-110 of total variation for each number of
///           each node (docs/privacy/tree_aggregation.md)
/// Cost      one or two rounded normals for each number of a step; 16 bytes for each number of log2(steps) +
///           1 vectors
/// Errors    N001 for numbers out of range, N003 for a vector of another length, N007 for a step more than
///           promised, N011 for add-remove
/// Source    Kairouz and others, arXiv:2103.00039, Algorithm 1, Theorem 4.1; Honaker, "Efficient use of
///           differentially private binary trees", 2015
/// Test      tests/privacy/tree_aggregation.test.cpp
class tree_aggregation {
 public:
  tree_aggregation(const tree_terms& terms, std::size_t dimension) : terms_(terms), dimension_(dimension) {
    detail::check_stream("tree_aggregation", terms.noise_multiplier, terms.sensitivity, terms.rounding,
                         terms.relation, dimension);
    require(terms.steps >= 1 && terms.steps <= std::uint64_t{1} << 40, fault::argument,
            "tree_aggregation: got ", terms.steps, " steps, expected 1 to 2^40");
    step_size_ = terms.noise_multiplier * terms.sensitivity / rounded_normal_scale;
    weights_.push_back(1);
    while (weights_.size() < height()) {
      const double below = 2 * weights_.back();
      weights_.push_back(terms.from_below ? below / (1 + below) : 1);
    }
    nodes_.resize(height());
  }
  /// A copy would release the same nodes again, with other noise.
  tree_aggregation(const tree_aggregation&) = delete;
  tree_aggregation& operator=(const tree_aggregation&) = delete;

  /// The vector of the next step, with noise from a secret source.
  template <class T, class Source>
  void add(std::span<const T> x, Source& source) {
    detail::check_secret_noise<Source>();
    require(x.size() == dimension_, fault::shape, "tree_aggregation: got ", x.size(), " numbers, expected ",
            dimension_);
    require(step_ < terms_.steps, fault::leak, "tree_aggregation: a step beyond the ", terms_.steps,
            " that the noise is for; restart() begins another tree, which counts as well");
    node now{std::vector<std::uint64_t>(dimension_), std::vector<double>(dimension_)};
    for (std::size_t i = 0; i < dimension_; ++i) now.sum[i] = whole_steps(static_cast<double>(x[i]));
    const auto levels = static_cast<std::size_t>(std::countr_one(step_)); // full nodes that are merged
    if (terms_.from_below || levels == 0) estimate(now, 0, source);
    for (std::size_t v = 0; v < levels; ++v) {
      for (std::size_t i = 0; i < dimension_; ++i) {
        now.sum[i] += nodes_[v].sum[i];
        now.estimate[i] += nodes_[v].estimate[i];
      }
      if (terms_.from_below || v + 1 == levels) estimate(now, v + 1, source);
      nodes_[v] = {};
    }
    nodes_[levels] = std::move(now);
    ++step_;
  }

  /// The private sum of all vectors of this tree so far.
  void prefix_sum(std::span<double> out) const {
    require(out.size() == dimension_, fault::shape, "tree_aggregation: got room for ", out.size(),
            " numbers, expected ", dimension_);
    std::ranges::fill(out, 0.0);
    for (const auto& n : nodes_)
      for (std::size_t i = 0; i < n.estimate.size(); ++i) out[i] += n.estimate[i] * step_size_;
  }
  std::vector<double> prefix_sum() const {
    std::vector<double> out(dimension_);
    prefix_sum(out);
    return out;
  }

  /// Begins another tree, whose sums start from zero.
  void restart() {
    for (auto& n : nodes_) n = {};
    step_ = 0;
    ++trees_;
  }

  std::uint64_t step() const noexcept { return step_; }
  /// Nodes that a step is in, at most: floor(log2(steps)) + 1.
  std::uint32_t height() const noexcept { return static_cast<std::uint32_t>(std::bit_width(terms_.steps)); }
  /// Of the noise on each number of the present prefix sum.
  double variance() const noexcept {
    double sum = 0;
    for (std::size_t v = 0; v < nodes_.size(); ++v)
      if (step_ >> v & 1) sum += weights_[v];
    const double deviation = terms_.noise_multiplier * terms_.sensitivity;
    return sum * deviation * deviation;
  }

  /// What all trees begun so far spend together.
  privacy_event event() const { return event(trees_); }
  privacy_event event(std::uint64_t trees) const {
    const double z = terms_.noise_multiplier, d = static_cast<double>(dimension_);
    // Every step completes less than two nodes, on average.
    return {
        event::tree{z / (1 + terms_.rounding + 1.01 * z * std::sqrt(d) / rounded_normal_scale) * (1 - 1e-12),
                    height()},
        trees, terms_.relation, rounded_normal_distance * d * 2 * static_cast<double>(terms_.steps)};
  }

 private:
  struct node {
    std::vector<std::uint64_t> sum; // in whole steps, modulo 2^64
    std::vector<double> estimate;   // private; a function of noisy sums
  };

  /// x as the nearest whole number of steps; cut at 2^44, which brings no two further apart.
  std::uint64_t whole_steps(double x) const noexcept {
    const double steps = std::floor(x / step_size_ + 0.5);
    if (std::isnan(steps)) return 0;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(std::clamp(steps, -0x1p44, 0x1p44)));
  }

  /// `estimate` enters as that of both halves together, if any, and leaves as that of the node.
  template <class Source>
  void estimate(node& n, std::size_t level, Source& source) const {
    std::vector<std::int32_t> noise(dimension_);
    const detail::wiped_at_exit<std::int32_t> guard{std::span<std::int32_t>(noise)};
    fill_rounded_normal(source, std::span<std::int32_t>(noise));
    const double own = weights_[level];
    for (std::size_t i = 0; i < dimension_; ++i) {
      const auto noisy = static_cast<std::int64_t>(n.sum[i] + static_cast<std::uint64_t>(noise[i]));
      n.estimate[i] = own * (static_cast<double>(noisy) + 0.5) + (1 - own) * n.estimate[i];
    }
  }

  tree_terms terms_;
  std::size_t dimension_;
  double step_size_ = 0;
  std::vector<double> weights_; // of a node's own noisy sum, by level; also its variance
  std::vector<node> nodes_;     // by level; those of the binary digits of `step_` are full
  std::uint64_t step_ = 0, trees_ = 1;
};

} // namespace privet
