#pragma once
// What a client sends back after training, and what the server may learn from it.

#include <cstdint>
#include <vector>

namespace privet {

/// One client's contribution to one round.
struct client_update {
  std::uint32_t sender = 0;
  std::uint64_t schema_hash = 0; ///< of the client's scaled schema
  std::uint64_t examples = 0;    ///< rows it trained on
  std::uint64_t steps = 0;       ///< optimiser steps it took
  double weight = 0;             ///< examples / examples of all clients of this round
  double loss = 0;               ///< mean over its rows
  std::vector<float> shared;     ///< weight * (weights received - weights after training), shared group
};

/// One client's share of a sum that the clients make private together.
struct client_share {
  std::uint32_t sender = 0;
  std::uint64_t schema_hash = 0;    ///< of the client's scaled schema
  std::uint64_t examples = 0;       ///< rows that its batch was drawn from
  std::uint64_t steps = 0;          ///< batches in the sum
  std::vector<std::int64_t> shared; ///< steps of the common grid, shared group
  double grid = 0;                  ///< that step
  std::uint64_t holders = 0;        ///< shares of noise that its office counts on
};

} // namespace privet
