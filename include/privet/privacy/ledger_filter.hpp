#pragma once
// What a ledger promises in advance, and which debits still fit: privacy filters.

#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/privacy/accountant.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/privacy/zcdp.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace privet {

/// Whose data one neighbouring data set has more, other or silent. The labels of core/labels.hpp at run time.
enum class privacy_unit { example, user, site };

constexpr std::string_view name_of(privacy_unit unit) noexcept {
  constexpr std::string_view names[] = {"example", "user", "site"};
  return names[static_cast<unsigned>(unit)];
}

/// What may make a run under a schedule stop early.
enum class stop_rule {
  any,        ///< anything, results and losses included
  public_only ///< nothing that depends on the data: a number fixed in advance, a clock, a power cut
};

constexpr std::string_view name_of(stop_rule rule) noexcept {
  return rule == stop_rule::any ? "any" : "public";
}

namespace detail {
/// The share of its budget by which a filter may be overdrawn, so that a hundred debits of a hundredth fit in
/// spite of rounding. It is in every epsilon that is reported.
inline constexpr double ledger_slack = 1e-9;
} // namespace detail

/// Every use is declared before the first; what was not declared does not fit.
///
/// Privacy   stop_rule::any: debits come in any order and the bound is that of the whole list, whatever was
///           used of it (docs/privacy/ledger.md, "A schedule"). stop_rule::public_only: debits come in the
///           order of the list, and the bound is that of what was used.
struct schedule_filter {
  static constexpr std::string_view name = "schedule";
  std::vector<privacy_event> events;
  stop_rule stop = stop_rule::any;
};

namespace detail {
/// What is left of delta for the mechanisms themselves when their uses may lie `distance` off in total
/// variation.
inline double delta_beside(double distance, double epsilon, double delta, std::string_view who) {
  check_delta(delta);
  require(epsilon > 0 && std::isfinite(epsilon), fault::argument, who, ": got epsilon ", epsilon,
          ", expected more than 0");
  if (distance == 0) return delta;
  const double left = delta - 1.0015 * distance * (1 + std::exp(epsilon));
  require(distance >= 0 && left > 0, fault::argument, who, ": got the distance ", distance, ", which takes ",
          delta - left, " of delta ", delta);
  return left;
}
} // namespace detail

/// Parameters of later uses, and the stop, may depend on earlier results, as long as the sum of rho, and that
/// of the events' `distance`, stay within the budget. Knows no amplification by sampling.
///
/// Source    Feldman, Zrnic, arXiv:2008.11193, the Renyi filter, at every order at once; Whitehouse and
///           others, arXiv:2203.05481, the filter for zCDP
struct zcdp_filter {
  static constexpr std::string_view name = "zcdp";
  double rho = 0;
  double distance = 0; ///< in total variation, of all uses together

  /// The largest budget whose epsilon is at most this.
  static zcdp_filter for_budget(double epsilon, double delta, double distance = 0) {
    const double left = detail::delta_beside(distance, epsilon, delta, "zcdp_filter");
    double good = 0, bad = epsilon; // rho-zCDP gives more than rho
    for (int i = 0; i < 200; ++i) {
      const double middle = (good + bad) / 2;
      (zcdp_epsilon(middle * (1 + 2 * detail::ledger_slack), left) <= epsilon ? good : bad) = middle;
    }
    return {good, distance};
  }
};

/// The same for the Renyi divergence of one order, fixed in advance; knows amplification by sampling.
///
/// Source    Feldman, Zrnic, arXiv:2008.11193, the Renyi filter
struct renyi_filter {
  static constexpr std::string_view name = "renyi";
  double order = 2;      ///< more than 1, at most 10^4
  double divergence = 0; ///< the budget
  double distance = 0;   ///< in total variation, of all uses together

  /// The largest budget at this order whose epsilon is at most this; 0 or less when the order is too small.
  static renyi_filter for_budget(double epsilon, double delta, double order, double distance = 0) {
    require(order > 1 && order <= 1e4, fault::argument, "renyi_filter: got the order ", order,
            ", expected more than 1 and at most 1e4");
    const double left = detail::delta_beside(distance, epsilon, delta, "renyi_filter");
    const double overhead = std::log1p(-1 / order) - (std::log(left) + std::log(order)) / (order - 1);
    return {order, (epsilon - overhead) / (1 + 2 * detail::ledger_slack), distance};
  }
  /// At the order that allows most uses of this event. Throws N001 when no order has a budget.
  static renyi_filter for_budget(double epsilon, double delta, const privacy_event& typical,
                                 double distance = 0) {
    typical.check();
    renyi_filter best;
    double most = 0;
    for (double t = std::log(0.05); t < std::log(1000.0); t += 0.1) {
      double order = 1 + std::exp(t);
      if (detail::needs_whole_orders(typical)) order = std::ceil(order);
      const renyi_filter f = for_budget(epsilon, delta, order, distance);
      const double uses = f.divergence / renyi_divergence(typical, f.order);
      if (uses > most) most = uses, best = f;
    }
    require(most > 0, fault::argument, "renyi_filter: no order has a budget for epsilon ", epsilon,
            " at delta ", delta);
    return best;
  }
};

