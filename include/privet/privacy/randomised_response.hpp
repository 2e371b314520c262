#pragma once

#include <privet/privacy/frequency_oracle.hpp>

#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

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
class randomised_response : public detail::frequency_oracle<randomised_response, std::uint32_t> {
 public:
  static constexpr std::string_view name = "randomised_response";

  randomised_response(double epsilon, category_count categories) : frequency_oracle(categories) {
    const double e = std::exp(detail::checked_epsilon(name, epsilon));
    own_ = private_coin::at_most(e / (e + (categories - 1)));
  }

  support_probabilities support() const noexcept {
    const double p = own_.probability();
    return {p, (1 - p) / (categories_ - 1)};
  }

 private:
  friend frequency_oracle;

  template <class Source>
  void draw(std::uint32_t value, Source& source, std::uint32_t& out) const {
    const std::uint32_t honest = own_.shows(detail::draw64(source));
    const auto other = static_cast<std::uint32_t>(uniform_below(source, categories_ - 1));
    out = detail::choose(honest, value, detail::skip(other, value));
  }
  void add(std::uint32_t r, std::span<std::uint64_t> support) const {
    require(r < categories_, fault::argument, name, ": report ", r, " of ", categories());
    ++support[r];
  }

  private_coin own_;
};

} // namespace privet
