// What Paillier costs: arithmetic modulo n^2, on every kernel of this build.

#include "peers/modular.hpp"
#include "support/compare.hpp"
#include "support/script.hpp"

#include <privet/crypto/bigint.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/fixed_base.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <memory>

namespace {

using namespace privet;

constexpr std::size_t batch = 8;

std::vector<std::uint64_t> random_words(std::size_t n, std::uint64_t seed) {
  replayable_random source(seed);
  std::vector<std::uint64_t> out(n);
  fill_words(source, out);
  return out;
}

/// A modulus of so many bits, an exponent of half as many, and two batches of numbers below it.
struct task {
  explicit task(std::size_t modulus_bits, std::size_t count = batch)
      : bits(modulus_bits),
        n(random_words(bits / 64, bits)),
        exponent(random_words(bits / 128, 1)),
        a(random_words(bits / 64 * count, 2)),
        b(random_words(bits / 64 * count, 3)) {
    n.front() |= 1;
    n.back() |= std::uint64_t{1} << 63;
    exponent.back() |= std::uint64_t{1} << 63;
    for (auto* words : {&a, &b})
      for (std::size_t i = n.size() - 1; i < words->size(); i += n.size()) (*words)[i] &= n.back() >> 1;
  }
  std::size_t bits;
  std::vector<std::uint64_t> n, exponent, a, b;
};

void compare_results(compare::table& table, const std::string& row, const std::string& side,
                     const std::vector<std::uint64_t>& expected, const std::vector<std::uint64_t>& found) {
  if (found != expected) table.complain(row + ": " + side + " found other numbers.");
}

template <class Arch>
std::vector<std::uint64_t> plain(const modulus<Arch>& n, const residues<Arch>& numbers) {
  std::vector<std::uint64_t> out(numbers.size() * n.words());
  n.leave(numbers, out);
  return out;
}

void time_gmp(compare::table& table, const compare::job& job, const peers::modular_work& work,
              const std::vector<std::uint64_t>& expected, const std::string& how = "") {
  std::vector<std::uint64_t> found(expected.size());
  work(found);
  compare_results(table, job.name, peers::gmp_name() + how, expected, found);
  table.time(job, peers::gmp_name() + how, [work] { work({}); });
}

/// Whether everybody knows the exponent, as in r^n.
enum class exponents { secret, open };

/// Eight powers with one exponent of half the modulus' size.
template <class Arch>
void modexp(compare::table& table, const std::string& kernel, std::size_t bits, exponents who) {
  const bool open = who == exponents::open;
  const compare::job job{.name = (open ? "modexp public " : "modexp ") + std::to_string(bits) + kernel};
  const task of(bits);
  const modulus<Arch> n(of.n);
  const auto power = [=, base = n.enter(of.a), exponent = of.exponent](residues<Arch>& out) {
    if (open)
      n.power_public(base, exponent, bits / 2, out);
    else
      n.power(base, exponent, bits / 2, out);
  };
  residues<Arch> out;
  power(out);
  const auto expected = plain(n, out);
  table.time(job, compare::ours, [=]() mutable { power(out); });
  if constexpr (PEER_GMP) {
    time_gmp(table, job, peers::gmp_power(of.n, of.a, of.exponent), expected);
    if (!open && kernel.empty())
      time_gmp(table, job, peers::gmp_power(of.n, of.a, of.exponent, true), expected, " mpz_powm_sec");
  }
  if (std::same_as<Arch, simd::scalar> && !open) {
    std::vector<bigint> numbers;
    std::vector<std::uint64_t> found;
    const bigint modulus = from_words(of.n), exponent = from_words(of.exponent);
    for (std::size_t i = 0; i < batch; ++i)
      numbers.push_back(from_words(std::span(of.a).subspan(i * of.n.size(), of.n.size())));
    for (const auto& number : numbers) {
      const auto words = to_words(power_modulo(number, exponent, modulus), of.n.size());
      found.insert(found.end(), words.begin(), words.end());
    }
    compare_results(table, job.name, "Boost", expected, found);
    table.time(job, "Boost cpp_int powm", [=] {
      for (const auto& number : numbers) benchmark::DoNotOptimize(power_modulo(number, exponent, modulus));
    });
  }
}

/// 64 products into a sum of ciphertexts that stays as it is: an addition of plaintexts.
template <class Arch>
void add(compare::table& table, const std::string& kernel, std::size_t bits) {
  constexpr std::size_t count = 64;
  const compare::job job{.name = "add x64 " + std::to_string(bits) + kernel};
  const task of(bits, count);
  const modulus<Arch> n(of.n);
  auto sum = n.enter(of.a);
  const auto other = n.enter(of.b);
  n.multiply(sum, other, sum);
  const auto expected = plain(n, sum);
  table.time(job, compare::ours, [=]() mutable { n.multiply(sum, other, sum); });
  if constexpr (PEER_GMP) time_gmp(table, job, peers::gmp_product(of.n, of.a, of.b), expected);
}

/// 64 powers of one base with tables, exponents of a quarter of the modulus' size (half the key's).
template <class Arch>
void fixed(compare::table& table, const std::string& kernel, std::size_t bits) {
  constexpr std::size_t count = 64;
  const compare::job job{.name = "fixed base x64 " + std::to_string(bits) + kernel};
  const task of(bits);
  const modulus<Arch> n(of.n);
  const auto one = std::span(of.a).first(of.n.size());
  const fixed_base<Arch> base(n, n.enter(one), bits / 4);
  const auto exponent = std::span(of.exponent).first(bits / 256);
  std::vector<std::uint64_t> exponents, bases;
  for (std::size_t i = 0; i < count; ++i) {
    exponents.insert(exponents.end(), exponent.begin(), exponent.end());
    bases.insert(bases.end(), one.begin(), one.end());
  }
  residues<Arch> out;
  base.power_each(exponents, out);
  const auto expected = plain(n, out);
  table.time(job, compare::ours, [=]() mutable { base.power_each(exponents, out); });
  if constexpr (PEER_GMP) time_gmp(table, job, peers::gmp_power(of.n, bases, exponent), expected);
}

/// Whole operations on 64 numbers, as whoever takes part in a federation does them.
void scheme(compare::table& table, std::size_t bits) {
  constexpr std::size_t count = 64;
  const auto name = [&](const std::string& what) {
    return compare::job{.name = what + " x64 " + std::to_string(bits)};
  };
  const auto source = std::make_shared<system_random>();
  const auto key = std::make_shared<paillier_secret_key>(paillier_secret_key::generate(bits, *source));
  const auto& open = key->public_key();
  auto plain = random_words(count * open.n().size(), 4);
  for (std::size_t i = 1; i <= count; ++i) plain[i * open.n().size() - 1] = 0;

  const auto encrypt = [&]<class Policy>(const std::string& policy, const auto& with, Policy) {
    const auto encryptor = std::make_shared<paillier_encryptor<Policy>>(with, *source);
    table.time(name("encrypt " + policy), compare::ours,
               [=] { benchmark::DoNotOptimize(encryptor->encrypt(plain, *source)); });
    return encryptor;
  };
  encrypt("naive", open, encryption::naive{});
  encrypt("DJN", open, encryption::djn{});
  encrypt("DJN short", open, encryption::djn_short_exponent{});
  const auto holder = encrypt("by the key's holder", *key, encryption::key_holder{});

  const auto decryptor = std::make_shared<paillier_decryptor<>>(*key);
  const auto c = std::make_shared<ciphertexts<>>(holder->encrypt(plain, *source));
  if (const auto opened = decryptor->decrypt(*c); !std::ranges::equal(opened, plain))
    table.complain("decrypt " + std::to_string(bits) + ": found other numbers.");
  table.time(name("decrypt"), compare::ours, [=] { benchmark::DoNotOptimize(decryptor->decrypt(*c)); });
  const auto sum = std::make_shared<ciphertexts<>>(*c);
  table.time(name("add resident"), compare::ours, [=] { decryptor->evaluator().add_to(*sum, *c); });
  table.time(name("scale by 32 bits"), compare::ours,
             [=] { benchmark::DoNotOptimize(decryptor->evaluator().scale(*c, 0x9ABCDEF1)); });
}

/// One client's update of 76,262 weights in slots of 32 bits under a key of 3072: beside one power r^n modulo n^2 of
/// GMP's.
void update(compare::table& table) {
  constexpr std::size_t bits = 3072, numbers = 76'262;
  const auto source = std::make_shared<system_random>();
  const auto key = std::make_shared<paillier_secret_key>(paillier_secret_key::generate(bits, *source));
  const packing how{.key_bits = bits, .slot_bits = 32, .clients = 4, .range = 4, .fraction_bits = 27};
  const auto shared =
      std::make_shared<cohort_key>(cohort_secret::draw(*source), key->public_key().fingerprint(), "bench");
  std::vector<float> x(numbers);
  replayable_random drawn(5);
  fill_normal(drawn, std::span(x));
  const auto encryptor = std::make_shared<paillier_encryptor<>>(key->public_key(), *source);
  const auto decryptor = std::make_shared<paillier_decryptor<>>(*key);
  auto words = std::make_shared<secret_words>(how.plaintexts(numbers) * how.words());
  auto seal = [=, round = std::uint32_t{0}]() mutable {
    (void)pack(how, {*shared, round++, 1}, example_weight{}, x, *words).value();
    return encryptor->encrypt(*words, *source);
  };
  const auto sealed = std::make_shared<ciphertexts<>>(seal());
  const compare::job sealing{.name = "update of 76262: encrypt"}, opening{.name = "update of 76262: decrypt"};
  table.time(sealing, compare::ours, [=]() mutable { benchmark::DoNotOptimize(seal()); });
  table.time(opening, compare::ours, [=] { benchmark::DoNotOptimize(decryptor->decrypt(*sealed)); });
  if constexpr (PEER_GMP) {
    const task of(2 * bits, 1);
    const auto work = peers::gmp_power(of.n, of.a, of.exponent);
    for (const auto& job : {sealing, opening})
      table.time(job, peers::gmp_name() + " one power", [work] { work({}); });
  }
}

template <class Arch>
void rows(compare::table& table, const std::string& kernel) {
  for (const std::size_t bits : {2048u, 4096u, 6144u}) modexp<Arch>(table, kernel, bits, exponents::secret);
  for (const std::size_t bits : {4096u, 6144u}) modexp<Arch>(table, kernel, bits, exponents::open);
  for (const std::size_t bits : {4096u, 6144u}) add<Arch>(table, kernel, bits);
  for (const std::size_t bits : {4096u, 6144u}) fixed<Arch>(table, kernel, bits);
}

} // namespace

int main(int count, char** words) {
  compare::table table("paillier", count, words);
  if constexpr (!PEER_GMP) table.left_out("GMP");
  const std::string phe = table.option("--phe");
  for (const std::size_t bits : {2048u, 3072u}) scheme(table, bits);
  if (phe.empty() || !compare::run_script(phe, [&](const auto& name, const auto& side, double seconds) {
        table.measured({.name = name}, side, seconds);
      }))
    table.left_out("python-paillier");
  update(table);
  rows<simd::default_arch>(table, "");
#if defined(__AVX512IFMA__)
  rows<simd::montgomery_tiles<simd::montgomery_avx512>>(table, " AVX-512F");
#endif
#if defined(__AVX512F__)
  rows<simd::montgomery_tiles<simd::montgomery_avx2>>(table, " AVX2");
#endif
  rows<simd::scalar>(table, " scalar");
  return table.run();
}
