#include "fixtures/packing.hpp"
#include "support/catch.hpp"

#include <privet/crypto/cohort_key.hpp>
#include <privet/random/system.hpp>

#include <concepts>
#include <set>
#include <vector>

using namespace privet;

static_assert(!std::copyable<cohort_secret> && std::movable<cohort_secret>);
static_assert(!std::copyable<cohort_key> && std::movable<cohort_key>);

namespace {

cohort_secret counting_secret() {
  std::array<std::byte, 32> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return cohort_secret(bytes);
}
std::vector<std::uint64_t> canaries(const cohort_key& key, std::uint32_t round, std::uint32_t client,
                                    std::size_t count) {
  std::vector<std::uint64_t> out(count);
  key.canaries(round, client, out);
  return out;
}

} // namespace

TEST_CASE("cohort key: canaries are the key stream that HKDF and ChaCha20 of another library make") {
  const cohort_key key(counting_secret(), sha256("a public key"), "run 1");
  const auto made = canaries(key, 7, 2, std::size(test::packing::canaries) / 2);
  for (std::size_t i = 0; i < made.size(); ++i)
    CHECK(made[i] ==
          (test::packing::canaries[2 * i] | std::uint64_t{test::packing::canaries[2 * i + 1]} << 32));
}

TEST_CASE("cohort key: one number of the input changed, other canaries") {
  const auto secret = counting_secret();
  const digest fingerprint = sha256("a public key");
  const cohort_key key(secret, fingerprint, "run 1");
  std::set<std::vector<std::uint64_t>> seen;
  for (std::uint32_t round = 0; round < 20; ++round)
    for (std::uint32_t client = 1; client < 20; ++client) seen.insert(canaries(key, round, client, 3));
  CHECK(seen.size() == 20 * 19);
  const auto own = canaries(key, 3, 4, 3);
  CHECK(own != canaries(cohort_key(secret, fingerprint, "run 2"), 3, 4, 3));
  CHECK(own != canaries(cohort_key(secret, sha256("another"), "run 1"), 3, 4, 3));
  system_random source;
  CHECK(own != canaries(cohort_key(cohort_secret::draw(source), fingerprint, "run 1"), 3, 4, 3));
  CHECK(own == canaries(cohort_key(secret, fingerprint, "run 1"), 3, 4, 3));
}

TEST_CASE("cohort key: a canary does not depend on how many are asked for, nor on the architecture") {
  const cohort_key key(counting_secret(), {}, "");
  const auto all = canaries(key, 1, 1, 2000);
  CHECK(std::set(all.begin(), all.end()).size() == all.size());
  for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 511u, 512u, 513u, 1024u, 1999u}) {
    const auto some = canaries(key, 1, 1, n);
    CHECK(std::ranges::equal(some, std::span(all).first(n)));
    std::vector<std::uint64_t> scalar(n);
    key.canaries<simd::scalar>(1, 1, scalar);
    CHECK(scalar == some);
  }
}

TEST_CASE("cohort key: tags, boxes and canaries have keys of their own") {
  const cohort_key key(counting_secret(), {}, ""), other(counting_secret(), {}, "x");
  const auto bytes = bytes_of("header");
  CHECK(key.tag(bytes) == key.tag(bytes));
  CHECK(key.tag(bytes) != other.tag(bytes));
  CHECK(key.tag(bytes) != key.tag(bytes.first(5)));
  CHECK(key.tag(bytes) != hmac_sha256(counting_secret().bytes(), bytes));
  CHECK(key.tag(bytes) != hmac_sha256(key.box_key(), bytes));

  const cohort_key of_python(counting_secret(), sha256("a public key"), "run 1");
  for (std::size_t i = 0; i < std::size(test::packing::box_key); ++i)
    CHECK(load_little<std::uint32_t>(of_python.box_key().data() + 4 * i) == test::packing::box_key[i]);
}

TEST_CASE("cohort key: a secret is drawn, goes to rest and comes back") {
  system_random source;
  const auto one = cohort_secret::draw(source), other = cohort_secret::draw(source);
  CHECK_FALSE(std::ranges::equal(one.bytes(), other.bytes()));
  const cohort_secret again(one.bytes());
  CHECK(canaries(cohort_key(one, {}, ""), 1, 1, 3) == canaries(cohort_key(again, {}, ""), 1, 1, 3));
}

TEST_CASE("cohort key: what was moved from, or has gone, is wiped") {
  const auto all_zero = [](std::span<const std::byte> bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
  };
  auto secret = counting_secret();
  const auto moved = std::move(secret);
  CHECK(all_zero(secret.bytes()));
  CHECK_FALSE(all_zero(moved.bytes()));

  alignas(cohort_key) std::array<std::byte, sizeof(cohort_key)> room{};
  wipe(std::span(room));                                   // the padding, too, for good
  auto* key = new (room.data()) cohort_key(moved, {}, ""); // a fingerprint of zeros, so that all else is keys
  CHECK_FALSE(all_zero(room));
  key->~cohort_key();
  CHECK(all_zero(room));
}
