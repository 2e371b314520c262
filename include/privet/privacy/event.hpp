#pragma once
// What an accountant counts: one use of the data by one mechanism, so many times over.

#include <privet/core/error.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace privet {

/// Which two data sets count as neighbours. Guarantees under different relations do not add up.
enum class neighbours {
  add_remove,  ///< one record more or one fewer
  replace_one, ///< one record exchanged for any other
  zero_out     ///< one record exchanged for one that contributes nothing
};

constexpr std::string_view name_of(neighbours relation) noexcept {
  constexpr std::string_view names[] = {"add-remove", "replace-one", "zero-out"};
  return names[static_cast<unsigned>(relation)];
}

/// The mechanisms an accountant may meet. Unless it says otherwise, a query has sensitivity 1 under the
/// relation of its event: divide the noise by the true sensitivity first.
namespace event {

/// N(0, noise_multiplier^2 I) added to a query of l2 sensitivity 1.
struct gaussian {
  static constexpr std::string_view name = "gaussian";
  double noise_multiplier = 0;
  bool operator==(const gaussian&) const = default;
};

/// N(0, noise_multiplier^2 I) added to a sum over a Poisson sample, into which every record comes with
/// probability `rate`, independently and in secret. Each record contributes a vector of l2 norm at
/// most 1. So add-remove and zero-out move the sum by 1 and replace-one by up to 2.
struct subsampled_gaussian {
  static constexpr std::string_view name = "subsampled_gaussian";
  double noise_multiplier = 0;
  double rate = 1;
  bool operator==(const subsampled_gaussian&) const = default;
};

/// Integer noise of probability proportional to exp(-|x|^2 / (2 S^2)) added to a sum of integer vectors over a
/// Poisson sample as that of `subsampled_gaussian`, each of l2 norm at most S / noise_multiplier; at rate 1 to
/// any integer vector of that sensitivity. Its Renyi divergences of whole orders are those of
/// `subsampled_gaussian`, its privacy loss is not: docs/privacy/accountants.md. Under add-remove and zero-out.
struct subsampled_discrete_gaussian {
  static constexpr std::string_view name = "subsampled_discrete_gaussian";
  double noise_multiplier = 0;
  double rate = 1;
  bool operator==(const subsampled_discrete_gaussian&) const = default;
};

/// Laplace noise of density exp(-|x| / scale) / (2 scale) added to one number of sensitivity 1.
struct laplace {
  static constexpr std::string_view name = "laplace";
  double scale = 0;
  bool operator==(const laplace&) const = default;
};

/// One of `answers` values: the truth with probability e^epsilon / (e^epsilon + answers - 1), any other
/// with 1 / (e^epsilon + answers - 1). Only replace-one has a meaning: each person answers.
struct randomised_response {
  static constexpr std::string_view name = "randomised_response";
  double epsilon = 0;
  std::uint32_t answers = 2;
  bool operator==(const randomised_response&) const = default;
};

/// Integer noise of probability proportional to exp(-x^2 / (2 noise_multiplier^2)) added to one integer
/// of sensitivity 1 (Canonne, Kamath, Steinke, arXiv:2004.00010).
struct discrete_gaussian {
  static constexpr std::string_view name = "discrete_gaussian";
  double noise_multiplier = 0;
  bool operator==(const discrete_gaussian&) const = default;
};

/// One tree of noisy sums in which a record is in at most `height` nodes with l2 norm at most 1 in each,
/// every node with noise N(0, noise_multiplier^2 I): a Gaussian query of sensitivity sqrt(height)
/// (Kairouz and others, arXiv:2103.00039, Theorem 4.1). The count is that of trees a record is in.
struct tree {
  static constexpr std::string_view name = "tree";
  double noise_multiplier = 0;
  std::uint32_t height = 1;
  bool operator==(const tree&) const = default;
};

/// One report each of `users`, every one epsilon0-local, sent through a shuffler that hides who sent which
/// (Feldman, McMillan, Talwar, arXiv:2012.12803, Theorem 3.1). Only replace-one has a meaning. The count is
/// that of rounds in which the same users report.
struct shuffle {
  static constexpr std::string_view name = "shuffle";
  double epsilon0 = 0;
  std::uint64_t users = 1; ///< whose reports are honest
  bool operator==(const shuffle&) const = default;
};

using mechanism = std::variant<gaussian, subsampled_gaussian, laplace, randomised_response, discrete_gaussian,
                               tree, shuffle, subsampled_discrete_gaussian>;

/// Of these the ones of which nothing but Renyi divergences is known, no dominating pair.
template <class M>
inline constexpr bool has_divergences_alone = std::is_same_v<M, subsampled_discrete_gaussian>;
/// One of these, with a dominating pair.
template <class M>
inline constexpr bool is_mechanism =
    !has_divergences_alone<M> && requires(mechanism all, M one) { all = one; };

inline constexpr std::uint64_t most_uses = 1'000'000'000;

} // namespace event

/// `count` uses of one mechanism on the same data.
struct privacy_event {
  event::mechanism mechanism;
  std::uint64_t count = 1;
  neighbours relation = neighbours::add_remove;
  /// How far, in total variation, one use may be from the mechanism that it names: by noise of finite
  /// precision, by a batch cut at a capacity.
  double distance = 0;

  std::string_view name() const noexcept {
    return std::visit([](const auto& m) { return std::decay_t<decltype(m)>::name; }, mechanism);
  }