using ledger_filter = std::variant<schedule_filter, zcdp_filter, renyi_filter>;

/// What the first line of a ledger says, for good.
struct ledger_terms {
  digest data{}; ///< fingerprint of the data set, such as the SHA-256 of its rows
  privacy_unit unit = privacy_unit::example;
  neighbours relation = neighbours::add_remove;
  double delta = 0;
  double epsilon = 0; ///< the budget, which the filter never exceeds
  ledger_filter filter;

  /// Epsilon of everything that the filter lets through. A schedule takes as long as `pld_accountant` does.
  privacy_bounds bound() const {
    if (const auto* s = std::get_if<schedule_filter>(&filter)) {
      pld_accountant whole;
      for (const auto& e : s->events) whole.compose(e);
      return whole.epsilon(delta);
    }
    constexpr double all = 1 + detail::ledger_slack;
    if (const auto* z = std::get_if<zcdp_filter>(&filter))
      return detail::epsilon_at_distance(z->distance * all, delta, [&](double d) -> privacy_bounds {
        return {0, zcdp_epsilon(z->rho * all, d), false};
      });
    const auto& r = std::get<renyi_filter>(filter);
    return detail::epsilon_at_distance(r.distance * all, delta, [&](double d) -> privacy_bounds {
      return {0, renyi_epsilon(r.divergence * all, r.order, d), false};
    });
  }

  /// Throws N001 for numbers out of range, N010 for an event under another relation, N011 for one whose
  /// privacy loss is not known.
  void check_numbers() const {
    detail::check_delta(delta);
    require(epsilon > 0 && std::isfinite(epsilon), fault::argument, "ledger: got the budget epsilon ",
            epsilon, ", expected more than 0");
    if (const auto* s = std::get_if<schedule_filter>(&filter)) {
      require(!s->events.empty(), fault::argument,
              "ledger: got a schedule without events, expected one or more");
      require(s->events.size() <= 10'000, fault::argument, "ledger: got a schedule of ", s->events.size(),
              " events, expected at most 10000");
      for (const auto& e : s->events) {
        e.check();
        require(e.relation == relation, fault::state, "ledger: got ", e.name(), " under ",
                name_of(e.relation), " in the schedule, expected ", name_of(relation));
        require(
            std::visit([]<class M>(const M&) { return !event::has_divergences_alone<M>; }, e.mechanism),
            fault::unsupported, "ledger: got ", e.name(),
            " in the schedule, of which only Renyi divergences are known; a renyi or zcdp filter takes it");
      }
    } else if (const auto* z = std::get_if<zcdp_filter>(&filter)) {
      require(z->rho > 0 && std::isfinite(z->rho), fault::argument, "ledger: got the budget rho ", z->rho,
              ", expected more than 0");
      check_distance(z->distance);
    } else {
      const auto& r = std::get<renyi_filter>(filter);
      require(r.order > 1 && r.order <= 1e4, fault::argument, "ledger: got the Renyi order ", r.order,
              ", expected more than 1 and at most 1e4");
      require(r.divergence > 0 && std::isfinite(r.divergence), fault::argument,
              "ledger: got the Renyi budget ", r.divergence, ", expected more than 0");
      check_distance(r.distance);
    }
  }

  /// The same, and N001 when the filter lets more through than `epsilon`, with both numbers; N011 when no
  /// bound is known. `tolerance` is a share of epsilon, for terms that were checked on another machine.
  void check(double tolerance = 0) const {
    check_numbers();
    const double all = bound().upper;
    require(all <= epsilon * (1 + tolerance), fault::argument, "ledger: the ",
            std::visit([](const auto& f) { return f.name; }, filter), " filter lets epsilon ", all,
            " through, expected at most the budget ", epsilon);
  }

 private:
  static void check_distance(double d) {
    require(d >= 0 && d < 1, fault::argument, "ledger: got the distance ", d, ", expected 0 to less than 1");
  }
};

