#pragma once
// Which rows belong to which person or site.

#include <privet/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace privet {

/// The rows of every group, groups in order of their numbers, rows in order of the data.
///
/// Errors    N001 for data that names no groups, and for 2^32 rows or more
/// Test      tests/data/rows_by_group.test.cpp
class rows_by_group {
 public:
  explicit rows_by_group(std::span<const std::int32_t> groups) : rows_(groups.size()) {
    require(!groups.empty(), fault::argument, "rows by group: the data names no persons or sites");
    require(groups.size() <= std::numeric_limits<std::uint32_t>::max(), fault::argument,
            "rows by group: ", groups.size(), " rows, must be at most 2^32 - 1");
    std::iota(rows_.begin(), rows_.end(), std::uint32_t{0});
    std::ranges::stable_sort(rows_, {}, [&](std::uint32_t r) { return groups[r]; });
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (i == 0 || groups[rows_[i]] != numbers_.back()) {
        numbers_.push_back(groups[rows_[i]]);
        first_.push_back(i);
      }
    first_.push_back(rows_.size());
  }

  /// How many groups there are.
  std::size_t size() const noexcept { return numbers_.size(); }
  std::int32_t number(std::size_t i) const noexcept { return numbers_[i]; }
  std::span<const std::uint32_t> operator[](std::size_t i) const noexcept {
    return std::span(rows_).subspan(first_[i], first_[i + 1] - first_[i]);
  }
  std::size_t rows() const noexcept { return rows_.size(); }
  /// The most rows that one group has.
  std::size_t longest() const noexcept {
    std::size_t most = 0;
    for (std::size_t i = 0; i < size(); ++i) most = std::max(most, (*this)[i].size());
    return most;
  }

 private:
  std::vector<std::uint32_t> rows_;
  std::vector<std::int32_t> numbers_;
  std::vector<std::size_t> first_;
};

} // namespace privet
