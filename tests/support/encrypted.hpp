#pragma once
// Offices that encrypt, in one process, with keys that are quick to make.

#include "support/federation.hpp"

#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/key_authority.hpp>
#include <privet/random/system.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace privet::test {

inline const unsafe::small_keys small{"a test that has to be quick"};

inline const paillier_secret_key& small_key() {
  static const auto key = paillier_secret_key::generate(512, system_random{}, small);
  return key;
}
inline auto dealt_whole() {
  system_random source;
  return deal_whole_key(small_key(), 4, source);
}
inline auto dealt_shares(std::size_t threshold = 4) {
  system_random source;
  auto key = paillier_secret_key::generate(512, source, small);
  return deal_shares(paillier_dealer::deal(std::move(key), {threshold, 4}, source), source);
}

/// The offices of `four_data_sets`, in clear.
inline std::vector<std::unique_ptr<participant>> four_in_clear() {
  std::vector<std::unique_ptr<participant>> all;
  for (auto& rows : four_data_sets())
    all.push_back(honest(static_cast<std::uint32_t>(all.size() + 1), std::move(rows), 3));
  return all;
}

template <class Opener, class A = federated_average<curious>>
struct encrypted_federation {
  using member = encrypted_office<Opener, A>;

  explicit encrypted_federation(dealt_keys<Opener> keys, encrypted_server_options options = {.seed = 3},
                                std::vector<std::unique_ptr<participant>> in_clear = four_in_clear(),
                                bool standardise = true, const A& aggregator = {})
      : key(keys.server.key), server(aggregator, std::move(keys.server), options) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      offices.push_back(std::make_unique<member>(i + 1, std::move(in_clear[i]), std::move(keys.offices[i]),
                                                 encrypted_terms{.standardise = standardise}, aggregator));
      links.push_back(std::make_unique<in_process_link>(*offices.back()));
      ends.push_back(links.back().get());
    }
  }
  void run(std::size_t count) { server.run(ends, network(model_of_tests), rounds{count}); }
  std::vector<float> weights(std::size_t office) const {
    const auto w = offices[office]->weights();
    return {w.begin(), w.end()};
  }

  paillier_public_key key;
  std::vector<std::unique_ptr<member>> offices;
  std::vector<std::unique_ptr<in_process_link>> links;
  std::vector<transport*> ends;
  encrypted_server<A> server;
};

} // namespace privet::test
