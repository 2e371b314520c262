#pragma once
// Training and test rows. The default keeps everything of one group (a person, a site) on one
// side: windows of the same person on both sides make a model look better than it is.

#include <privet/core/error.hpp>
#include <privet/data/dataset.hpp>
#include <privet/random/distributions.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Two data sets with the same schema.
template <class T = float>
struct train_test {
  dataset<T> train, test;
};

/// The different groups of a data set, ascending. Throws [N001] when it has none.
template <class T>
std::vector<std::int32_t> groups_of(const dataset<T>& data) {
  require(!data.groups.empty() || data.rows() == 0, fault::argument,
          "groups_of: the data set names no groups");
  std::vector<std::int32_t> groups = data.groups;
  std::ranges::sort(groups);
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

/// Throws [N007] naming the first group that both sides hold, and [N001] when a side names no
/// groups, because then nobody can tell. Every evaluation of people it has not seen calls this.
template <class T>
void refuse_overlap(const dataset<T>& train, const dataset<T>& test) {
  std::vector<std::int32_t> both;
  std::ranges::set_intersection(groups_of(train), groups_of(test), std::back_inserter(both));
  if (both.empty()) return;
  const auto rows_in = [&](const dataset<T>& side) { return std::ranges::count(side.groups, both.front()); };
  fail(fault::leak, "group ", both.front(), " has ", rows_in(train), " rows in training and ", rows_in(test),
       " in test (", both.size(), " groups are on both sides): split by group");
}

/// Rows of `test_groups` against all others; order is kept.
/// Throws [N001] when a named group has no rows or a side would be empty.
template <class T>
train_test<T> split_by_groups(const dataset<T>& data, std::span<const std::int32_t> test_groups) {
  const auto known = groups_of(data);
  for (const auto group : test_groups)
    require(std::ranges::binary_search(known, group), fault::argument, "split_by_groups: group ", group,
            " has no rows; there are ", known.size(), " groups");
  std::vector<std::int32_t> chosen(test_groups.begin(), test_groups.end());
  std::ranges::sort(chosen);
  std::vector<std::uint32_t> train, test;
  for (std::uint32_t i = 0; i < data.rows(); ++i)
    (std::ranges::binary_search(chosen, data.groups[i]) ? test : train).push_back(i);
  require(!train.empty() && !test.empty(), fault::argument, "split_by_groups: ", train.size(),
          " training and ", test.size(), " test rows, both must be positive");
  return {data.select(train), data.select(test)};
}

/// All rows of one group for testing, the others for training.
template <class T>
train_test<T> leave_group_out(const dataset<T>& data, std::int32_t group) {
  return split_by_groups(data, std::span(&group, 1));
}

namespace detail {

/// round(fraction * count), but at least 1 and at most count - 1.
inline std::size_t test_share(std::string_view who, double fraction, std::size_t count, std::string_view of) {
  require(fraction > 0 && fraction < 1, fault::argument, who, ": fraction is ", fraction,
          ", must be in (0, 1)");
  require(count >= 2, fault::argument, who, ": ", count, ' ', of, ", needs at least 2");
  return std::clamp(static_cast<std::size_t>(std::llround(fraction * static_cast<double>(count))),
                    std::size_t{1}, count - 1);
}

} // namespace detail

/// Draws `fraction` of the groups (rounded, at least one on either side) for testing.
/// Cost  one permutation of the groups
template <class T, RandomSource Source>
train_test<T> split_groups(const dataset<T>& data, double fraction, Source&& source) {
  auto groups = groups_of(data);
  const std::size_t count = detail::test_share("split_groups", fraction, groups.size(), "groups");
  shuffle(source, std::span(groups));
  return split_by_groups(data, std::span<const std::int32_t>(groups).first(count));
}

/// Draws `fraction` of the rows for testing and does not look at groups: the same person may be on
/// both sides. Right only when rows are independent; otherwise `split_groups`.
template <class T, RandomSource Source>
train_test<T> split_rows_ignoring_groups(const dataset<T>& data, double fraction, Source&& source) {
  const std::size_t count = detail::test_share("split_rows_ignoring_groups", fraction, data.rows(), "rows");
  std::vector<std::uint32_t> order(data.rows());
  permutation(source, std::span(order));
  const auto test = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(order.begin(), test); // both sides keep the order of the file
  std::sort(test, order.end());
  return {data.select(std::span(test, order.end())), data.select(std::span(order.begin(), test))};
}

} // namespace privet
