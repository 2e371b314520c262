#include "support/catch.hpp"
#include "support/paillier.hpp"
#include "support/refused.hpp"

#include <privet/crypto/share_file.hpp>
#include <privet/random/system.hpp>

using namespace privet;
using test::refused;
using test::paillier::small;

namespace {

dealt_paillier_key deal(const quorum& of) {
  static const auto fresh = [] { return paillier_secret_key::generate(256, thread_system_random(), small); };
  return paillier_dealer::deal(fresh(), of, thread_system_random());
}

} // namespace

TEST_CASE("shares survive their bytes") {
  for (const quorum of : {quorum{2, 2}, quorum{4, 4}, quorum{2, 3}, quorum{3, 5}}) {
    const auto dealt = deal(of);
    REQUIRE(dealt.shares.size() == of.parties);
    for (const auto& share : dealt.shares) {
      const auto bytes = write_key(share);
      const auto read = read_key_share(bytes, "share", small).value();
      CHECK(read.index() == share.index());
      CHECK(read.of() == of);
      CHECK(read.public_key() == dealt.public_key);
      CHECK(read.public_key().blum());
      CHECK(std::ranges::equal(read.words(), share.words()));
      CHECK(write_key(read) == bytes);
    }
  }
}

TEST_CASE("no cut, longer, foreign or impossible share is taken") {
  const auto dealt = deal({2, 3});
  const auto bytes = write_key(dealt.shares[1]);
  const auto read = [&](const wiped_bytes& b) { return read_key_share(b, "share", small); };
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = read_key_share(std::span(bytes).first(size), "share", small);
    refused(cut);
  }
  auto other = bytes;
  other.push_back({});
  refused(read(other));

  const auto with = [&](std::size_t at, std::uint32_t number) {
    auto changed = bytes;
    store_little(number, changed.data() + at);
    return read(changed);
  };
  REQUIRE(with(56, 3).has_value()); // the number of another party: nothing in a share speaks against it
  for (const std::uint32_t index : {0u, 4u, ~0u}) refused(with(56, index));
  for (const std::uint32_t threshold : {0u, 1u, 3u, 4u}) refused(with(60, threshold));
  for (const std::uint32_t parties : {0u, 1u, 2u, 65u, ~0u}) refused(with(64, parties));
  for (const std::uint32_t words : {0u, 1u, 0x2000'0000u, ~0u}) refused(with(68, words));
  refused(with(52, 2));
  CHECK_THAT(refused(with(12, 2)), Catch::Contains("is a secret key, expected a share of a key"));
  refused(with(72, 12345)); // the modulus

  CHECK_THAT(refused(read_secret_key(bytes, "k", small)), Catch::Contains("is a share of a key"));
  CHECK_THAT(refused(read_key_share(write_key(dealt.public_key), "k", small)),
             Catch::Contains("is a public key"));
}
