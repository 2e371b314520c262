// Whether time can depend on secrets (docs/crypto/timing.md), run under valgrind: secrets are marked as memory
// that was never written, and every branch and address that depends on one is an error. Planted leaks must be
// seen, or the program fails.

#include "timing/poison.hpp" // first: it says how words are allocated

#include <privet/core/hmac.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/fixed_base.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/crypto/words.hpp>
#include <privet/random/system.hpp>
#include <privet/simd/montgomery.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace privet;
using test::poison::declassify;
using test::poison::poison;
using test::poison::poison_modulus;
using words = std::vector<std::uint64_t>;

/// Random words that nobody may branch on.
struct poisoned_random {
  static constexpr bool is_secret = true;
  poisoned_random() = default;
  poisoned_random(const poisoned_random&) = delete;
  poisoned_random& operator=(const poisoned_random&) = delete;
  void fill(std::span<std::uint32_t> out) {
    inner.fill(out);
    poison(out);
  }
  system_random inner;
};

words random_words(std::size_t count) {
  words out(count);
  fill_words(thread_system_random(), out);
  return out;
}
words secret_random(std::size_t count) {
  words out = random_words(count);
  poison(out);
  return out;
}
/// Odd, of exactly so many bits.
words random_modulus(std::size_t bits) {
  words n = random_words((bits + 63) / 64);
  keep_low_bits(n, bits);
  n[0] |= 1;
  n.back() |= std::uint64_t{1} << (bits - 1) % 64;
  return n;
}

int failures = 0;

template <class F>
std::size_t found_in(F&& f) {
  const std::size_t before = test::poison::errors();
  f();
  return test::poison::errors() - before;
}
template <class F>
void quiet(const std::string& name, F&& f) {
  const std::size_t found = found_in(f);
  std::printf("%-44s %s\n", name.c_str(), found == 0 ? "nothing" : "LEAKS: see valgrind's report above");
  std::fflush(stdout);
  failures += found != 0;
}
template <class F>
void planted(const std::string& name, F&& f) {
  const bool seen = found_in(f) != 0;
  std::printf("%-44s %s\n", name.c_str(), seen ? "seen, as it should be" : "NOT SEEN: this check is blind");
  std::fflush(stdout);
  failures += !seen;
}
/// Each case does the real thing, or the program fails.
void expect(bool right, const char* what) {
  if (right) return;
  std::printf("wrong: %s\n", what);
  ++failures;
}

// ---- leaks that must be seen -------------------------------------------------------------------

volatile std::uint64_t sink;

[[gnu::noinline]] bool equal_early_exit(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) return false;
  return true;
}
[[gnu::noinline]] std::uint64_t entry(std::span<const std::uint64_t> table, std::uint64_t digit) {
  return table[digit];
}

template <class Arch>
void planted_leaks() {
  planted("planted: a comparison that ends early", [] {
    const words a = secret_random(8), b = a;
    sink = equal_early_exit(a, b);
  });
  planted("planted: a table read at a secret place", [] {
    const words table = random_words(16), digit = secret_random(1);
    sink = entry(table, digit[0] & 15);
  });
  planted("planted: a power that skips zero bits", [] {
    const modulus<Arch> ring(random_modulus(512));
    const auto base = ring.enter(random_words(8));
    const words exponent = secret_random(1);
    auto all = ring.ones(1);
    for (unsigned bit = 8; bit-- > 0;) {
      ring.square(all, all);
      if ((exponent[0] >> bit & 1) != 0) ring.multiply(all, base, all);
    }
  });
}

// ---- arithmetic --------------------------------------------------------------------------------

void word_functions() {
  quiet("words", [] {
    const words b = secret_random(8);
    words a = secret_random(8), out(16), odd = random_words(8);
    odd[0] |= 1;
    poison_modulus(odd);
    poison(std::span(odd).last(1));
    std::uint64_t all = add(a, b) + subtract(a, b);
    all += is_less(a, b) + is_zero(a) + equal(a, b);
    copy_if(is_less(a, b), b, a);
    select(is_less(b, a), a, b, a);
    multiply(a, b, out);
    multiply_low(a, b, std::span(out).first(8));
    inverse_of_odd(odd, std::span(out).first(8));
    keep_low_bits(out, 500);
    detail::add_modulo(a, b, odd);
    detail::subtract_modulo(a, b, odd);
    sink = all ^ out[0] ^ a[0];
  });
}

