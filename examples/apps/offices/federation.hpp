#pragma once
// The federated part of a run, in clear or encrypted.

#include "training.hpp"

#include <filesystem>
#include <functional>

namespace apps {

/// Trains in a federation from where `run` stands.
void train_federated(const settings& s, const study& data, std::size_t threads, federated_run& run,
                     const std::filesystem::path& ledgers, const std::filesystem::path& wire_folder,
                     const std::function<void(const privet::network&)>& after_round);

} // namespace apps
