#pragma once
// Ways to hand the rows of one data set to several offices, from fair to very unequal.
//
// Every function returns one list of row numbers per office, ascending, and every row is in exactly
// one list. No office is left empty: where that cannot be, it throws [N001]. An office may lack a
// class altogether; its data set still names all classes, and `class_counts()` shows the zero.

#include <privet/core/error.hpp>
#include <privet/random/distributions.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// Row numbers per office.
using partition = std::vector<std::vector<std::uint32_t>>;

namespace detail {

inline partition start_partition(std::string_view who, std::size_t rows, std::size_t offices) {
  require(offices > 0, fault::argument, who, ": 0 offices, needs at least 1");
  require(offices <= rows, fault::argument, who, ": ", offices, " offices for ", rows,
          " rows, some would be empty");
  return partition(offices);
}

/// The first office without rows; the number of offices if there is none.
inline std::size_t first_empty(const partition& offices) noexcept {
  return static_cast<std::size_t>(
      std::ranges::find_if(offices, [](const auto& rows) { return rows.empty(); }) - offices.begin());
}

inline partition finish_partition(std::string_view who, partition offices) {
  const std::size_t empty = first_empty(offices);
  require(empty == offices.size(), fault::argument, who, ": office ", empty + 1, " of ", offices.size(),
          " would be empty");
  for (auto& rows : offices) std::ranges::sort(rows);
  return offices;
}

/// Rows of each label, ascending; labels no row has are empty.
inline std::vector<std::vector<std::uint32_t>> rows_by_label(std::span<const std::int32_t> labels) {
  std::vector<std::vector<std::uint32_t>> rows;
  for (std::uint32_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0, fault::label, "partition: row ", i, " has label ", labels[i],
            ", expected 0 or more");
    const auto label = static_cast<std::size_t>(labels[i]);
    if (label >= rows.size()) rows.resize(label + 1);
    rows[label].push_back(i);
  }
  return rows;
}

/// Deals `rows` in turn to the offices that are named.
inline void deal(std::span<const std::uint32_t> rows, std::span<const std::size_t> to, partition& offices) {
  for (std::size_t i = 0; i < rows.size(); ++i) offices[to[i % to.size()]].push_back(rows[i]);
}

