#pragma once
// Distributed selective stochastic gradient descent, as presets.

#include <privet/federated/asynchronous_server.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/partial_office.hpp>
#include <privet/federated/random_above.hpp>
#include <privet/federated/top_k.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace privet {

/// Participants train on their own rows and share some of what they learn with a parameter server: theta_u of their
/// changes, added to its weights as they come; and read theta_d of the weights, those most often changed.
///
///   const selective_sgd how{.upload = 0.1, .download = {.fraction = 0.5}};
///   const auto all = selective_offices(model, data, how.largest(local_sgd{.learning_rate = 0.1}.recipe()), seed);
///   asynchronous_server server{decoded_uploads{}, how.server(seed)};
///   server.run(all, in_process{}, rounds{epochs * all.size()}); // a round is one participant's turn
///
/// Formula   w -= change, at the places that are sent; a participant's own weights keep all of its change
/// Privacy   none: what is large tells of rows. `released_uploads` with `noisy_selection`, the paper's own, or with
///           `noisy_random_k` in place of `largest`, and the epsilon of the whole run: docs/federated/selective_sgd.md
/// Source    Shokri, Shmatikov, "Privacy-preserving deep learning", CCS 2015, sections 5.1 and 5.2
/// Test      tests/federated/selective_sgd.test.cpp
struct selective_sgd {
  double upload = 0.1; ///< theta_u
  partial_download download{};
  turns order = turns::round_robin;
  std::size_t at_once = 0; ///< participants that train at the same time, if asynchronous; 0: all

  /// A participant that sends its largest changes.
  template <class Recipe>
  auto largest(Recipe local) const {
    return encoded_uploads{std::move(local), chain(top_k{.fraction = upload})};
  }
  /// One that sends a random choice of those above a threshold.
  template <class Recipe>
  auto above(double threshold, Recipe local) const {
    return encoded_uploads{std::move(local), chain(random_above{.fraction = upload, .threshold = threshold})};
  }
  /// The parameter server: each upload is a step.
  asynchronous_options server(std::uint64_t seed = 0) const {
    return {
        .order = order, .at_once = at_once, .buffer = 1, .staleness = 0, .download = download, .seed = seed};
  }
};

/// Its participants: clients that keep weights of their own.
template <class Model, class Recipe>
offices selective_offices(const Model& model, std::vector<dataset<float>> data, const Recipe& recipe,
                          std::uint64_t seed = 0) {
  offices all(model);
  for (auto& rows : data)
    all.add(std::make_unique<partial_office<Recipe>>(static_cast<std::uint32_t>(all.size() + 1),
                                                     std::move(rows), recipe, seed));
  return all;
}

} // namespace privet