  /// sensitivity^2 / noise_multiplier^2 of one use that is a Gaussian query, as a tree is and a sample at
  /// rate 1; 0 for any other.
  double gaussian_distance_squared() const noexcept {
    return std::visit([&](const auto& m) { return squared(m); }, mechanism);
  }

  /// Throws N001 for numbers that make no sense and N011 for a relation without a theorem.
  void check() const {
    std::visit([&](const auto& m) { check(m); }, mechanism);
    require(count >= 1 && count <= event::most_uses, fault::argument, name(), ": got ", count,
            " uses, expected 1 to ", event::most_uses);
    require(distance >= 0 && distance < 1, fault::argument, name(), ": got the distance ", distance,
            ", expected 0 to less than 1");
  }

 private:
  double squared(const event::gaussian& m) const noexcept {
    return 1 / (m.noise_multiplier * m.noise_multiplier);
  }
  double squared(const event::tree& m) const noexcept {
    return m.height / (m.noise_multiplier * m.noise_multiplier);
  }
  double squared(const event::subsampled_gaussian& m) const noexcept {
    if (m.rate < 1) return 0;
    return (relation == neighbours::replace_one ? 4 : 1) / (m.noise_multiplier * m.noise_multiplier);
  }
  template <class M>
  double squared(const M&) const noexcept {
    return 0;
  }

  void noise(double value, std::string_view what) const {
    require(std::isfinite(value) && value >= 1e-3 && value <= 1e9, fault::argument, name(), ": got ", what,
            ' ', value, ", expected a number from 1e-3 to 1e9: less noise gives no privacy");
  }
  void answers_always() const {
    require(relation == neighbours::replace_one, fault::unsupported, name(), ": got the relation ",
            name_of(relation), ", expected ", name_of(neighbours::replace_one),
            ": without a record there is no answer to compare with");
  }
  void check(const event::gaussian& m) const { noise(m.noise_multiplier, "noise multiplier"); }
  void check_rate(double rate) const {
    require(rate > 0 && rate <= 1, fault::argument, name(), ": got sampling rate ", rate,
            ", expected more than 0 and at most 1");
  }
  void check(const event::subsampled_gaussian& m) const {
    noise(m.noise_multiplier, "noise multiplier");
    check_rate(m.rate);
  }
  void check(const event::subsampled_discrete_gaussian& m) const {
    noise(m.noise_multiplier, "noise multiplier");
    check_rate(m.rate);
    require(relation != neighbours::replace_one, fault::unsupported, name(), ": got the relation ",
            name_of(relation), ", expected add-remove or zero-out");
  }
  void check(const event::laplace& m) const { noise(m.scale, "scale"); }
  void check(const event::randomised_response& m) const {
    require(m.epsilon > 0 && m.epsilon <= 500, fault::argument, name(), ": got epsilon ", m.epsilon,
            ", expected more than 0 and at most 500");
    require(m.answers >= 2, fault::argument, name(), ": got ", m.answers, " answers, expected 2 or more");
    answers_always();
  }
  void check(const event::shuffle& m) const {
    require(m.epsilon0 > 0 && m.epsilon0 <= 32, fault::argument, name(), ": got epsilon0 ", m.epsilon0,
            ", expected more than 0 and at most 32");
    require(m.users >= 1 && m.users <= event::most_uses, fault::argument, name(), ": got ", m.users,
            " users, expected 1 to ", event::most_uses);
    answers_always();
  }
  void check(const event::discrete_gaussian& m) const {
    noise(m.noise_multiplier, "noise multiplier");
    require(m.noise_multiplier <= 1e4, fault::unsupported, name(), ": got noise multiplier ",
            m.noise_multiplier, ", expected at most 1e4");
  }
  void check(const event::tree& m) const {
    noise(m.noise_multiplier, "noise multiplier");
    require(m.height >= 1 && m.height <= 64, fault::argument, name(), ": got height ", m.height,
            ", expected 1 to 64");
  }
};

/// The events of one data set under one relation. Equal mechanisms are counted together, so an event
/// composed n times and n single events are the same list.
class event_list {
 public:
  /// Throws N001 or N011 as `privacy_event::check`, and N001 when the relation is another than before
  /// or a mechanism is used more than 10^9 times.
  void add(const privacy_event& added) {
    added.check();
    if (!events_.empty())
      require(added.relation == relation(), fault::argument, added.name(), ": got the relation ",
              name_of(added.relation), ", but the events before it are under ", name_of(relation()),
              "; bounds under different relations do not add up");
    distance_ += static_cast<double>(added.count) * added.distance;
    for (auto& known : events_)
      if (known.mechanism == added.mechanism) {
        require(known.count + added.count <= event::most_uses, fault::argument, added.name(), ": got ",
                known.count + added.count, " uses in all, expected at most ", event::most_uses);
        known.count += added.count;
        return;
      }
    events_.push_back(added);
  }

  bool empty() const noexcept { return events_.empty(); }
  neighbours relation() const noexcept {
    return events_.empty() ? neighbours::add_remove : events_.front().relation;
  }
  /// That of all uses together.
  double distance() const noexcept { return distance_; }
  auto begin() const noexcept { return events_.begin(); }
  auto end() const noexcept { return events_.end(); }

  /// That of all Gaussian queries together, which are one.
  double gaussian_distance_squared() const noexcept {
    double sum = 0;
    for (const auto& e : events_) sum += static_cast<double>(e.count) * e.gaussian_distance_squared();
    return sum;
  }

 private:
  std::vector<privacy_event> events_;
  double distance_ = 0;
};

} // namespace privet
