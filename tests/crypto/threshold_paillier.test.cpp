#include "support/catch.hpp"
#include "support/paillier.hpp"

#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/random/system.hpp>

#include <concepts>
#include <type_traits>
#include <vector>

using namespace privet;
using test::paillier::secret_key;
using test::paillier::small;

using words = std::vector<std::uint64_t>;
using parts_of = std::vector<partial_decryptions<>>;

static_assert(!std::copyable<paillier_key_share> && std::movable<paillier_key_share>);
static_assert(!std::convertible_to<paillier_key_share, paillier_secret_key> &&
              !std::convertible_to<paillier_secret_key, paillier_key_share>);
static_assert(!std::copyable<partial_decryptor<>>);

namespace {

system_random& source() { return thread_system_random(); }

words random_plain(const paillier_public_key& key, std::size_t count) {
  words out(count * key.n().size());
  for (std::size_t i = 0; i < count; ++i)
    draw_below(source(), key.n(), std::span(out).subspan(i * key.n().size(), key.n().size()));
  return out;
}

/// Every party's part.
parts_of all_parts(const dealt_paillier_key& dealt, const ciphertexts<>& c) {
  parts_of parts;
  for (const auto& share : dealt.shares) parts.push_back(partial_decryptor<>(share).decrypt(c));
  return parts;
}
std::vector<const partial_decryptions<>*> chosen(const parts_of& parts,
                                                 std::initializer_list<std::size_t> which) {
  std::vector<const partial_decryptions<>*> out;
  for (const std::size_t i : which) out.push_back(&parts[i]);
  return out;
}
words opened(const partial_combiner<>& with, const parts_of& parts,
             std::initializer_list<std::size_t> which) {
  const auto plain = with.combine(chosen(parts, which)).value();
  return {plain.begin(), plain.end()};
}
std::string refusal(const partial_combiner<>& with, const parts_of& parts,
                    std::initializer_list<std::size_t> which) {
  const auto plain = with.combine(chosen(parts, which));
  return plain ? "opened" : plain.error().message;
}

bigint value(std::span<const std::uint64_t> w) { return from_words(w); }

/// Exponents that open: 0 modulo lambda, 1 modulo n.
void check_exponent(const bigint& d, const bigint& scale, const paillier_secret_key& key) {
  const bigint p = value(key.p()), q = value(key.q()), lambda = (p - 1) * (q - 1) / 2;
  CHECK(d % lambda == 0);
  CHECK((d - scale) % (p * q) == 0);
}

} // namespace

TEST_CASE("shares of all parties add up to the exponent") {
  for (const std::size_t parties : {2u, 3u, 7u}) {
    const auto dealt = paillier_dealer::deal(secret_key(1024), quorum::all_of(parties), source());
    const auto key = secret_key(1024);
    CHECK(dealt.public_key == key.public_key());
    CHECK(dealt.public_key.blum());
    REQUIRE(dealt.shares.size() == parties);
    const bigint n = value(key.public_key().n()), order = n * (value(key.p()) - 1) * (value(key.q()) - 1) / 2;
    bigint sum;
    for (std::size_t i = 0; i < parties; ++i) {
      CHECK(dealt.shares[i].index() == i + 1);
      CHECK(value(dealt.shares[i].words()) < order);
      sum += value(dealt.shares[i].words());
    }
    check_exponent(sum % order, 1, key);
    CHECK_FALSE(sum - value(dealt.shares[0].words()) == 0);
  }
}

TEST_CASE("shares of a quorum are points of a polynomial of its degree, masked to the full length") {
  const auto key = secret_key(1024);
  const quorum of{.threshold = 3, .parties = 5};
  const auto dealt = paillier_dealer::deal(secret_key(1024), of, source());
  std::vector<bigint> f;
  for (const auto& share : dealt.shares) f.push_back(value(share.words()));
  // Third differences of a square polynomial are zero; its value at 0 by the same differences.
  CHECK(f[3] - 3 * f[2] + 3 * f[1] - f[0] == 0);
  CHECK(f[4] - 3 * f[3] + 3 * f[2] - f[1] == 0);
  const bigint at_zero = 3 * f[0] - 3 * f[1] + f[2];
  CHECK(at_zero % 120 == 0);
  check_exponent(at_zero / 120, 1, key);
  CHECK(at_zero / 120 < value(key.public_key().n()) * value(key.public_key().n()));
  // The leading coefficient is random of 128 bits more than 5! d.
  const bigint leading = (f[2] - 2 * f[1] + f[0]) / 2;
  CHECK(bit_length(leading) > 2 * 1024 + 128 + 7 - 40);
  CHECK(bit_length(leading) <= detail::coefficient_bits(1024, of));
  for (const auto& share : dealt.shares) CHECK(bit_length(share.words()) <= share.bits());

  const auto again = paillier_dealer::deal(secret_key(1024), of, source());
  CHECK_FALSE(equal(again.shares[0].words(), dealt.shares[0].words()));
}

