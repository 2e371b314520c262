#pragma once
// Several ledgers together: sites in parallel over disjoint keys, or added up.

#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/privacy/ledger.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// What one unit loses to all sites of a group together.
///
/// Formula   with a key column: the largest epsilon and the largest delta (parallel composition); without:
///           their sums (basic composition)
/// Requires  with a key column: all rows of one unit have the same key. Under replace-one the record that
///           comes has the key of the one that goes. The rows do not change while the group is used.
/// Privacy   interactive mechanisms compose so too: Vadhan, Zhang, arXiv:2207.08335 (sums); Henzinger,
///           Safavi, Vadhan, arXiv:2411.03299 (parallel, without updates of the data)
/// Test      tests/privacy/ledger.test.cpp
class ledger_group {
 public:
  /// Nothing is known about who has whose rows: budgets add.
  ledger_group() = default;
  /// Each value of this column is at one site only; the sites show it by `keys`.
  explicit ledger_group(std::string key_column) : key_column_(std::move(key_column)) {
    require(!key_column_.empty(), fault::argument, "ledger_group: got an empty key column");
  }

  /// Takes down what a site has spent so far. `keys`: one hash for each value of the key column at the site.
  /// Hash with a secret that the sites share and others do not: names can be guessed.
  ///
  /// Errors  N010: keys shared with an earlier site (how many, and which site); another unit or relation
  ///         than before. N001: a key column and no keys, or keys and no key column
  status add(std::string site, const ledger_spending& spent, std::span<const digest> keys = {}) {
    if (keys.empty() == has_keys())
      return error::of(fault::argument, site, ": got ", keys.size(), " keys, expected ",
                       has_keys() ? concat("those of the column '", key_column_, '\'')
                                  : std::string("none without a key column"));
    if (!sites_.empty()) {
      const ledger_spending& first = sites_.front().spent;
      if (spent.unit != first.unit)
        return error::of(fault::state, site, ": got the unit ", name_of(spent.unit), ", but ",
                         sites_.front().name, " has ", name_of(first.unit));
      if (spent.relation != first.relation)
        return error::of(fault::state, site, ": got the relation ", name_of(spent.relation), ", but ",
                         sites_.front().name, " has ", name_of(first.relation));
    }
    std::vector<digest> sorted(keys.begin(), keys.end());
    std::ranges::sort(sorted);
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    for (const auto& other : sites_) {
      std::vector<digest> both;
      std::ranges::set_intersection(sorted, other.keys, std::back_inserter(both));
      if (!both.empty())
        return error::of(fault::state, site, ": ", both.size(), " of ", sorted.size(), " values of '",
                         key_column_, "' are at ", other.name,
                         " too; sites that share units add up, in a group without a key column");
    }
    sites_.push_back({std::move(site), spent, std::move(sorted)});
    return nothing{};
  }
  status add(std::string site, const ledger& book, std::span<const digest> keys = {}) {
    return add(std::move(site), book.spent(), keys);
  }

  /// Of all sites; `basis` is `declared` as soon as it is at one of them.
  ledger_spending spent() const {
    ledger_spending all{{0, 0, true}, 0, {}, {}, ledger_spending::basis_type::nothing};
    for (const auto& [name, s, keys] : sites_) {
      all.unit = s.unit, all.relation = s.relation;
      all.basis = std::max(all.basis, s.basis);
      if (has_keys()) {
        all.epsilon.upper = std::max(all.epsilon.upper, s.epsilon.upper);
        all.delta = std::max(all.delta, s.delta);
      } else {
        all.epsilon.upper = above(all.epsilon.upper + s.epsilon.upper);
        all.delta = above(all.delta + s.delta);
      }
    }
    // No lower bound is claimed: what a site spent may be less than its upper bound.
    all.epsilon.two_sided = all.epsilon.upper == 0;
    return all;
  }

 private:
  struct member {
    std::string name;
    ledger_spending spent;
    std::vector<digest> keys; // sorted
  };
  static double above(double x) {
    return x > 0 ? std::nextafter(x, std::numeric_limits<double>::infinity()) : x;
  }
  bool has_keys() const { return !key_column_.empty(); }

  std::string key_column_;
  std::vector<member> sites_;
};

} // namespace privet
