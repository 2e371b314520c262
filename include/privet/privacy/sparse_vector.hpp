#pragma once
// The sparse vector technique: which of many answers are above a threshold, paid for by the few that are.

#include <privet/core/error.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/random/discrete_laplace.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace privet {

/// What a sparse vector promises.
struct sparse_vector_terms {
  double epsilon = 1;
  double sensitivity = 1;      ///< one unit moves each answer by at most this
  std::uint32_t positives = 1; ///< after so many answers above, nothing is answered
  bool monotone = false;       ///< one unit moves all answers the same way
  neighbours relation = neighbours::add_remove;
};

/// Says of one answer after the other whether it is above its threshold, up to noise; any number of "below",
/// at most `positives` "above".
///
/// Formula   floor(answer / g) + L(t2) >= floor(threshold / g) + L(t1), the discrete Laplace L(t1) drawn
///           once, L(t2) for every answer; g a power of two near 2^-30 sensitivity / epsilon,
///           D = ceil(sensitivity / g), m = 2 positives, or `positives` if `monotone`; t1 = D / epsilon1,
///           t2 = m D / epsilon2, rounded up; epsilon1 + epsilon2 = epsilon, epsilon2 = m^(2/3) epsilon1
/// Requires  thresholds are public; answers may be chosen by what was said before
/// Privacy   all that is said together is epsilon-private without a delta, for one unit under `relation`:
///           debit `event()` once, before the first question. Tells only "above" or "below": to release an
///           answer itself costs its own epsilon. The running time depends on the noise
/// Errors    N001 for numbers out of range; N007 for a question after the last "above"
/// Source    Lyu, Su, Li, "Understanding the sparse vector technique", VLDB 2017, arXiv:1603.01699,
///           Algorithm 7; the split of epsilon: section 4
/// Test      tests/privacy/sparse_vector.test.cpp
class sparse_vector {
 public:
  template <class Source>
  sparse_vector(const sparse_vector_terms& terms, Source& source) : terms_(terms), left_(terms.positives) {
    detail::check_secret_noise<Source>();
    detail::check_pure("sparse_vector", terms.epsilon, terms.sensitivity);
    require(terms.positives >= 1 && terms.positives <= 100'000, fault::argument, "sparse_vector: got ",
            terms.positives, " positives, expected 1 to 100000");
    grid_ = detail::power_of_two_grid::below(terms.sensitivity / terms.epsilon);
    steps_ = static_cast<double>(grid_.steps_in(terms.sensitivity));
    times_ = terms.positives * (terms.monotone ? 1.0 : 2.0);
    const double first = terms.epsilon / (1 + std::cbrt(times_ * times_));
    scale_ = detail::scale_for("sparse_vector", steps_, first);
    // Rounding the first scale up leaves no less than this for the second.
    const double rest = terms.epsilon - steps_ / static_cast<double>(scale_) * (1 + 1e-15);
    answer_scale_ = detail::scale_for("sparse_vector", times_ * steps_, rest * (1 - 1e-14));
    threshold_noise_ = draw(scale_, source);
  }
  /// A copy would answer beyond the last "above".
  sparse_vector(const sparse_vector&) = delete;
  sparse_vector& operator=(const sparse_vector&) = delete;
  ~sparse_vector() { wipe(std::span<std::int64_t>(&threshold_noise_, 1)); }

  /// Whether the answer is above the threshold. Throws N007 when nothing is left.
  template <class Source>
  bool above(double answer, double threshold, Source& source) {
    detail::check_secret_noise<Source>();
    require(left_ > 0, fault::leak, "sparse_vector: ", terms_.positives,
            " answers were above their thresholds, and no more was promised; make a new one and pay for it");
    const bool is_above =
        grid_.floor(answer) + draw(answer_scale_, source) >= grid_.floor(threshold) + threshold_noise_;
    left_ -= is_above;
    return is_above;
  }

  std::uint32_t positives_left() const noexcept { return left_; }
  /// What all answers together spend: at most `epsilon`.
  double spent() const {
    return std::min(
        (steps_ / static_cast<double>(scale_) + times_ * steps_ / static_cast<double>(answer_scale_)) *
            (1 + 1e-15),
        terms_.epsilon);
  }
  privacy_event event() const { return pure_event(spent(), terms_.relation); }

 private:
  template <class Source>
  static std::int64_t draw(std::uint64_t scale, Source& source) {
    detail::word_buffer<Source> words(source, 8);
    return discrete_laplace(ratio{scale, 1}).draw(words);
  }

  sparse_vector_terms terms_;
  detail::power_of_two_grid grid_;
  double steps_ = 0, times_ = 0;
  std::uint64_t scale_ = 0, answer_scale_ = 0;
  std::int64_t threshold_noise_ = 0;
  std::uint32_t left_;
};

} // namespace privet