template <class Arch>
void arithmetic(const std::string& kernel, std::initializer_list<std::size_t> sizes) {
  constexpr std::size_t lanes = simd::montgomery<Arch>::lanes, count = lanes + 1;
  for (const std::size_t bits : sizes) {
    const std::string name = kernel + std::to_string(bits) + " bits: ";
    quiet(name + "products", [&] {
      const words n = random_modulus(bits);
      poison_modulus(n);
      modulus<Arch> ring(n);
      const std::size_t each = ring.words();
      auto a = ring.enter(secret_random(count * each)), b = ring.enter(secret_random(count * each)), c = a;
      ring.multiply(a, b, a);
      ring.square(a, a);
      ring.product(a, c);
      ring.multiply(a, c, b);
      const std::array<const residues<Arch>*, 2> both{&a, &b};
      const std::array<std::uint32_t, 2> weights{3, 10};
      ring.weighted_product(both, weights, c);
      words out(count * each);
      ring.leave(c, out);
    });
    quiet(name + "powers", [&] {
      const words n = random_modulus(bits);
      poison_modulus(n);
      const modulus<Arch> ring(n);
      auto a = ring.enter(secret_random(count * ring.words()));
      ring.power(a, secret_random(2), 100, a);
      ring.power_each(a, secret_random(2 * count), 100, a);
      words out(count * ring.words());
      ring.leave(a, out);
    });
    quiet(name + "powers of a fixed base", [&] {
      const words n = random_modulus(bits);
      poison_modulus(n);
      const modulus<Arch> ring(n);
      residues<Arch> out;
      for (const unsigned width : {3u, 6u}) {
        const fixed_base<Arch> powers(ring, ring.enter(secret_random(ring.words())), 100, width);
        powers.power_each(secret_random(2 * count), out);
      }
    });
  }
}

// ---- Paillier ----------------------------------------------------------------------------------

const unsafe::small_keys small{"memcheck is slow"};
constexpr std::size_t key_bits = 512, plain_words = key_bits / 64;

template <class Arch>
paillier_secret_key new_key() {
  return paillier_secret_key::generate<Arch>(key_bits, thread_system_random(), small);
}
/// One for all cases: what is poisoned are copies.
template <class Arch>
const paillier_secret_key& the_key() {
  static const paillier_secret_key key = new_key<Arch>();
  return key;
}
/// -1 / prime^(S+1) as the arithmetic modulo prime^(S+1) keeps it, beside its vectors.
template <class Arch, std::size_t S>
std::uint64_t inverse_in(std::span<const std::uint64_t> prime) {
  const auto shape = simd::montgomery<Arch>::shape((S + 1) * bit_length(prime));
  std::uint64_t lowest = prime[0];
  for (std::size_t i = 0; i < S; ++i) lowest *= prime[0];
  const std::uint64_t all = 0 - privet::detail::inverse_of_odd_word(lowest);
  return shape.digit < 64 ? all & ((std::uint64_t{1} << shape.digit) - 1) : all;
}

/// Something made with a key, all its numbers poisoned after it was made. (Making it reads the length of p^2,
/// which is no secret, but computed from one.)
template <class T, class Arch, std::size_t S, class... Arguments>
std::unique_ptr<T> with_poisoned_key(const paillier_secret_key& key, Arguments&... arguments) {
  test::poison::recorded_words record;
  auto made = std::make_unique<T>(key, arguments...);
  const std::array inverses{inverse_in<Arch, S>(key.p()), inverse_in<Arch, S>(key.q())};
  expect(record.poison_all() > 8, "no words of the key were poisoned");
  expect(test::poison::poison_words_among(inverses, *made) >= inverses.size(),
         "no inverse of a prime's square was poisoned");
  return made;
}

/// Several plain numbers, of which some can be added below n^S.
template <class Arch, std::size_t S = 1>
words several_numbers() {
  constexpr std::size_t count = simd::montgomery<Arch>::lanes + 1;
  words out = random_words(count * S * plain_words);
  for (std::size_t i = 1; i <= count; ++i) out[i * S * plain_words - 1] >>= 2 * S + 2;
  return out;
}
template <std::size_t S = 1>
words three_times(const words& numbers) {
  words out(numbers.size());
  for (int k = 0; k < 3; ++k)
    for (std::size_t i = 0; i < numbers.size(); i += S * plain_words)
      add(std::span(out).subspan(i, S * plain_words), std::span(numbers).subspan(i, S * plain_words));
  return out;
}
template <class Arch, std::size_t S = 1>
void expect_opens(const paillier_secret_key& key, const words& cipher, const words& plain, const char* what) {
  const paillier_decryptor<Arch, S> decrypts(key);
  const secret_words opened = decrypts.decrypt(decrypts.evaluator().read(cipher).value());
  expect(equal(opened, plain) != 0, what);
}