namespace detail {

/// What was thrown, as a value that names the place first.
inline error error_at(std::string_view place, const exception& why) {
  const std::string_view text = why.what(); // "[N001 argument] gaussian: got ..."
  return error::of(why.kind(), place, ": ", text.substr(text.find(']') + 2));
}

inline std::string in_words(const privacy_event& e) {
  std::string text = std::visit(
      [&]<class M>(const M& m) {
        if constexpr (std::is_same_v<M, event::laplace>)
          return concat(M::name, " of scale ", m.scale);
        else if constexpr (std::is_same_v<M, event::randomised_response>)
          return concat(M::name, " of epsilon ", m.epsilon, " and ", m.answers, " answers");
        else if constexpr (std::is_same_v<M, event::shuffle>)
          return concat(M::name, " of epsilon0 ", m.epsilon0, " and ", m.users, " users");
        else if constexpr (requires { m.rate; })
          return concat(M::name, " of noise ", m.noise_multiplier, " and rate ", m.rate);
        else if constexpr (std::is_same_v<M, event::tree>)
          return concat(M::name, " of noise ", m.noise_multiplier, " and height ", m.height);
        else
          return concat(M::name, " of noise ", m.noise_multiplier);
      },
      e.mechanism);
  if (e.distance > 0) text += concat(" at distance ", e.distance);
  return text;
}

inline bool same_use(const privacy_event& a, const privacy_event& b) {
  return a.mechanism == b.mechanism && a.distance == b.distance;
}

/// rho of one use.
inline double rho_of(privacy_event e) {
  e.count = 1;
  zcdp_accountant one;
  one.compose(e);
  return one.rho();
}

/// Renyi divergence of one use, in bounded time for any event: where noise is so small that the quadrature
/// would need millions of points, the sample counts as the whole data set, which is never less.
inline double divergence_of(privacy_event e, double order) {
  std::visit(
      [&](auto& m) {
        if constexpr (requires { m.rate; }) {
          const double noise = m.noise_multiplier;
          if (order > 1e5 * std::min(noise, 2 * noise * noise)) m.rate = 1;
        }
      },
      e.mechanism);
  return renyi_divergence(e, order) * (1 + 1e-10);
}

} // namespace detail

/// How much of the budget is used, and whether an event still fits.
class ledger_balance {
 public:
  explicit ledger_balance(ledger_terms terms) : terms_(std::move(terms)) {
    const auto* s = std::get_if<schedule_filter>(&terms_.filter);
    if (!s) return;
    for (const auto& e : s->events) {
      const std::size_t at = in_order() && !declared_.empty() ? declared_.size() - 1 : index_of(e);
      if (at < declared_.size() && detail::same_use(declared_[at], e))
        declared_[at].count += e.count;
      else
        declared_.push_back(e);
    }
    used_.assign(declared_.size(), 0);
  }

  const ledger_terms& terms() const noexcept { return terms_; }
  std::uint64_t uses() const noexcept { return uses_; } ///< of all mechanisms together

  /// Errors  N010: another relation; what is left of the budget is less than `e` costs, with both numbers.
  ///         N011: a mechanism that the filter has no theorem for. Throws as `privacy_event::check`.
  status fits(const privacy_event& e, std::string_view place) const {
    e.check();
    if (e.relation != terms_.relation)
      return error::of(fault::state, place, ": got ", e.name(), " under the relation ", name_of(e.relation),
                       ", but this ledger is kept under ", name_of(terms_.relation),
                       "; bounds under different relations do not add up");
    const auto spent = [&](const auto&... what) {
      return error::of(fault::state, place, ": the budget of epsilon ", terms_.epsilon,
                       " is spent: ", what...);
    };
    if (const auto* s = std::get_if<schedule_filter>(&terms_.filter)) {
      const std::size_t at = place_of(e);
      if (at == declared_.size() && s->stop == stop_rule::public_only)
        return spent("all ", uses_, " uses of the schedule are made, ", e.count, " more asked");
      if (at == declared_.size() || !detail::same_use(declared_[at], e))
        return error::of(fault::state, place, ": got ", detail::in_words(e), ", expected ",
                         at == declared_.size()
                             ? "what the schedule declares"
                             : concat("the schedule's next, ", detail::in_words(declared_[at])));
      if (e.count > declared_[at].count - used_[at])
        return spent(used_[at], " of ", declared_[at].count, " declared uses of ", detail::in_words(e),
                     " are made, ", e.count, " more asked");
      return nothing{};
    }
    const bool zcdp = std::holds_alternative<zcdp_filter>(terms_.filter);
    double more = 0;
    try {
      more = cost(e);
    } catch (const exception& why) { // a mechanism without a theorem for this filter
      return detail::error_at(place, why);
    }
    const double off = distance_of(e), all = budget(), most_off = distance_budget();
    if (!(above(total_ + more) <= all * (1 + detail::ledger_slack)))
      return spent(total_, " of ", all, zcdp ? " rho" : " Renyi divergence", " is used, ", more,
                   " more asked");
    if (!(off == 0 || above(distance_ + off) <= most_off * (1 + detail::ledger_slack)))
      return spent("a distance of ", distance_, " of ", most_off, " is used, ", off, " more asked");
    return nothing{};
  }

