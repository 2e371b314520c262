#pragma once
// Counts of right and wrong, and what follows from them.

#include <privet/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// How often class i was taken for class j. Ratios over no examples are 0.
class confusion_matrix {
 public:
  confusion_matrix() = default;
  explicit confusion_matrix(std::size_t classes) : classes_(classes), counts_(classes * classes) {}

  /// Precondition: both are below `classes()`.
  void add(std::size_t truth, std::size_t predicted, std::uint64_t times = 1) {
    counts_[truth * classes_ + predicted] += times;
  }
  /// Throws N003 when the numbers of classes differ.
  confusion_matrix& operator+=(const confusion_matrix& other) {
    require(classes_ == other.classes_, fault::shape, "confusion matrix of ", classes_, " classes += one of ",
            other.classes_);
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    return *this;
  }

  std::size_t classes() const noexcept { return classes_; }
  std::uint64_t count(std::size_t truth, std::size_t predicted) const {
    return counts_[truth * classes_ + predicted];
  }
  std::uint64_t examples() const {
    return sum([](auto, auto) { return true; });
  }

  double accuracy() const {
    return ratio(sum([](auto t, auto p) { return t == p; }), examples());
  }
  /// Of the examples taken for `c`, the part that is.
  double precision(std::size_t c) const {
    return ratio(count(c, c), sum([c](auto, auto p) { return p == c; }));
  }
  /// Of the examples of `c`, the part that was found.
  double recall(std::size_t c) const {
    return ratio(count(c, c), sum([c](auto t, auto) { return t == c; }));
  }
  /// Harmonic mean of precision and recall.
  double f1(std::size_t c) const {
    return ratio(2 * count(c, c),
                 sum([c](auto t, auto) { return t == c; }) + sum([c](auto, auto p) { return p == c; }));
  }
  /// Mean F1 over the classes that occur, as truth or as prediction (scikit-learn's macro average).
  double macro_f1() const {
    double total = 0;
    std::size_t occurring = 0;
    for (std::size_t c = 0; c < classes_; ++c)
      if (sum([c](auto t, auto p) { return t == c || p == c; }) > 0) total += f1(c), ++occurring;
    return occurring ? total / static_cast<double>(occurring) : 0;
  }

  friend bool operator==(const confusion_matrix&, const confusion_matrix&) = default;

 private:
  template <class Keep>
  std::uint64_t sum(Keep keep) const {
    std::uint64_t total = 0;
    for (std::size_t t = 0; t < classes_; ++t)
      for (std::size_t p = 0; p < classes_; ++p)
        if (keep(t, p)) total += count(t, p);
    return total;
  }
  static double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole ? static_cast<double>(part) / static_cast<double>(whole) : 0;
  }

  std::size_t classes_ = 0;
  std::vector<std::uint64_t> counts_;
};

} // namespace privet