/// An encryptor's whole work on poisoned numbers with poisoned randomness.
template <class Arch, class Encryptor>
words encrypt_three_times(const Encryptor& encrypts, const words& plain, poisoned_random& source) {
  auto c = encrypts.encrypt(plain, source);
  encrypts.rerandomise(c, source);
  c = encrypts.evaluator().add(std::move(c), encrypts.encrypt(plain, source));
  words out = encrypts.evaluator().write(encrypts.evaluator().add_plain(std::move(c), plain));
  declassify(out); // ciphertexts are for everybody
  return out;
}

template <class Arch, class Policy, std::size_t S = 1>
void encryption_from_public_key(const std::string& name) {
  quiet(name, [&] {
    const auto& key = the_key<Arch>();
    poisoned_random source;
    const words plain = several_numbers<Arch, S>(), poisoned = plain;
    poison(poisoned);
    const paillier_encryptor<Policy, Arch, S> encrypts(key.public_key(), source);
    expect_opens<Arch, S>(key, encrypt_three_times<Arch>(encrypts, poisoned, source), three_times<S>(plain),
                          name.c_str());
    paillier_pool<Policy, Arch, S> pool(encrypts.evaluator());
    pool.prepare(encrypts, 2 * (simd::montgomery<Arch>::lanes + 1), source);
    auto c = pool.encrypt(poisoned);
    pool.rerandomise(c);
    const words one = encrypts.evaluator().write(c);
    declassify(one);
    expect_opens<Arch, S>(key, one, plain, "the pool's encryption");
  });
}

template <class Arch, std::size_t S>
void with_the_key(const std::string& name) {
  quiet("encryption::key_holder" + name, [] {
    const auto& key = the_key<Arch>();
    poisoned_random source;
    const words plain = several_numbers<Arch, S>(), poisoned = plain;
    poison(poisoned);
    const auto encrypts =
        with_poisoned_key<paillier_encryptor<encryption::key_holder, Arch, S>, Arch, S>(key, source);
    expect_opens<Arch, S>(key, encrypt_three_times<Arch>(*encrypts, poisoned, source), three_times<S>(plain),
                          "the key holder's encryption");
  });
  quiet("decryption, verified, blinded" + name, [] {
    const auto& key = the_key<Arch>();
    const words plain = several_numbers<Arch, S>();
    const paillier_encryptor<encryption::naive, Arch, S> encrypts(key.public_key(), thread_system_random());
    const auto c = encrypts.encrypt(plain, thread_system_random());
    poisoned_random source;
    const auto decrypts = with_poisoned_key<paillier_decryptor<Arch, S>, Arch, S>(key);
    words opened(plain.size());
    for (const bool verified : {false, true}) {
      const auto hidden = decrypts->blinded(c, source);
      if (verified)
        decrypts->decrypt_verified(hidden, opened);
      else
        decrypts->decrypt(hidden, opened);
      declassify(opened);
      expect(opened == plain, "a decryption");
    }
  });
}

template <class Arch>
void partial_decryption() {
  for (const quorum of : {quorum::all_of(3), quorum{2, 3}})
    quiet("partial decryption, " + std::to_string(of.threshold) + " of " + std::to_string(of.parties), [&] {
      const auto dealt = paillier_dealer::deal(new_key<Arch>(), of, thread_system_random());
      const paillier_encryptor<encryption::naive, Arch> encrypts(dealt.public_key, thread_system_random());
      const words plain = several_numbers<Arch>();
      const auto c = encrypts.encrypt(plain, thread_system_random());
      std::vector<partial_decryptions<Arch>> parts;
      const partial_combiner<Arch> combines(dealt.public_key, of);
      for (const auto& share : dealt.shares) {
        poison(share.words());
        auto part = partial_decryptor<Arch>(share).decrypt(c);
        if (of.all()) {
          parts.push_back(std::move(part)); // what comes out of combining them is secret as well
        } else {
          const words sent = combines.write(part);
          declassify(sent); // one inverse modulo n depends on parts, which are no secret once they are given
          parts.push_back(combines.read(share.index(), sent).value());
        }
      }
      const std::vector<const partial_decryptions<Arch>*> all{&parts[0], &parts[1], &parts[2]};
      const auto opened = combines.combine(all);
      expect(opened.has_value(), "parts that fit together");
      if (!opened) return;
      if (of.all()) declassify(*opened);
      expect(equal(*opened, plain) != 0, "what parts open");
    });
}

