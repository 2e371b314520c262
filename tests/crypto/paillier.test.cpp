#include "support/paillier.hpp"
#include "support/catch.hpp"

#include <privet/crypto/paillier.hpp>
#include <privet/random/system.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <concepts>
#include <type_traits>
#include <vector>

using namespace privet;
using test::paillier::of_bits;
using test::paillier::secret_key;
using test::paillier::small;

using words = std::vector<std::uint64_t>;
using cipher = ciphertexts<>;
using nude = nude_ciphertexts<>;
using evaluator = paillier_evaluator<>;

// What hides nothing cannot be written, nor be taken for what does.
template <class C>
concept Writable = requires(const evaluator& e, const C& c) { e.write(c); };
static_assert(Writable<cipher> && !Writable<nude>);
static_assert(!std::convertible_to<nude, cipher> && !std::constructible_from<cipher, nude>);
static_assert(std::movable<paillier_pool<>> && !std::copyable<paillier_pool<>>);

namespace {

system_random& source() { return thread_system_random(); }

std::vector<std::size_t> sizes() { return {128, 1024, 2048, 3072}; }

/// A number as words of one plain number.
words plain_of(const bigint& m, std::size_t bits) { return to_words(m, bits / 64); }
words as_words(std::span<const std::uint64_t> w) { return {w.begin(), w.end()}; }

words decrypted(const paillier_decryptor<>& with, const cipher& c) {
  const auto plain = with.decrypt(c);
  return {plain.begin(), plain.end()};
}

/// Random plain numbers below n.
words random_plain(const paillier_public_key& key, std::size_t count) {
  words out(count * key.n().size());
  for (std::size_t i = 0; i < count; ++i)
    draw_below(source(), key.n(), std::span(out).subspan(i * key.n().size(), key.n().size()));
  return out;
}

/// a b mod n of plain numbers, one by one.
words plain_sum(const paillier_public_key& key, std::span<const std::uint64_t> a, std::uint64_t wa,
                std::span<const std::uint64_t> b, std::uint64_t wb) {
  const std::size_t each = key.n().size();
  words out;
  for (std::size_t i = 0; i < a.size(); i += each) {
    const bigint sum =
        (from_words(a.subspan(i, each)) * wa + from_words(b.subspan(i, each)) * wb) % from_words(key.n());
    const auto row = to_words(sum, each);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

/// Decryption by the definition, with Boost: L(c^lambda mod n^2) / lambda mod n.
bigint textbook_decryption(const paillier_secret_key& key, std::span<const std::uint64_t> c) {
  const bigint p = from_words(key.p()), q = from_words(key.q()), n = p * q, square = n * n;
  const bigint lambda = (p - 1) * (q - 1);
  const bigint u = power_modulo(from_words(c), lambda, square);
  return (u - 1) / n * inverse_modulo(lambda, n) % n;
}

} // namespace

TEST_CASE("ciphertexts for given obfuscators are those of python-paillier") {
  for (const std::size_t bits : sizes()) {
    const auto v = of_bits(bits);
    const evaluator with(paillier_public_key::from_modulus(v.n, small).value());
    CHECK(with.write(unsafe::raw_encrypt(with, v.plain, v.r, "known answers")) == v.cipher);
    CHECK_THROWS_WITH(unsafe::raw_encrypt(with, v.plain, v.r, ""), Catch::Contains("no reason"));
    CHECK_THROWS_WITH(unsafe::raw_encrypt(with, v.plain, v.n, "too few"), Catch::Contains("[N003 shape]"));
  }
}

TEST_CASE("the ciphertexts, the sum and the messages of ISO/IEC 18033-6 come out") {
  const auto v = test::paillier::of_standard();
  const paillier_decryptor<> opens(test::paillier::secret_key(v));
  const auto& with = opens.evaluator();
  const auto c = unsafe::raw_encrypt(with, v.plain, v.r, "known answers");
  CHECK(with.write(c) == v.cipher);
  const auto sum = with.add(with.read(v.row(v.cipher, 0)).value(), with.read(v.row(v.cipher, 1)).value());
  CHECK(with.write(sum) == as_words(v.sum));
  CHECK(decrypted(opens, c) == v.plain);
  words total(v.words());
  total[0] = 0x69606a6b6c6d6e6f, total[1] = 0x6162636465666768;
  CHECK(decrypted(opens, sum) == total);
}

TEST_CASE("ciphertexts of python-paillier decrypt", "[slow]") {
  for (const std::size_t bits : sizes()) {
    const auto v = of_bits(bits);
    const paillier_decryptor<> opens(secret_key(bits));
    CHECK(decrypted(opens, opens.evaluator().read(v.cipher).value()) == v.plain);
    CHECK(decrypted(opens, opens.evaluator().read(v.djn).value()) == v.plain);
  }
}

TEST_CASE("the base and the powers of Damgard, Jurik and Nielsen are those of the definition") {
  for (const std::size_t bits : sizes()) {
    const auto v = of_bits(bits);
    const evaluator with(paillier_public_key::from_modulus(v.n, small).value());
    const auto base = detail::djn_base(with, v.x);
    words h(with.cipher_words());
    with.ring().leave(base, h);
    CHECK(h == as_words(v.h_s));
    const fixed_base<> powers(with.ring(), base, bits / 2);
    residues<> obfuscators;
    powers.power_each(v.exponents, obfuscators);
    const auto plain = with.nude(v.plain);
    with.ring().multiply(obfuscators, with.own(plain), obfuscators);
    words c(v.djn.size());
    with.ring().leave(obfuscators, c);
    CHECK(c == v.djn);
  }
}

TEST_CASE("sums and products of ciphertexts are those of python-paillier") {
  for (const std::size_t bits : sizes()) {
    const auto v = of_bits(bits);
    const evaluator with(paillier_public_key::from_modulus(v.n, small).value());
    const auto first = with.read(v.row(v.cipher, 0)).value(), second = with.read(v.row(v.cipher, 1)).value();
    CHECK(with.write(with.add(first, second)) == as_words(v.sum));
    CHECK(with.write(with.scale(first, 0xfedcba98)) == as_words(v.scaled));
    CHECK(with.write(with.add_plain(first, v.row(v.plain, 1))) == as_words(v.sum_plus_plain));
    CHECK(with.write(with.add(first, with.nude(v.row(v.plain, 1)))) == as_words(v.sum_plus_plain));
    const cipher* terms[] = {&first, &second};
    const std::uint32_t weights[] = {0xfedcba98, 0}, ones[] = {1, 1};
    CHECK(with.write(with.weighted_sum(terms, weights)) == as_words(v.scaled));
    CHECK(with.write(with.weighted_sum(terms, ones)) == as_words(v.sum));
  }
}

TEMPLATE_TEST_CASE("every policy encrypts what decrypts", "", encryption::naive, encryption::djn,
                   encryption::djn_short_exponent, encryption::key_holder, encryption::certified) {
  for (const std::size_t bits : {128u, 512u, 1024u}) {
    const auto key = bits == 512 ? paillier_secret_key::generate(bits, source(), small) : secret_key(bits);
    const auto& public_key = key.public_key();
    const paillier_decryptor<> opens(key);
    const auto& with = opens.evaluator();
    const auto encryptor = [&] {
      if constexpr (std::same_as<TestType, encryption::key_holder>)
        return paillier_encryptor<TestType>(key, source());
      else
        return paillier_encryptor<TestType>(public_key, source());
    }();
    for (const std::size_t count : {1u, 7u, 8u, 9u, 21u}) {
      const auto m = random_plain(public_key, count);
      const auto c = encryptor.encrypt(m, source()), again = encryptor.encrypt(m, source());
      CHECK(c.size() == count);
      CHECK(decrypted(opens, c) == m);
      CHECK(decrypted(opens, again) == m);
      const auto c_words = with.write(c), again_words = with.write(again);
      for (std::size_t i = 0; i < count; ++i) { // no two ciphertexts alike, in a batch or for one number
        const auto row = std::span(c_words).subspan(i * with.cipher_words(), with.cipher_words());
        CHECK_FALSE(equal(row, std::span(again_words).subspan(i * with.cipher_words(), with.cipher_words())));
        if (bits <= 512)
          CHECK(textbook_decryption(key, row) == from_words(std::span(m).subspan(i * bits / 64, bits / 64)));
      }
      CHECK(with.read(c_words).has_value());
    }
    // The same number many times: other ciphertexts each time.
    const auto zeros = encryptor.encrypt(words(20 * bits / 64), source());
    auto written = with.write(zeros);
    std::vector<bigint> seen;
    for (std::size_t i = 0; i < 20; ++i)
      seen.push_back(from_words(std::span(written).subspan(i * with.cipher_words(), with.cipher_words())));
    std::ranges::sort(seen);
    CHECK(std::ranges::adjacent_find(seen) == seen.end());

    auto other = zeros;
    encryptor.rerandomise(other, source());
    CHECK(with.write(other) != written);
    CHECK(decrypted(opens, other) == words(20 * bits / 64));

    for (const bigint& edge : {bigint(0), bigint(1), bigint(from_words(public_key.n()) - 1)}) {
      const auto m = plain_of(edge, bits);
      CHECK(decrypted(opens, encryptor.encrypt(m, source())) == m);
    }
    CHECK_THROWS_WITH(encryptor.encrypt(public_key.n(), source()), Catch::Contains("not below n"));
    CHECK_THROWS_WITH(encryptor.encrypt(words(bits / 64 + 1), source()), Catch::Contains("[N003 shape]"));
    CHECK(encryptor.encrypt(words{}, source()).size() == 0);
  }
}

TEST_CASE("obfuscators of the key holder are n-th powers of every kind") {
  // On a tiny scale: r^n modulo n^2 for r below n takes as many values as there are r coprime to n.
  const auto key = secret_key(128);
  const auto v = of_bits(128);
  const paillier_encryptor<encryption::key_holder> encryptor(key, source());
  const auto c = encryptor.evaluator().write(encryptor.encrypt(words(16 * 2), source()));
  const bigint p = from_words(v.p), q = from_words(v.q), n = p * q;
  for (std::size_t i = 0; i < 16; ++i)
    CHECK(power_modulo(from_words(std::span(c).subspan(4 * i, 4)), bigint((p - 1) * (q - 1)),
                       bigint(n * n)) == 1);
}

TEST_CASE("fast encryption asks for a certificate") {
  auto key = paillier_public_key::from_modulus(of_bits(1024).n, small).value();
  using fast = paillier_encryptor<encryption::djn>;
  using fastest = paillier_encryptor<encryption::djn_short_exponent>;
  CHECK_THROWS_WITH(fast(key, source()), Catch::Contains("nothing certifies"));
  CHECK_THROWS_WITH(fastest(key, source()), Catch::Contains("nothing certifies"));
  const paillier_decryptor<> opens(secret_key(1024));
  const words m(16, 5);
  CHECK(decrypted(opens, paillier_encryptor<>(key, source()).encrypt(m, source())) == m); // r^n
  key.certify_blum(key.fingerprint());
  CHECK(decrypted(opens, fast(key, source()).encrypt(m, source())) == m);
  CHECK(decrypted(opens, paillier_encryptor<>(key, source()).encrypt(m, source())) == m);
}

TEST_CASE("a key whose primes are not Blum encrypts and decrypts") {
  bigint p = from_words(of_bits(1024).p);
  do p += 2;
  while (p % 4 != 1 || !is_prime(p, source()));
  const bigint q = from_words(of_bits(1024).q);
  const auto key =
      paillier_secret_key::from_primes(secret_bigint(p), secret_bigint(q), bigint(p * q), small).value();
  const paillier_decryptor<> opens(key);
  const auto m = random_plain(key.public_key(), 9);
  CHECK(decrypted(opens, paillier_encryptor<>(key.public_key(), source()).encrypt(m, source())) == m);
  CHECK(decrypted(opens, paillier_encryptor<encryption::key_holder>(key, source()).encrypt(m, source())) ==
        m);
}

TEST_CASE("sums, products and totals decrypt to those of the numbers") {
  const auto key = secret_key(1024);
  const auto& public_key = key.public_key();
  const paillier_decryptor<> opens(key);
  const paillier_encryptor<> encrypts(public_key, source());
  const auto& with = opens.evaluator();
  for (const std::size_t count : {1u, 8u, 11u}) {
    const auto a = random_plain(public_key, count), b = random_plain(public_key, count);
    const auto ca = encrypts.encrypt(a, source()), cb = encrypts.encrypt(b, source());
    CHECK(decrypted(opens, with.add(ca, cb)) == plain_sum(public_key, a, 1, b, 1));
    CHECK(decrypted(opens, with.add_plain(ca, b)) == plain_sum(public_key, a, 1, b, 1));
    CHECK(decrypted(opens, with.scale(ca, 123456789012345u)) ==
          plain_sum(public_key, a, 123456789012345u, b, 0));
    const cipher* terms[] = {&ca, &cb, &ca};
    const std::uint32_t weights[] = {7, 0xffffffff, 3};
    CHECK(decrypted(opens, with.weighted_sum(terms, weights)) == plain_sum(public_key, a, 10, b, 0xffffffff));
    bigint sum;
    for (std::size_t i = 0; i < count; ++i) sum += from_words(std::span(a).subspan(16 * i, 16));
    CHECK(decrypted(opens, with.total(ca)) == plain_of(sum % from_words(public_key.n()), 1024));
    // A factor of many words: n - 1 negates.
    const auto minus_one = to_words(bigint(from_words(public_key.n()) - 1), 16);
    CHECK(decrypted(opens, with.add(with.scale(ca, minus_one), ca)) == words(16 * count));
  }
  const auto one = encrypts.encrypt(words(16, 1), source());
  CHECK_THROWS_WITH(with.scale(one, 0), Catch::Contains("hide nothing"));
  const cipher* terms[] = {&one, &one};
  const std::uint32_t zeros[] = {0, 0};
  CHECK_THROWS_WITH(with.weighted_sum(terms, zeros), Catch::Contains("hide nothing"));
  CHECK_THROWS_WITH(with.weighted_sum({}, {}), Catch::Contains("hide nothing"));
  CHECK_THROWS_WITH(with.total(encrypts.encrypt(words{}, source())), Catch::Contains("sum of none"));
  CHECK_THROWS_WITH(with.add_plain(one, public_key.n()), Catch::Contains("not below n"));
}

TEST_CASE("ciphertexts of another key are refused everywhere") {
  const auto key = secret_key(1024);
  const auto other = paillier_secret_key::generate(1024, source(), small);
  const paillier_encryptor<> encrypts(key.public_key(), source()), strange(other.public_key(), source());
  const auto ours = encrypts.encrypt(words(16, 1), source()),
             theirs = strange.encrypt(words(16, 1), source());
  const auto& with = encrypts.evaluator();
  const paillier_decryptor<> opens(key);
  CHECK_THROWS_WITH(with.add(ours, theirs), Catch::Contains("of the key " + hex(theirs.key())));
  CHECK_THROWS_WITH(with.add(theirs, ours), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(with.scale(theirs, 2), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(with.write(theirs), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(with.total(theirs), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(with.add(ours, strange.evaluator().nude(words(16))), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(opens.decrypt(theirs), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(opens.blinded(theirs, source()), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(encrypts.encrypt(strange.evaluator().nude(words(16)), source()),
                    Catch::Contains("[N001 argument]"));
  auto changed = theirs;
  CHECK_THROWS_WITH(encrypts.rerandomise(changed, source()), Catch::Contains("[N001 argument]"));
  paillier_pool<> pool(with);
  CHECK_THROWS_WITH(pool.prepare(strange, 1, source()), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(with.write(cipher()), Catch::Contains("[N001 argument]")); // of no key
}

TEST_CASE("words that are no ciphertexts are refused") {
  for (const std::size_t bits : {128u, 1024u}) {
    const auto v = of_bits(bits);
    const evaluator with(paillier_public_key::from_modulus(v.n, small).value());
    const std::size_t each = with.cipher_words();
    const bigint n = from_words(v.n), p = from_words(v.p), q = from_words(v.q), square = n * n;
    const auto refusal = [&](const bigint& c) {
      words batch(v.cipher);
      std::ranges::copy(to_words(c, each), batch.begin() + static_cast<std::ptrdiff_t>(3 * each));
      const auto read = with.read(batch);
      return read ? std::string("taken") : read.error().message;
    };
    CHECK(refusal(1) == "taken"); // a ciphertext of 0, though nobody draws it
    CHECK(refusal(square - 1) == "taken");
    CHECK(refusal(0) == "[N004 format] ciphertexts: number 3 has a common factor with n");
    CHECK(refusal(square) == "[N004 format] ciphertexts: number 3 is not below n^2");
    CHECK_THAT(refusal(square + 1), Catch::Contains("not below n^2"));
    CHECK_THAT(refusal((bigint(1) << (64 * each)) - 1), Catch::Contains("not below n^2"));
    for (const bigint& factor :
         {n, p, q, bigint(p * p), bigint(q * q * 3), bigint(n * 5), bigint(square - p)})
      CHECK_THAT(refusal(factor), Catch::Contains("number 3 has a common factor"));
    CHECK_THAT(with.read(std::span(v.cipher).first(each + 1)).error().message,
               Catch::Contains("multiple of"));
    CHECK(with.read({}).value().size() == 0);
  }
}

TEST_CASE("blinded and verified decryption give the same numbers") {
  const auto key = secret_key(1024);
  const paillier_decryptor<> opens(key);
  const auto m = random_plain(key.public_key(), 10);
  const auto c = paillier_encryptor<>(key.public_key(), source()).encrypt(m, source());
  const auto blinded = opens.blinded(c, source());
  CHECK(opens.evaluator().write(blinded) != opens.evaluator().write(c));
  CHECK(decrypted(opens, blinded) == m);
  words plain(m.size());
  opens.decrypt_verified(c, plain);
  CHECK(plain == m);
  CHECK(opens.holds(c, m));
  // A fault in any number, or in one half alone, is seen.
  for (std::size_t i = 0; i < 10; ++i) {
    auto wrong = m;
    wrong[16 * i] ^= 1;
    CHECK_FALSE(opens.holds(c, wrong));
  }
  auto half = m;
  const bigint shifted =
      (from_words(std::span(m).first(16)) + from_words(key.q())) % from_words(key.public_key().n());
  to_words(shifted, std::span(half).first(16)); // right modulo q, wrong modulo p
  CHECK_FALSE(opens.holds(c, half));
  words too_small(16);
  CHECK_THROWS_WITH(opens.decrypt(c, too_small), Catch::Contains("[N003 shape]"));
}

TEST_CASE("prepared obfuscators are used once") {
  const auto key = secret_key(1024);
  const paillier_decryptor<> opens(key);
  const paillier_encryptor<> encrypts(key.public_key(), source());
  paillier_pool<> pool(encrypts.evaluator());
  CHECK(pool.size() == 0);
  CHECK_THROWS_WITH(pool.encrypt(words(16)),
                    Catch::Contains("[N010 state]") && Catch::Contains("0 obfuscators left"));
  pool.prepare(encrypts, 5, source());
  pool.prepare(encrypts, 20, source());
  CHECK(pool.size() == 25);
  const auto m = random_plain(key.public_key(), 9);
  const auto first = pool.encrypt(m), second = pool.encrypt(m);
  CHECK(pool.size() == 7);
  CHECK(decrypted(opens, first) == m);
  CHECK(decrypted(opens, second) == m);
  const auto a = opens.evaluator().write(first), b = opens.evaluator().write(second);
  std::vector<bigint> all;
  for (std::size_t i = 0; i < 9; ++i)
    for (const auto& c : {a, b}) all.push_back(from_words(std::span(c).subspan(32 * i, 32)));
  std::ranges::sort(all);
  CHECK(std::ranges::adjacent_find(all) == all.end());
  CHECK_THROWS_WITH(pool.encrypt(random_plain(key.public_key(), 8)),
                    Catch::Contains("7 obfuscators left, needed 8"));
  CHECK(pool.size() == 7);
  auto changed = first;
  CHECK_THROWS_WITH(pool.rerandomise(changed), Catch::Contains("needed 9"));
  const auto moved = std::move(pool);
  CHECK(moved.size() == 7);
}

TEST_CASE("a forked child does not get the obfuscators of its parent") {
  const auto key = secret_key(128);
  const paillier_encryptor<> encrypts(key.public_key(), source());
  paillier_pool<> pool(encrypts.evaluator());
  pool.prepare(encrypts, 4, source());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int seen = 1;
    try {
      static_cast<void>(pool.encrypt(words(2)));
    } catch (const exception& e) {
      seen = e.kind() == fault::state && pool.size() == 0 ? 0 : 2;
    }
    ::_exit(seen);
  }
  int ended = 0;
  REQUIRE(::waitpid(child, &ended, 0) == child);
  CHECK((WIFEXITED(ended) && WEXITSTATUS(ended) == 0));
  CHECK(pool.size() == 4);
  CHECK(pool.encrypt(words(2)).size() == 1);
}

TEST_CASE("numbers are reduced modulo the square of a prime") {
  for (const std::size_t bits : {128u, 1024u}) {
    const auto v = of_bits(bits);
    const detail::prime_power<simd::default_arch, 1> square(v.p);
    const bigint p = from_words(v.p);
    const std::size_t each = 2 * v.words();
    words wide(5 * each);
    fill_words(source(), wide);
    std::ranges::fill(std::span(wide).first(each), ~std::uint64_t{0});
    std::ranges::fill(std::span(wide).subspan(each, each), 0);
    std::ranges::copy(to_words(bigint(p * p), each), wide.begin() + static_cast<std::ptrdiff_t>(2 * each));
    words out(5 * v.words());
    square.ring().leave(square.reduce(wide), out);
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(from_words(std::span(out).subspan(i * v.words(), v.words())) ==
            from_words(std::span(wide).subspan(i * each, each)) % (p * p));
  }
}

TEST_CASE("kernels in another order of lanes agree", "[slow]") {
  const auto v = of_bits(1024);
  const auto key = secret_key(1024);
  const paillier_decryptor<simd::scalar> scalar(key);
  const paillier_decryptor<> opens(key);
  const auto c =
      paillier_encryptor<>(key.public_key(), source()).encrypt(random_plain(key.public_key(), 13), source());
  const auto same = scalar.evaluator().read(opens.evaluator().write(c)).value();
  CHECK(scalar.decrypt(same) == opens.decrypt(c));
}
