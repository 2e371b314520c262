#pragma once
// The result of a run as the mean of its last rounds' models.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// The mean of the global models after the last rounds of a run. Training goes on from the model of each round and
/// never sees the mean; where rounds pull the model to and fro, the mean lies between.
///
///   tail_average mean(10, 50);  // of 50 rounds the last 10
///   for (std::size_t r = 0; r < 50; ++r) mean.add(r + 1, server.round(r).weights);
///   mean.write_to(weights);
///
/// Formula   w = (1 / n) sum of the models of the last n rounds. A run that ends early has fewer of them, or none
/// Accuracy  the sum is in double: a float of the mean is off by half a unit in the last place, and by what double
///           rounds
/// Privacy   none spent: each of the models has left already, and what is computed from them alone reveals no more
/// Memory    O(parameters) from the first of these rounds on. The sum and the number of rounds done are its state
/// Source    Polyak, Juditsky, SIAM J. Control Optim. 30 (1992) 838-855; of a run's end, with a rate that does not
///           fall to zero: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, UAI 2018, arXiv:1803.05407
/// Test      tests/federated/tail_average.test.cpp
class tail_average {
 public:
  /// Of `rounds` rounds the last `last`. Throws N001 for none of them, or more than there are.
  tail_average(std::size_t last, std::size_t rounds) : first_(rounds - last + 1) {
    require(last > 0 && last <= rounds, fault::argument, "an average of the last ", last, " rounds of ",
            rounds, ", expected 1 to ", rounds);
  }

  /// Takes the model after round `round`, 1 for the first; those before the last ones are passed over. Rounds come
  /// in order. Throws N010 for one that does not, N003 for a model of another size.
  void add(std::size_t round, std::span<const float> weights) {
    if (round < first_) return;
    require(round == first_ + count_, fault::state, "an average that has ", count_, " rounds from round ",
            first_, " on is given round ", round);
    if (count_ == 0) sum_.assign(weights.size(), 0.0);
    check_size(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) sum_[i] += static_cast<double>(weights[i]);
    ++count_;
  }

  /// How many models it has.
  std::size_t count() const noexcept { return count_; }

  /// The mean. Throws N010 before the first model, N003 for a model of another size.
  void write_to(std::span<float> weights) const {
    require(count_ > 0, fault::state, "an average of no round yet, the first is round ", first_);
    check_size(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(sum_[i] / static_cast<double>(count_));
  }

  /// What a run that is taken up again gives back to `restore`; empty before the first model.
  std::span<const double> sum() const noexcept { return sum_; }

  /// Goes on as after `rounds_done` rounds. Errors: N003 a sum of another size than the rounds done leave it, N008
  /// numbers that no floats add up to; all is then as before.
  status restore(std::size_t rounds_done, std::size_t parameters, std::vector<double> sum) {
    const std::size_t count = rounds_done < first_ ? 0 : rounds_done - first_ + 1;
    if (const std::size_t expected = count > 0 ? parameters : 0; sum.size() != expected)
      return error::of(fault::shape, "an average of ", count, " rounds has a sum of ", sum.size(),
                       " numbers, expected ", expected);
    for (std::size_t i = 0; i < sum.size(); ++i)
      if (!(std::abs(sum[i]) <= static_cast<double>(count) * std::numeric_limits<float>::max()))
        return error::of(fault::range, "an average of ", count, " rounds: number ", i, " of its sum is ",
                         sum[i]);
    sum_ = std::move(sum), count_ = count;
    return nothing{};
  }

 private:
  void check_size(std::size_t parameters) const {
    require(parameters == sum_.size(), fault::shape, "an average of models of ", sum_.size(),
            " parameters is given one of ", parameters);
  }

  std::size_t first_, count_ = 0;
  std::vector<double> sum_;
};

} // namespace privet