// ---- what goes into plaintexts, and the keys of clients ----------------------------------------

constexpr packing constant{.key_bits = 512, .slot_bits = 32, .clients = 2, .range = 16, .fraction_bits = 24};
/// The same, known when the program runs.
packing known_later() {
  packing how = constant;
  asm("" : "+m"(how));
  return how;
}
constexpr std::size_t numbers = 100;

cohort_key poisoned_cohort_key() {
  std::vector<std::byte> secret(cohort_secret::size, std::byte{7});
  poison(secret);
  return cohort_key(cohort_secret(std::span<const std::byte, cohort_secret::size>(secret)), digest{}, "run");
}
/// Numbers of which one is clipped.
std::vector<float> poisoned_update(float of) {
  std::vector<float> update(numbers, of);
  update[5] = 100;
  poison(update);
  return update;
}

template <class Arch, class How, class... Rounding>
void pack_and_unpack(How how_of, Rounding... rounding) {
  const packing how = how_of();
  const cohort_key key = poisoned_cohort_key();
  words sum(how.plaintexts(numbers) * how.words()), one(sum.size());
  for (const std::uint32_t client : {1u, 2u}) {
    const auto update = poisoned_update(client == 1 ? 0.25f : -3.f);
    expect(pack<Arch>(how, {key, 4, client}, {1, 2}, update, one, rounding...).has_value(), "packing");
    for (std::size_t p = 0; p < sum.size(); p += how.words())
      add(std::span(sum).subspan(p, how.words()), std::span(one).subspan(p, how.words()));
  }
  std::vector<std::int64_t> sums(numbers);
  const std::array<std::uint32_t, 2> cohort{1, 2};
  expect(unpack_sum<Arch>(how, key, 4, cohort, sum, sums).has_value(), "the canaries of a sum");
  std::vector<float> mean(numbers);
  from_fixed_update<Arch>(how, sums, std::span(mean));
  declassify(mean);
  expect(mean[0] == 0.125f - 1.5f, "a sum");
}

template <class Arch>
void packing_and_canaries() {
  quiet("packing, canaries, sums", [] { pack_and_unpack<Arch>(known_later); });
  quiet("packing whose numbers the compiler knows", [] { pack_and_unpack<Arch>([] { return constant; }); });
  quiet("packing, rounded at random", [] {
    poisoned_random source;
    pack_and_unpack<Arch>(known_later, round_at_random{source});
  });
  quiet("header tags", [] {
    const cohort_key key = poisoned_cohort_key();
    const std::array<std::byte, 100> header{};
    poison(header);
    const digest one = key.tag(header), other = key.tag(header);
    expect(declassify(equal_in_constant_time(one, other)), "a tag");
  });
}

template <class Arch>
void everything() {
  planted_leaks<Arch>();
  word_functions();
  arithmetic<Arch>("", {512, 1024, 2048, 3072});
  if constexpr (simd::montgomery<Arch>::lanes > 1)
    arithmetic<simd::montgomery_tiles<simd::montgomery_words>>("one lane, ", {1024});
  encryption_from_public_key<Arch, encryption::naive>("encryption::naive");
  encryption_from_public_key<Arch, encryption::djn>("encryption::djn");
  encryption_from_public_key<Arch, encryption::djn_short_exponent>("encryption::djn_short_exponent");
  encryption_from_public_key<Arch, encryption::certified>("encryption::certified");
  encryption_from_public_key<Arch, encryption::djn, 2>("encryption::djn, s = 2");
  with_the_key<Arch, 1>("");
  with_the_key<Arch, 2>(", s = 2");
  partial_decryption<Arch>();
  packing_and_canaries<Arch>();
}

} // namespace

int main() try {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("run this under valgrind: without it nothing is checked");
    return 2;
  }
  std::printf("secrets poisoned, kernels of %zu lanes\n", simd::montgomery<simd::default_arch>::lanes);
  everything<simd::default_arch>();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::printf("failed: %s\n", error.what());
  return 1;
}