/// The logarithm of a Gamma(shape, 1) variate, which for a small shape is itself too small for a
/// double. Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
template <RandomSource Source>
double log_gamma_variate(Source& source, double shape) {
  if (shape < 1) {
    const double u = 1 - uniform01<double>(source);
    return log_gamma_variate(source, shape + 1) + std::log(u) / shape;
  }
  const double d = shape - 1. / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = polar_normal(source), v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    const double u = 1 - uniform01<double>(source);
    if (v > 0 && std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

/// Shares of a symmetric Dirichlet(alpha), running totals from the front; the last one is 1.
template <RandomSource Source>
std::vector<double> dirichlet_totals(Source& source, std::size_t count, double alpha) {
  std::vector<double> shares(count);
  for (double& x : shares) x = log_gamma_variate(source, alpha);
  const double largest = *std::ranges::max_element(shares);
  for (double& x : shares) x = std::exp(x - largest);
  std::partial_sum(shares.begin(), shares.end(), shares.begin());
  const double total = shares.back();
  for (double& x : shares) x /= total;
  return shares;
}

} // namespace detail

/// Whole groups (people): the largest first, each to the office with the fewest rows so far.
inline partition partition_by_group(std::span<const std::int32_t> groups, std::size_t offices) {
  partition out = detail::start_partition("partition_by_group", groups.size(), offices);
  std::map<std::int32_t, std::vector<std::uint32_t>> rows;
  for (std::uint32_t i = 0; i < groups.size(); ++i) rows[groups[i]].push_back(i);
  require(offices <= rows.size(), fault::argument, "partition_by_group: ", offices, " offices for ",
          rows.size(), " groups, some would be empty");
  std::vector<const std::vector<std::uint32_t>*> order;
  for (const auto& [group, list] : rows) order.push_back(&list);
  std::ranges::stable_sort(order, [](auto* a, auto* b) { return a->size() > b->size(); });
  for (const auto* list : order) {
    auto& office = *std::ranges::min_element(out, {}, &std::vector<std::uint32_t>::size);
    office.insert(office.end(), list->begin(), list->end());
  }
  return detail::finish_partition("partition_by_group", std::move(out));
}

/// The same mixture of labels everywhere: rows sorted by label (stable), then dealt in turn.
inline partition partition_stratified(std::span<const std::int32_t> labels, std::size_t offices) {
  partition out = detail::start_partition("partition_stratified", labels.size(), offices);
  std::size_t turn = 0;
  for (const auto& rows : detail::rows_by_label(labels))
    for (const auto i : rows) out[turn++ % offices].push_back(i);
  return detail::finish_partition("partition_stratified", std::move(out));
}

/// One favoured label per office: `share` of a label's rows goes to the offices that favour it, the
/// rest to the others in equal parts. Labels are handed out in turn, so with more offices than
/// labels several favour the same, and with fewer some are nobody's and spread evenly.
template <RandomSource Source>
partition partition_majority_label(std::span<const std::int32_t> labels, std::size_t offices, double share,
                                   Source&& source) {
  constexpr std::string_view who = "partition_majority_label";
  require(share >= 0 && share <= 1, fault::argument, who, ": share is ", share, ", must be in [0, 1]");
  partition out = detail::start_partition(who, labels.size(), offices);
  auto by_label = detail::rows_by_label(labels);
  std::erase_if(by_label, [](const auto& rows) { return rows.empty(); });
  for (std::size_t label = 0; label < by_label.size(); ++label) {
    std::vector<std::size_t> fans, others;
    for (std::size_t k = 0; k < offices; ++k) (k % by_label.size() == label ? fans : others).push_back(k);
    const std::span rows = by_label[label];
    shuffle(source, rows);
    const auto kept = static_cast<std::size_t>(std::llround(share * static_cast<double>(rows.size())));
    const std::size_t cut = fans.empty() ? 0 : others.empty() ? rows.size() : kept;
    if (cut > 0) detail::deal(rows.first(cut), fans, out);
    if (cut < rows.size()) detail::deal(rows.subspan(cut), others, out);
  }
  return detail::finish_partition(who, std::move(out));
}

/// Two labels per office: labels are drawn without replacement until all are gone, then from all
/// again; a label's rows are shared equally by the offices that drew it.
/// Throws [N001] when two per office do not cover the labels, or there is only one label.
template <RandomSource Source>
partition partition_pick_two(std::span<const std::int32_t> labels, std::size_t offices, Source&& source) {
  constexpr std::string_view who = "partition_pick_two";
  partition out = detail::start_partition(who, labels.size(), offices);
  auto by_label = detail::rows_by_label(labels);
  std::erase_if(by_label, [](const auto& rows) { return rows.empty(); });
  const std::size_t count = by_label.size();
  require(count >= 2 && count <= 2 * offices, fault::argument, who, ": ", count, " labels for ", offices,
          " offices that take two each");

  std::vector<std::vector<std::size_t>> takers(count);
  std::vector<std::uint32_t> lap(count);
  for (std::size_t pick = 0, last = 0; pick < 2 * offices; ++pick) {
    const std::size_t at = pick % count;
    if (at == 0) {
      permutation(source, std::span(lap));
      if (pick % 2 == 1 && lap[0] == last) std::swap(lap[0], lap[1]); // never the same label twice
    }
    last = lap[at];
    takers[last].push_back(pick / 2);
  }
  for (std::size_t label = 0; label < count; ++label) {
    shuffle(source, std::span(by_label[label]));
    detail::deal(by_label[label], takers[label], out);
  }
  return detail::finish_partition(who, std::move(out));
}

/// Each label is shared out by its own draw from Dirichlet(alpha): large alpha is fair, below 1 an
/// office sees little of most labels. A draw that leaves an office empty is drawn again, 100 times
/// at most.
/// Source  Hsu, Qi, Brown, arXiv:1909.06335; per label as in Yurochkin et al., ICML 2019
template <RandomSource Source>
partition partition_dirichlet(std::span<const std::int32_t> labels, std::size_t offices, double alpha,
                              Source&& source) {
  constexpr std::string_view who = "partition_dirichlet";
  require(alpha > 0 && std::isfinite(alpha), fault::argument, who, ": alpha is ", alpha,
          ", must be positive");
  const partition empty = detail::start_partition(who, labels.size(), offices);
  auto by_label = detail::rows_by_label(labels);
  for (int attempt = 0; attempt < 100; ++attempt) {
    partition out = empty;
    for (auto& rows : by_label) {
      if (rows.empty()) continue;
      shuffle(source, std::span(rows));
      const auto totals = detail::dirichlet_totals(source, offices, alpha);
      std::size_t from = 0;
      for (std::size_t k = 0; k < offices; ++k) {
        const auto to = static_cast<std::size_t>(std::llround(totals[k] * static_cast<double>(rows.size())));
        out[k].insert(out[k].end(), rows.begin() + static_cast<std::ptrdiff_t>(from),
                      rows.begin() + static_cast<std::ptrdiff_t>(to));
        from = to;
      }
    }
    if (detail::first_empty(out) == offices) return detail::finish_partition(who, std::move(out));
  }
  fail(fault::argument, who, ": 100 draws with alpha ", alpha, " each left one of ", offices,
       " offices empty; take a larger alpha or fewer offices");
}

/// Unequal sizes and random rows: office k (from 1) holds a share proportional to k^-exponent of
/// the rows beyond the one that each is sure of.
template <RandomSource Source>
partition partition_power_law(std::size_t rows, std::size_t offices, double exponent, Source&& source) {
  constexpr std::string_view who = "partition_power_law";
  require(exponent >= 0 && std::isfinite(exponent), fault::argument, who, ": exponent is ", exponent,
          ", must be 0 or more");
  partition out = detail::start_partition(who, rows, offices);
  std::vector<std::uint32_t> order(rows);
  permutation(source, std::span(order));
  std::vector<double> totals(offices);
  for (std::size_t k = 0; k < offices; ++k)
    totals[k] = (k > 0 ? totals[k - 1] : 0) + std::pow(static_cast<double>(k + 1), -exponent);
  auto next = order.begin();
  for (std::size_t k = 0; k < offices; ++k) {
    const double beyond = static_cast<double>(rows - offices) * (totals[k] / totals.back());
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(k + 1) +
                     static_cast<std::ptrdiff_t>(std::llround(beyond));
    out[k].assign(next, end);
    next = end;
  }
  return detail::finish_partition(who, std::move(out));
}

} // namespace privet