  /// Precondition: it fits.
  void take(const privacy_event& e) {
    if (declared_.empty()) {
      total_ = above(total_ + cost(e));
      if (e.distance > 0) distance_ = above(distance_ + distance_of(e));
    } else {
      used_[place_of(e)] += e.count;
    }
    uses_ += e.count;
  }

  /// `unused` of the uses of `e`, taken when `uses()` had come to `then`, were never made.
  ///
  /// Errors  N010 under a public stop, when other uses came after them: what was used would then be no
  ///         beginning of the schedule
  status give_back(const privacy_event& e, std::uint64_t unused, std::uint64_t then, std::string_view place) {
    if (unused == 0) return nothing{};
    if (in_order() && then != uses_)
      return error::of(fault::state, place, ": ", unused, " uses of ", e.name(),
                       " cannot be given back: others came after them, and the schedule is in order");
    uses_ -= unused;
    if (!declared_.empty()) {
      for (std::size_t i = declared_.size(); i-- > 0;)
        if (detail::same_use(declared_[i], e) && used_[i] > 0) {
          used_[i] -= unused;
          break;
        }
    } else {
      privacy_event less = e;
      less.count = unused;
      total_ = uses_ == 0 ? 0 : std::max(above(total_ - cost(less)), 0.0);
      if (e.distance > 0) distance_ = uses_ == 0 ? 0 : std::max(above(distance_ - distance_of(less)), 0.0);
    }
    return nothing{};
  }

  /// What was used of a schedule.
  event_list used_events() const {
    event_list list;
    for (std::size_t i = 0; i < declared_.size(); ++i)
      if (used_[i] > 0) list.add({declared_[i].mechanism, used_[i], terms_.relation, declared_[i].distance});
    return list;
  }
  /// Of the filter's own measure: rho, or Renyi divergence. Never less than the exact sum.
  double used() const noexcept { return total_; }
  double budget() const noexcept {
    if (const auto* z = std::get_if<zcdp_filter>(&terms_.filter)) return z->rho;
    if (const auto* r = std::get_if<renyi_filter>(&terms_.filter)) return r->divergence;
    return 0;
  }
  double distance_budget() const noexcept {
    if (const auto* z = std::get_if<zcdp_filter>(&terms_.filter)) return z->distance;
    if (const auto* r = std::get_if<renyi_filter>(&terms_.filter)) return r->distance;
    return 0;
  }

 private:
  static double above(double x) { return std::nextafter(x, std::numeric_limits<double>::infinity()); }

  bool in_order() const {
    const auto* s = std::get_if<schedule_filter>(&terms_.filter);
    return s && s->stop == stop_rule::public_only;
  }
  /// Where in `declared_` the event is to be counted.
  std::size_t place_of(const privacy_event& e) const {
    if (!in_order()) return index_of(e);
    std::uint64_t left = uses_;
    for (std::size_t i = 0; i < declared_.size(); ++i) {
      if (left < declared_[i].count) return i;
      left -= declared_[i].count;
    }
    return declared_.size();
  }

  std::size_t index_of(const privacy_event& e) const {
    const auto same = [&](const privacy_event& d) { return detail::same_use(d, e); };
    return static_cast<std::size_t>(std::ranges::find_if(declared_, same) - declared_.begin());
  }

  static double distance_of(const privacy_event& e) { return static_cast<double>(e.count) * e.distance; }
  double cost(const privacy_event& e) const {
    auto known = std::ranges::find(costs_, e.mechanism, &priced::mechanism);
    if (known == costs_.end()) {
      const auto* r = std::get_if<renyi_filter>(&terms_.filter);
      if (costs_.size() == 16) costs_.erase(costs_.begin());
      costs_.push_back({e.mechanism, r ? detail::divergence_of(e, r->order) : detail::rho_of(e)});
      known = costs_.end() - 1;
    }
    return static_cast<double>(e.count) * known->each;
  }

  struct priced {
    event::mechanism mechanism;
    double each;
  };

  ledger_terms terms_;
  std::vector<privacy_event> declared_; // in order where that counts, else one of each mechanism
  std::vector<std::uint64_t> used_;     // of each of them
  std::uint64_t uses_ = 0;
  double total_ = 0, distance_ = 0;
  mutable std::vector<priced> costs_; // of the last few mechanisms: quadrature takes milliseconds
};

} // namespace privet
