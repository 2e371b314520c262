#pragma once
// How well scores order two classes: the area under the ROC curve, and how sure one can be of it.

#include <privet/core/error.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/train/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace privet {

/// An area under the ROC curve: the chance that a positive example has the higher score, ties counting half.
struct roc_area {
  double area = 0;
  double deviation = 0; ///< standard error; infinite where a class has one example only
  std::size_t positives = 0, negatives = 0;

  /// The 95 % interval, area -+ 1.96 deviations, cut to [0, 1].
  double low() const noexcept { return std::max(area - normal_quantile * deviation, 0.0); }
  double high() const noexcept { return std::min(area + normal_quantile * deviation, 1.0); }

  static constexpr double normal_quantile = 1.959963984540054; ///< of 0.975
};

namespace detail {

/// Ranks from 1 of the numbers that `order` lists ascending; equal ones share the mean of theirs.
inline std::vector<double> midranks(std::span<const double> numbers) {
  std::vector<std::size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return numbers[i]; });
  std::vector<double> ranks(numbers.size());
  for (std::size_t first = 0, last; first < order.size(); first = last) {
    for (last = first + 1; last < order.size() && numbers[order[last]] == numbers[order[first]];) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = static_cast<double>(first + last + 1) / 2;
  }
  return ranks;
}

/// The variance of the mean of some numbers of mean `mean`.
inline double variance_of_mean(std::span<const double> numbers, double mean) {
  if (numbers.size() < 2) return std::numeric_limits<double>::infinity();
  double squares = 0;
  for (const double x : numbers) squares += (x - mean) * (x - mean);
  const auto n = static_cast<double>(numbers.size());
  return squares / (n - 1) / n;
}

} // namespace detail

/// The area under the ROC curve of scores against labels 0 and 1, with DeLong's standard error.
///
/// Formula   with X the positives' and Y the negatives' scores, V(x) the share of Y below x (ties half) and W(y)
///           that of X above y: area = mean of V, deviation^2 = var(V) / |X| + var(W) / |Y|
/// Errors    N003 sizes; N006 a label other than 0 and 1; N001 a score that is NaN, a class without examples
/// Cost      three sorts
/// Source    DeLong, DeLong, Clarke-Pearson, Biometrics 44, 1988; by midranks: Sun, Xu, IEEE SPL 21, 2014
/// Test      tests/train/roc.test.cpp
inline roc_area roc_auc(std::span<const double> scores, std::span<const std::int32_t> labels) {
  require(scores.size() == labels.size(), fault::shape, "roc_auc: ", scores.size(), " scores for ",
          labels.size(), " labels");
  std::vector<double> of_class[2];
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] == 0 || labels[i] == 1, fault::label, "roc_auc: row ", i, " has label ", labels[i],
            ", expected 0 or 1");
    require(!std::isnan(scores[i]), fault::argument, "roc_auc: the score of row ", i, " is NaN");
    of_class[labels[i]].push_back(scores[i]);
  }
  const auto& [negative, positive] = of_class;
  require(!negative.empty() && !positive.empty(), fault::argument, "roc_auc: ", positive.size(),
          " positive and ", negative.size(), " negative examples, needs at least 1 of each");

  std::vector<double> all = positive;
  all.insert(all.end(), negative.begin(), negative.end());
  const auto among_all = detail::midranks(all), among_positive = detail::midranks(positive),
             among_negative = detail::midranks(negative);
  const auto m = static_cast<double>(positive.size()), n = static_cast<double>(negative.size());
  std::vector<double> below(positive.size()), above(negative.size());
  double sum = 0;
  for (std::size_t i = 0; i < below.size(); ++i)
    sum += among_all[i] - among_positive[i], below[i] = (among_all[i] - among_positive[i]) / n;
  for (std::size_t i = 0; i < above.size(); ++i)
    above[i] = 1 - (among_all[below.size() + i] - among_negative[i]) / m;
  const double area = sum / (m * n);
  return {area, std::sqrt(detail::variance_of_mean(below, area) + detail::variance_of_mean(above, area)),
          positive.size(), negative.size()};
}

/// Of a model with two outputs: the score is the second minus the first, the log-odds of class 1. Throws as
/// `check_rows`, N003 for a model with other outputs.
template <class Arch = simd::default_arch, class Model, class T, LabelledRows<T> Data>
roc_area roc_auc(const Model& model, const parameters<T>& p, const Data& data) {
  const std::span<const std::int32_t> labels(data.labels);
  require(model.out_width() == 2, fault::shape, "roc_auc: the model has ", model.out_width(),
          " outputs, expected 2");
  check_rows(model, rows_view<T>(data.view()), labels);
  std::vector<double> scores(labels.size());
  for_each_output<Arch>(
      model, p, rows_view<T>(data.view()), [&](std::size_t first, std::size_t n, const T* z) {
        for (std::size_t r = 0; r < n; ++r)
          scores[first + r] = static_cast<double>(z[2 * r + 1]) - static_cast<double>(z[2 * r]);
      });
  return roc_auc(scores, labels);
}

} // namespace privet
