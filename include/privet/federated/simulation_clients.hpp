#pragma once
// Clients of a simulation, made on demand from the rows of one data set.

#include <privet/core/error.hpp>
#include <privet/data/partition.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

namespace privet {

/// Who holds which rows of one data set. Both functions are asked for a client when it is drawn, by several threads at
/// once, and have to answer the same each time. Clients count from 1, as in messages.
///
/// Test      tests/federated/simulation.test.cpp
struct virtual_clients {
  std::size_t count = 0;
  std::function<std::size_t(std::uint32_t client)> rows; ///< how many: 1 to 2^32 - 1
  std::function<void(std::uint32_t client, std::span<std::uint32_t> out)>
      fill; ///< which; two may hold the same

  /// The parts of a partition, in order. Kept as one list: 4 bytes for each row and 8 for each client.
  static virtual_clients of(const partition& parts) {
    struct lists {
      std::vector<std::size_t> ends;
      std::vector<std::uint32_t> rows;
      std::span<const std::uint32_t> operator[](std::uint32_t client) const {
        const std::size_t from = client == 1 ? 0 : ends[client - 2];
        return std::span(rows).subspan(from, ends[client - 1] - from);
      }
    };
    auto all = std::make_shared<lists>();
    std::size_t size = 0;
    for (const auto& part : parts) all->ends.push_back(size += part.size());
    all->rows.reserve(size);
    for (const auto& part : parts) all->rows.insert(all->rows.end(), part.begin(), part.end());
    return {parts.size(), [all](std::uint32_t client) { return (*all)[client].size(); },
            [all](std::uint32_t client, std::span<std::uint32_t> out) {
              std::ranges::copy((*all)[client], out.begin());
            }};
  }

  /// Each client holds so many rows, drawn from all of a data set with replacement, by the seed and its number.
  /// Kept as nothing at all. Throws N001 for a data set of no rows or of 2^32 and more.
  static virtual_clients drawn(std::size_t count, std::size_t rows_each, std::size_t rows_of_data,
                               std::uint64_t seed = 0) {
    require(rows_of_data > 0 && rows_of_data <= std::numeric_limits<std::uint32_t>::max(), fault::argument,
            "virtual_clients: a data set of ", rows_of_data, " rows, expected 1 to 2^32 - 1");
    return {count, [rows_each](std::uint32_t) { return rows_each; },
            [rows_of_data, seed](std::uint32_t client, std::span<std::uint32_t> out) {
              replayable_random source(seed, stream_id(purpose::partitioning, 0, client));
              for (auto& row : out) row = static_cast<std::uint32_t>(uniform_below(source, rows_of_data));
            }};
  }
};

} // namespace privet