TEST_CASE("all parties together open what is encrypted, and sums of it") {
  for (const std::size_t bits : {128u, 1024u}) {
    const auto dealt = paillier_dealer::deal(secret_key(bits), quorum::all_of(4), source());
    const paillier_encryptor<> encrypts(dealt.public_key, source());
    const partial_combiner<> combines(dealt.public_key, quorum::all_of(4));
    for (const std::size_t count : {1u, 8u, 11u}) {
      const auto m = random_plain(dealt.public_key, count), zero = words(m.size());
      const auto c = encrypts.encrypt(m, source());
      const auto sum = encrypts.evaluator().add(c, encrypts.encrypt(zero, source()));
      const auto parts = all_parts(dealt, sum);
      CHECK(opened(combines, parts, {0, 1, 2, 3}) == m);
      CHECK(opened(combines, parts, {2, 0, 3, 1}) == m);
      CHECK_THAT(refusal(combines, parts, {0, 1, 2}), Catch::Contains("of 3 parties, needed 4"));
      CHECK_THAT(refusal(combines, parts, {0, 1, 2, 2}), Catch::Contains("two of party 3"));
    }
  }
}

TEST_CASE("every quorum opens, and no smaller one") {
  const auto n_minus_one = [](const paillier_public_key& key) {
    words m(key.n().begin(), key.n().end());
    --m[0];
    return m;
  };
  for (const std::size_t bits : {128u, 1024u}) {
    const quorum of{.threshold = 3, .parties = 5};
    const auto dealt = paillier_dealer::deal(secret_key(bits), of, source());
    const paillier_encryptor<> encrypts(dealt.public_key, source());
    const partial_combiner<> combines(dealt.public_key, of);
    auto m = random_plain(dealt.public_key, 3);
    std::ranges::copy(n_minus_one(dealt.public_key), m.begin());
    const auto parts = all_parts(dealt, encrypts.encrypt(m, source()));
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 5; ++j)
        for (std::size_t k = 0; k < 5; ++k)
          if (i != j && j != k && i != k) {
            REQUIRE(opened(combines, parts, {i, j, k}) == m);
          }
    CHECK(opened(combines, parts, {4, 2, 0, 1}) == m); // more than needed
    CHECK_THAT(refusal(combines, parts, {1, 4}),
               Catch::Contains("[N009 message]") && Catch::Contains("needed 3"));
    CHECK_THAT(refusal(combines, parts, {1, 4, 1}), Catch::Contains("two of party 2"));
    CHECK(refusal(combines, {}, {}).find("of 0 parties") != std::string::npos);
    // Two parties who pretend to be a quorum of two get nothing.
    const partial_combiner<> pretends(dealt.public_key, {.threshold = 2, .parties = 5});
    CHECK_THAT(refusal(pretends, parts, {1, 4}), Catch::Contains("do not fit together"));
  }
}

TEST_CASE("quorums of other sizes open") {
  for (const quorum of : {quorum{2, 3}, quorum{2, 12}, quorum{9, 10}, quorum{20, 33}, quorum{2, 64}}) {
    const auto dealt = paillier_dealer::deal(secret_key(of.parties > 3 ? 128 : 1024), of, source());
    const paillier_encryptor<> encrypts(dealt.public_key, source());
    const auto m = random_plain(dealt.public_key, 2);
    const auto parts = all_parts(dealt, encrypts.encrypt(m, source()));
    const partial_combiner<> combines(dealt.public_key, of);
    std::vector<const partial_decryptions<>*> last;
    for (std::size_t i = of.parties - of.threshold; i < of.parties; ++i) last.push_back(&parts[i]);
    const auto plain = combines.combine(last).value();
    CHECK(words(plain.begin(), plain.end()) == m);
  }
}

