#pragma once

#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/randomised_response.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace privet {

/// Optimal local hashing (OLH): each report draws a hash of its own from a universal family into g
/// buckets, and answers for the bucket of the value by randomised response.
///
/// Formula   g = round(e^epsilon) + 1; a value is supported if it falls into the reported bucket
/// Privacy   epsilon-local for one report (replace-one), whatever the hash
/// Variance  4 e^epsilon / (n (e^epsilon - 1)^2) at frequency 0, whatever k
/// Cost      a report of 20 bytes; counting one takes a hash for every category
/// Errors    N001: epsilon not in (0, 16], fewer than two categories, a value that is none of them
/// Source    Wang, Blocki, Li, Jha, "Locally differentially private protocols for frequency estimation",
///           2017; the hash: Dietzfelbinger, "Universal hashing and k-wise independent random variables via
///           integer arithmetic without primes", 1996
class local_hashing {
 public:
  struct report {
    std::uint64_t factor, offset; ///< of the hash
    std::uint32_t bucket;
  };

  local_hashing(double epsilon, std::uint32_t categories)
      : categories_(categories), buckets_(check(epsilon), buckets_for(check(epsilon))) {
    require(categories >= 2, fault::argument, "local_hashing: ", categories, " categories, needs at least 2");
  }

  std::uint32_t categories() const noexcept { return categories_; }
  std::uint32_t buckets() const noexcept { return buckets_.categories(); }

  /// A report for `value`. No branch and no address depends on it.
  template <class Source>
  report randomise(std::uint32_t value, Source& source) const {
    detail::check_secret_coins<Source>();
    require(value < categories_, fault::argument, "local_hashing: category ", value, " of ", categories_);
    report r{detail::draw64(source), detail::draw64(source), 0};
    r.bucket = buckets_.randomise(bucket_of(r, value), source);
    return r;
  }

  /// Counts a report for every value in its bucket. Throws N001 for a bucket that does not exist.
  void count(const report& r, std::span<std::uint64_t> support) const {
    require(support.size() == categories_, fault::shape, "local_hashing: counts of ", support.size(),
            " values, expected ", categories_);
    require(r.bucket < buckets(), fault::argument, "local_hashing: bucket ", r.bucket, " of ", buckets());
    for (std::uint32_t v = 0; v < categories_; ++v) support[v] += bucket_of(r, v) == r.bucket;
  }

  support_probabilities support() const noexcept { return {buckets_.support().own, 1.0 / buckets()}; }

 private:
  static double check(double epsilon) {
    require(epsilon > 0 && epsilon <= 16, fault::argument, "local_hashing: epsilon ", epsilon,
            ", expected 0 < epsilon <= 16");
    return epsilon;
  }
  static std::uint32_t buckets_for(double epsilon) {
    return static_cast<std::uint32_t>(std::lround(std::exp(epsilon))) + 1;
  }
  std::uint32_t bucket_of(const report& r, std::uint32_t value) const noexcept {
    const std::uint64_t hash = (r.factor * value + r.offset) >> 32;
    return static_cast<std::uint32_t>(hash * buckets() >> 32);
  }

  std::uint32_t categories_;
  randomised_response buckets_;
};

} // namespace privet
