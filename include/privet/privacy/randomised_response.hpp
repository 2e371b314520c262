#pragma once

#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/private_coin.hpp>

#include <cmath>
#include <cstdint>
#include <span>

namespace privet {

/// k-ary randomised response: the own value with probability p, else one of the others.
///
/// Formula   p = e^epsilon / (e^epsilon + k - 1)
/// Privacy   epsilon-local for one report (replace-one), whatever the value; each further report of the
///           same person adds epsilon
/// Variance  (k - 2 + e^epsilon) / (n (e^epsilon - 1)^2) at frequency 0; the best choice while
///           k < 3 e^epsilon + 2
/// Errors    N001: epsilon not in (0, 32], fewer than two categories, a value that is none of them
/// Source    Warner 1965; Kairouz, Bonawitz, Ramage, "Discrete distribution estimation under local
///           privacy", 2016
class randomised_response {
 public:
  randomised_response(double epsilon, std::uint32_t categories) : categories_(categories) {
    require(categories >= 2, fault::argument, "randomised_response: ", categories,
            " categories, needs at least 2");
    const double e = std::exp(detail::checked_epsilon("randomised_response", epsilon));
    own_ = private_coin::at_most(e / (e + categories - 1));
  }

  std::uint32_t categories() const noexcept { return categories_; }

  /// A report for `value`. No branch and no address depends on it.
  template <class Source>
  std::uint32_t randomise(std::uint32_t value, Source& source) const {
    detail::check_secret_coins<Source>();
    require(value < categories_, fault::argument, "randomised_response: category ", value, " of ",
            categories_);
    const std::uint32_t honest = own_.shows(detail::draw64(source));
    const auto other = static_cast<std::uint32_t>(uniform_below(source, categories_ - 1));
    return detail::choose(honest, value, detail::skip(other, value));
  }

  /// Counts a report for the value that it names. Throws N001 for one that is no category.
  void count(std::uint32_t report, std::span<std::uint64_t> support) const {
    require(support.size() == categories_, fault::shape, "randomised_response: counts of ", support.size(),
            " values, expected ", categories_);
    require(report < categories_, fault::argument, "randomised_response: report ", report, " of ",
            categories_);
    ++support[report];
  }

  support_probabilities support() const noexcept {
    const double p = own_.probability();
    return {p, (1 - p) / (categories_ - 1)};
  }

 private:
  std::uint32_t categories_;
  private_coin own_;
};

} // namespace privet