TEST_CASE("parts that do not belong together are refused") {
  const quorum of{.threshold = 2, .parties = 3};
  for (const bool all : {true, false}) {
    const auto deal = [&] {
      return paillier_dealer::deal(secret_key(1024), all ? quorum::all_of(2) : of, source());
    };
    const auto dealt = deal(), other_deal = deal();
    const paillier_encryptor<> encrypts(dealt.public_key, source());
    const partial_combiner<> combines(dealt.public_key, dealt.shares[0].of());
    const auto m = random_plain(dealt.public_key, 9);
    const auto c = encrypts.encrypt(m, source()), d = encrypts.encrypt(m, source());
    auto parts = all_parts(dealt, c);
    REQUIRE(opened(combines, parts, {0, 1}) == m);

    auto mixed = all_parts(dealt, d); // another ciphertext of the same numbers
    const partial_decryptions<>* of_two[] = {&parts[0], &mixed[1]};
    CHECK_THAT(combines.combine(of_two).error().message, Catch::Contains("do not fit together"));
    auto strange = all_parts(other_deal, c);
    const partial_decryptions<>* of_deals[] = {&parts[0], &strange[1]};
    CHECK_THAT(combines.combine(of_deals).error().message, Catch::Contains("do not fit together"));

    // One number changed on the way.
    auto sent = combines.write(parts[1]);
    CHECK(combines.read(2, sent).has_value());
    sent[32 * 8] ^= 1;
    const auto changed = combines.read(2, sent).value();
    const partial_decryptions<>* of_changed[] = {&parts[0], &changed};
    CHECK_THAT(combines.combine(of_changed).error().message, Catch::Contains("do not fit together"));

    const auto fewer = combines.read(2, std::span(sent).first(32)).value();
    const partial_decryptions<>* of_fewer[] = {&parts[0], &fewer};
    CHECK_THAT(combines.combine(of_fewer).error().message,
               Catch::Contains("party 2 has 1 numbers, party 1 has 9"));

    CHECK(combines.read(0, sent).error().kind == fault::message);
    CHECK(combines.read(4, sent).error().kind == fault::message);
    CHECK_THAT(combines.read(1, words(32)).error().message,
               Catch::Contains("[N004 format]") && Catch::Contains("(party 1)"));
    CHECK(combines.read(1, words(31, 1)).error().kind == fault::format);

    const auto other_key = paillier_secret_key::generate(1024, source(), small);
    const partial_combiner<> elsewhere(other_key.public_key(), dealt.shares[0].of());
    CHECK_THROWS_WITH(elsewhere.combine(chosen(parts, {0, 1})), Catch::Contains("[N001 argument]"));
    const paillier_encryptor<> theirs(other_key.public_key(), source());
    CHECK_THROWS_WITH(partial_decryptor<>(dealt.shares[0]).decrypt(theirs.encrypt(words(16), source())),
                      Catch::Contains("[N001 argument]"));
  }
}

TEST_CASE("shares are read back from their words, and nothing else is") {
  for (const quorum of : {quorum::all_of(3), quorum{2, 3}}) {
    const auto dealt = paillier_dealer::deal(secret_key(1024), of, source());
    const auto& share = dealt.shares[1];
    const auto back = paillier_key_share::from_words(dealt.public_key, of, 2, share.words()).value();
    CHECK(equal(back.words(), share.words()));
    const auto refused = [&](const quorum& q, std::size_t index, std::span<const std::uint64_t> w) {
      const auto read = paillier_key_share::from_words(dealt.public_key, q, index, w);
      return !read && read.error().kind == fault::format;
    };
    CHECK(refused(of, 0, share.words()));
    CHECK(refused(of, 4, share.words()));
    CHECK(refused(of, 2, share.words().first(5)));
    CHECK(refused({1, 3}, 2, share.words()));
    CHECK(refused({4, 3}, 2, share.words()));
    CHECK(refused({2, 65}, 2, share.words()));
    if (share.bits() % 64 != 0) {
      words large(share.words().begin(), share.words().end());
      large.back() = ~std::uint64_t{0};
      CHECK(refused(of, 2, large));
    }
  }
}

TEST_CASE("impossible quorums and keys of other primes are refused") {
  for (const quorum of : {quorum{1, 3}, quorum{0, 0}, quorum{4, 3}, quorum{2, 65}, quorum::all_of(1)}) {
    CHECK_THROWS_WITH(paillier_dealer::deal(secret_key(128), of, source()),
                      Catch::Contains("[N001 argument] quorum"));
    CHECK_THROWS_WITH(partial_combiner<>(secret_key(128).public_key(), of),
                      Catch::Contains("[N001 argument] quorum"));
  }
  bigint p = value(test::paillier::of_bits(1024).p);
  do p += 2;
  while (p % 4 != 1 || !is_prime(p, source()));
  const bigint q = value(test::paillier::of_bits(1024).q);
  CHECK_THROWS_WITH(
      paillier_dealer::deal(
          paillier_secret_key::from_primes(secret_bigint(p), secret_bigint(q), bigint(p * q), small).value(),
          quorum::all_of(2), source()),
      Catch::Contains("not Blum"));
}

TEST_CASE("a key of ordinary size in four hands", "[slow]") {
  const auto keys = threshold_paillier<3072>::deal(4, system_random{});
  CHECK(keys.public_key.bits() == 3072);
  const paillier_encryptor<> encrypts(keys.public_key, source());
  const auto m = random_plain(keys.public_key, 3);
  const auto parts = all_parts(keys, encrypts.encrypt(m, source()));
  CHECK(opened(partial_combiner<>(keys.public_key, quorum::all_of(4)), parts, {0, 1, 2, 3}) == m);
}
