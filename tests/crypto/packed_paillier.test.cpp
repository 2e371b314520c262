#include "support/catch.hpp"
#include "support/numbers.hpp"
#include "support/paillier.hpp"

#include <privet/core/fixed_point.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/random/system.hpp>

#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

constexpr std::size_t bits = 1024, count = 100;

/// Four clients, their encrypted updates, and the same sum without encryption.
struct encrypted_round {
  packing how{.key_bits = bits, .slot_bits = 32, .clients = 4, .range = 8, .fraction_bits = 24};
  paillier_secret_key secret = test::paillier::secret_key(bits);
  paillier_encryptor<encryption::key_holder> encryptor{secret, thread_system_random()};
  cohort_key key{cohort_secret::draw(thread_system_random()), secret.public_key().fingerprint(), "run"};
  std::vector<std::uint32_t> cohort{1, 2, 3, 4};
  std::vector<ciphertexts<>> updates;
  fixed_sum plain{count, {.fraction_bits = 24, .whole_bits = 3}};

  encrypted_round() {
    const std::uint64_t rows[] = {347, 302, 364, 408};
    for (const auto client : cohort) {
      const example_weight weight{rows[client - 1], 1421};
      const auto x = test::normals<float>(count, client);
      std::vector<float> sent;
      for (const float v : x) sent.push_back(static_cast<float>(weight.value() * static_cast<double>(v)));
      REQUIRE(plain.add(std::span<const float>(sent)));
      std::vector<std::uint64_t> words(how.plaintexts(count) * how.words());
      REQUIRE(pack(how, {key, 5, client}, weight, x, words).value() == 0);
      updates.push_back(encryptor.encrypt(words, thread_system_random()));
    }
  }
  status open(const ciphertexts<>& sum, std::span<std::int64_t> sums) const {
    const auto words = paillier_decryptor(secret).decrypt(sum);
    return unpack_sum(how, key, 5, cohort, words, sums);
  }
};

} // namespace

TEST_CASE("packed paillier: the opened sum is the fixed-point sum, to the bit") {
  const encrypted_round r;
  const auto& with = r.encryptor.evaluator();
  auto sum = r.updates[2]; // in any order
  for (const std::size_t c : {0u, 3u, 1u}) with.add_to(sum, r.updates[c]);
  std::vector<std::int64_t> sums(count);
  REQUIRE(r.open(sum, sums));
  std::vector<double> opened(count);
  from_fixed_update(r.how, std::span<const std::int64_t>(sums), std::span(opened));
  for (std::size_t i = 0; i < count; ++i) REQUIRE(opened[i] == r.plain[i]);
}

TEST_CASE("packed paillier: what a server composes otherwise is refused once it is opened") {
  const encrypted_round r;
  const auto& with = r.encryptor.evaluator();
  std::vector<std::int64_t> sums(count);
  const auto sum_of = [&](std::initializer_list<std::size_t> clients) {
    auto sum = r.updates[*clients.begin()];
    for (const auto c : std::span(clients).subspan(1)) with.add_to(sum, r.updates[c]);
    return sum;
  };
  REQUIRE(r.open(sum_of({0, 1, 2, 3}), sums));
  const auto refused = [&](const ciphertexts<>& sum) {
    const auto done = r.open(sum, sums);
    REQUIRE_FALSE(done);
    CHECK_THAT(done.error().message,
               Contains("ciphertext 0 of 4 does not hold the canaries of 4 clients in round 5"));
    CHECK(std::ranges::all_of(sums, [](auto n) { return n == 0; }));
  };
  refused(r.updates[1]);            // a single client
  refused(sum_of({0, 1, 2}));       // one left out
  refused(sum_of({0, 1, 2, 3, 1})); // one twice
  refused(sum_of({1, 1, 1, 1}));    // one for all
  refused(with.scale(r.updates[1], 4u));

  const auto zeros = std::vector<std::uint64_t>(r.how.plaintexts(count) * r.how.words());
  auto own = r.encryptor.encrypt(zeros, thread_system_random()); // and encryptions of its own
  with.add_to(own, r.updates[1]);
  refused(own);
}
