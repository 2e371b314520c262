// `./dev bench timing-leaks [--quick] [REGEX]`: does the time of what handles secrets depend on them? For every
// operation, fixed secrets against random ones (measure.hpp), three times. docs/crypto/timing.md

#include "../support/machine.hpp"
#include "measure.hpp"

#include <privet/core/hmac.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/fixed_base.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/crypto/words.hpp>
#include <privet/random/system.hpp>
#include <privet/simd/montgomery.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <random>
#include <regex>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace privet;
using words = std::vector<std::uint64_t>;

std::mt19937_64 draw(std::random_device{}());
volatile std::uint64_t sink;

// ---- the table ---------------------------------------------------------------------------------

constexpr double passes_below = 4.5, planted_above = 10;
constexpr std::size_t many = 1'000'000, fewer = 100'000; // of small operations, and with keys of 2048 bits

struct table {
  bool quick = false;
  std::optional<std::regex> wanted;
  int leaks = 0, blind = 0, passed = 0;

  template <class Prepare, class Run>
  void row(const std::string& name, std::size_t runs, Prepare&& prepare, Run&& run, bool planted = false) {
    if (!planted && wanted && !std::regex_search(name, *wanted)) return;
    if (quick) runs /= 100;
    std::printf("%-58s %8zu", name.c_str(), runs);
    std::fflush(stdout);
    double least = 1e300, largest = 0, median = 0;
    for (int repetition = 0; repetition < 3; ++repetition) {
      auto measured = leaks::measure(runs, draw, prepare, run);
      const double t = leaks::largest_t(measured);
      std::ranges::nth_element(measured.ticks,
                               measured.ticks.begin() + static_cast<std::ptrdiff_t>(runs / 2));
      median = measured.ticks[runs / 2];
      std::printf(" %8.2f", t);
      std::fflush(stdout);
      least = std::min(least, std::abs(t));
      largest = std::max(largest, std::abs(t));
    }
    const bool good = planted ? least > planted_above : largest < passes_below;
    (good ? passed : planted ? blind : leaks) += 1;
    std::printf(" %12.0f  %s\n", median,
                planted ? good ? "planted, seen" : "planted, NOT SEEN"
                : good  ? "passes"
                        : "LEAKS");
  }
};

// ---- inputs ------------------------------------------------------------------------------------

struct drawn_words {
  static void fill(std::span<std::uint64_t> out) {
    for (auto& word : out) word = draw();
  }
};
words random_words(std::size_t count) {
  words out(count);
  drawn_words::fill(out);
  return out;
}
words random_modulus(std::size_t bits) {
  words n = random_words(bits / 64);
  n[0] |= 1;
  n.back() |= std::uint64_t{1} << 63;
  return n;
}

/// Numbers of one class or the other, at one place.
struct secret_input {
  words fixed, drawn, now;
  std::size_t each;
  std::uint64_t top;

  /// `count` numbers, each below 2^(64 each - 2): the fixed ones are all `value`, with zeros above.
  secret_input(std::size_t count, std::size_t each_, std::uint64_t value = 1, unsigned free_bits = 2)
      : fixed(count * each_), drawn(fixed), now(fixed), each(each_), top(~std::uint64_t{0} >> free_bits) {
    for (std::size_t i = 0; i < count; ++i) fixed[i * each] = value;
  }
  void prepare(bool random) {
    drawn_words::fill(drawn);
    for (std::size_t i = each - 1; i < drawn.size(); i += each) drawn[i] &= top;
    leaks::choose<std::uint64_t>(random, fixed, drawn, now);
  }
};

/// What an encryptor draws, from a tape that was written before.
struct tape {
  static constexpr bool is_secret = true;
  tape() = default;
  tape(const tape&) = delete;
  tape& operator=(const tape&) = delete;
  void fill(std::span<std::uint32_t> out) {
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(on.data()) + at, out.size_bytes());
    at += out.size_bytes();
  }
  void rewind(std::span<const std::uint64_t> to) { on = to, at = 0; }

 private:
  std::span<const std::uint64_t> on;
  std::size_t at = 0;
};

// ---- leaks that must be seen -------------------------------------------------------------------

[[gnu::noinline]] bool equal_early_exit(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) return false;
  return true;
}

void planted(table& rows) {
  secret_input a(1, 32, 0, 0);
  const words zero(32);
  rows.row(
      "planted: a comparison of 32 words that ends early", many, [&](bool random) { a.prepare(random); },
      [&] { sink = equal_early_exit(a.now, zero); }, true);

  const modulus<> ring(random_modulus(1024));
  secret_input exponent(1, 1, 1, 0);
  const auto base = ring.enter(random_words(ring.words()));
  auto all = ring.ones(1);
  rows.row(
      "planted: a power that skips zero bits, exponents of 64", fewer,
      [&](bool random) {
        exponent.prepare(random);
        all = ring.ones(1);
      },
      [&] {
        for (unsigned bit = 64; bit-- > 0;) {
          ring.square(all, all);
          if ((exponent.now[0] >> bit & 1) != 0) ring.multiply(all, base, all);
        }
      },
      true);
}

// ---- arithmetic --------------------------------------------------------------------------------

void word_functions(table& rows) {
  constexpr std::size_t size = 32;
  secret_input a(1, size, 0, 0), odd(1, size, 1, 0);
  const words b(size);
  words out(2 * size);
  const auto row = [&](const char* name, auto&& run) {
    rows.row(
        std::string("words: ") + name, many, [&](bool random) { a.prepare(random); }, run);
  };
  row("add", [&] { sink = add(out, a.now); });
  row("subtract", [&] { sink = subtract(std::span(out).first(size), a.now); });
  row("is_less", [&] { sink = is_less(a.now, b); });
  row("is_zero", [&] { sink = is_zero(a.now); });
  row("equal", [&] { sink = equal(a.now, b); });
  row("copy_if", [&] { copy_if(mask_of(a.now[0] & 1), a.now, std::span(out).first(size)); });
  row("select", [&] { select(mask_of(a.now[0] & 1), a.now, b, std::span(out).first(size)); });
  row("multiply", [&] { multiply(a.now, a.now, out); });
  row("multiply_low", [&] { multiply_low(a.now, a.now, std::span(out).first(size)); });
  rows.row(
      "words: inverse_of_odd", many,
      [&](bool random) {
        odd.prepare(random);
        odd.now[0] |= 1;
      },
      [&] { inverse_of_odd(odd.now, std::span(out).first(size)); });
}

template <class Arch>
void arithmetic(table& rows, const std::string& kernel) {
  constexpr std::size_t count = simd::montgomery<Arch>::lanes, bits = 2048, power_bits = 1024;
  {
    const modulus<Arch> ring(random_modulus(bits));
    secret_input a(count, ring.words());
    auto b = ring.enter(random_words(count * ring.words())), in = b, out = b;
    const auto prepare = [&](bool random) {
      a.prepare(random);
      in = ring.enter(a.now);
    };
    rows.row(kernel + " multiply, 2048 bits", many, prepare, [&] { ring.multiply(in, b, out); });
    rows.row(kernel + " square, 2048 bits", many, prepare, [&] { ring.square(in, out); });
    words left(count * ring.words());
    rows.row(kernel + " leave, 2048 bits", many, prepare, [&] { ring.leave(in, left); });
    rows.row(
        kernel + " enter, 2048 bits", many, [&](bool random) { a.prepare(random); },
        [&] { ring.enter(a.now); });
  }
  const modulus<Arch> ring(random_modulus(power_bits));
  constexpr std::size_t exponent_bits = 256, exponent_words = exponent_bits / 64;
  secret_input numbers(count, ring.words()), one(1, exponent_words, 1, 0), each(count, exponent_words, 1, 0);
  const auto base = ring.enter(random_words(count * ring.words()));
  auto in = base, out = base;
  const auto exponent = random_words(exponent_words);
  rows.row(
      kernel + " power, 1024 bits, by the base", many,
      [&](bool random) {
        numbers.prepare(random);
        in = ring.enter(numbers.now);
      },
      [&] { ring.power(in, exponent, exponent_bits, out); });
  rows.row(
      kernel + " power, 1024 bits, by the exponent", many, [&](bool random) { one.prepare(random); },
      [&] { ring.power(base, one.now, exponent_bits, out); });
  rows.row(
      kernel + " power_each, 1024 bits, by the exponents", many, [&](bool random) { each.prepare(random); },
      [&] { ring.power_each(base, each.now, exponent_bits, out); });
  const fixed_base<Arch> powers(ring, ring.enter(random_words(ring.words())), exponent_bits);
  rows.row(
      kernel + " fixed_base, 1024 bits, by the exponents", many, [&](bool random) { each.prepare(random); },
      [&] { powers.power_each(each.now, out); });
}

// ---- Paillier ----------------------------------------------------------------------------------

template <class Arch>
struct paillier_rows {
  static constexpr std::size_t count = simd::montgomery<Arch>::lanes;
  std::string kernel;
  std::size_t bits, runs;
  std::vector<paillier_secret_key> keys;

  paillier_rows(std::string kernel_, std::size_t bits_, std::size_t of_keys)
      : kernel(std::move(kernel_)), bits(bits_), runs(bits < 2048 ? many : fewer) {
    const unsafe::small_keys small{"a bench of the goal's sizes"};
    for (std::size_t i = 0; i < of_keys; ++i)
      keys.push_back(paillier_secret_key::generate(bits, thread_system_random(), small));
  }
  std::string name(const char* what) const { return kernel + " " + std::to_string(bits) + " bits: " + what; }
  std::size_t plain_words() const { return bits / 64; }

  template <class Policy>
  void encryption(table& rows, const char* policy) {
    const auto& key = keys[0].public_key();
    const paillier_encryptor<Policy, Arch> encrypts(key, thread_system_random());
    const bool naive = std::is_same_v<Policy, encryption::naive>;
    // Of naive encryption r, below n as drawing again would not be constant-time; of the others an exponent.
    secret_input plain(count, plain_words()),
        secret(count, naive ? plain_words() : plain_words() / 2, 2, naive);
    tape source;
    ciphertexts<Arch> c;
    rows.row(
        name((std::string(policy) + ", by the messages").c_str()), runs,
        [&](bool random) {
          plain.prepare(random);
          secret.prepare(true);
          source.rewind(secret.now);
        },
        [&] { c = encrypts.encrypt(plain.now, source); });
    rows.row(
        name((std::string(policy) + (naive ? ", by r" : ", by the exponents")).c_str()), runs,
        [&](bool random) {
          plain.prepare(true);
          secret.prepare(random);
          source.rewind(secret.now);
        },
        [&] { c = encrypts.encrypt(plain.now, source); });
  }

  void decryption(table& rows) {
    secret_input cipher(count, 2 * plain_words());
    words plain(count * plain_words());
    ciphertexts<Arch> c;
    std::optional<paillier_decryptor<Arch>> decrypts(keys[0]);
    const auto enter = [&] { c = decrypts->evaluator().read(cipher.now).value(); };
    rows.row(
        name("decrypt, by the ciphertexts"), runs,
        [&](bool random) {
          cipher.prepare(random);
          enter();
        },
        [&] { decrypts->decrypt(c, plain); });
    rows.row(
        name("decrypt, by the key"), runs,
        [&](bool random) {
          // Made anew each time, so that both classes lie at the same places of memory.
          decrypts.reset();
          decrypts.emplace(keys[random ? draw() % keys.size() : 0]);
          cipher.prepare(true);
          enter();
        },
        [&] { decrypts->decrypt(c, plain); });
  }

  void partial(table& rows) {
    const auto& key = keys[0].public_key();
    secret_input share(1, 2 * plain_words(), 1, 0), cipher(count, 2 * plain_words());
    std::optional<partial_decryptor<Arch>> decrypts;
    ciphertexts<Arch> c;
    std::optional<partial_decryptions<Arch>> part;
    rows.row(
        name("partial decryption, by the share"), runs,
        [&](bool random) {
          share.prepare(random);
          decrypts.reset();
          decrypts.emplace(paillier_key_share::from_words(key, quorum::all_of(2), 1, share.now).value());
          cipher.prepare(true);
          c = decrypts->evaluator().read(cipher.now).value();
        },
        [&] { part.emplace(decrypts->decrypt(c)); });
  }
};

// ---- what goes into plaintexts -----------------------------------------------------------------

void packing_rows(table& rows) {
  constexpr std::size_t numbers = 940;
  const packing how{.key_bits = 3072, .slot_bits = 32, .clients = 4, .range = 16, .fraction_bits = 24};
  const cohort_secret secret = cohort_secret::draw(thread_system_random());
  const cohort_key key(secret, digest{}, "bench");
  const canary_stamp stamp{key, 1, 1};
  const std::array<std::uint32_t, 1> cohort{1};
  words out(how.plaintexts(numbers) * how.words());
  std::vector<std::int64_t> sums(numbers);
  std::vector<std::uint32_t> fixed(numbers), drawn(numbers), now(numbers);
  std::vector<float> update(numbers);
  const auto prepare_with = [&](float value) {
    return [&, value](bool random) {
      std::uniform_real_distribution<float> between(-15, 15);
      for (std::size_t i = 0; i < numbers; ++i) {
        const float number = between(draw);
        std::memcpy(&drawn[i], &number, 4);
        std::memcpy(&fixed[i], &value, 4);
      }
      leaks::choose<std::uint32_t>(random, fixed, drawn, now);
      std::memcpy(update.data(), now.data(), 4 * numbers);
    };
  };
  const auto pack_all = [&] { sink = pack(how, stamp, {1, 3}, update, out).has_value(); };
  rows.row("pack 940 numbers, fixed: 0.25", many, prepare_with(0.25f), pack_all);
  rows.row("pack 940 numbers, fixed: all clipped", many, prepare_with(100), pack_all);
  rows.row("pack 940 numbers, fixed: subnormal", many, prepare_with(1e-40f), pack_all);
  system_random source;
  rows.row("pack 940 numbers, rounded at random, fixed: 0", many, prepare_with(0), [&] {
    sink = pack(how, stamp, {1, 1}, update, out, round_at_random{source}).has_value();
  });
  const auto prepare = prepare_with(0.25f);
  rows.row(
      "unpack_sum of 940 numbers", many,
      [&](bool random) {
        prepare(random);
        pack_all();
      },
      [&] { sink = unpack_sum(how, key, 1, cohort, out, sums).has_value(); });
  // One foreign canary, the last plaintext's: fixed is its lowest bit, random any of 40.
  secret_input change(1, 1, 1, 24);
  rows.row(
      "unpack_sum, a foreign canary", fewer,
      [&](bool random) {
        prepare(true);
        pack_all();
        change.prepare(random);
        const std::size_t word = how.canary_offset() / 64, shift = how.canary_offset() % 64;
        std::uint64_t* const last = out.data() + out.size() - how.words();
        last[word] ^= (change.now[0] | 1) << shift;
      },
      [&] { sink = unpack_sum(how, key, 1, cohort, out, sums).has_value(); });

  secret_input tag(1, 4, 0, 0);
  const words zero(4);
  rows.row(
      "equal_in_constant_time of 32 bytes", many, [&](bool random) { tag.prepare(random); },
      [&] {
        sink = equal_in_constant_time(std::as_bytes(std::span(tag.now)), std::as_bytes(std::span(zero)));
      });
  secret_input of_key(1, 4, 0, 0);
  rows.row(
      "hmac_sha256, by the key", many, [&](bool random) { of_key.prepare(random); },
      [&] {
        sink = std::to_integer<unsigned>(
            hmac_sha256(std::as_bytes(std::span(of_key.now)), std::as_bytes(std::span(zero)))[0]);
      });
}

template <class Arch>
void paillier_of(table& rows, const std::string& kernel, std::size_t bits, std::size_t keys) {
  paillier_rows<Arch> all(kernel, bits, keys);
  all.template encryption<encryption::djn>(rows, "djn");
  all.template encryption<encryption::naive>(rows, "naive");
  all.decryption(rows);
  all.partial(rows);
}

} // namespace

int main(int argc, char** argv) try {
  table rows;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      rows.quick = true;
    else if (argv[i][0] != '-' && !rows.wanted)
      rows.wanted.emplace(argv[i]);
    else
      return std::fprintf(stderr, "usage: timing-leaks [--quick] [REGEX of rows]\n"), 2;
  }
  machine::keep_freed_memory(); // so that no run waits for the system to give or take memory
  const int core = machine::pin_to_one_core();
  std::printf("Fixed against random secrets; Welch's t, the largest of seven crops, three times; core %d\n",
              core);
  std::printf("passes: |t| < %.1f three times. Planted leaks must give |t| > %.0f three times.\n\n",
              passes_below, planted_above);
  std::printf("%-58s %8s %8s %8s %8s %12s\n", "operation", "runs", "t", "t", "t",
#if defined(__x86_64__)
              "ticks"
#else
              "ns"
#endif
  );

  planted(rows);
  word_functions(rows);
  using portable = simd::montgomery_tiles<simd::montgomery_words>;
  arithmetic<portable>(rows, "portable");
#if defined(__AVX2__)
  arithmetic<simd::montgomery_tiles<simd::montgomery_avx2>>(rows, "AVX2");
#endif
#if defined(__AVX512F__)
  arithmetic<simd::montgomery_tiles<simd::montgomery_avx512>>(rows, "AVX-512");
#endif
#if defined(__AVX512IFMA__)
  arithmetic<simd::montgomery_tiles<simd::montgomery_ifma>>(rows, "IFMA");
#endif
#if defined(__aarch64__)
  arithmetic<simd::montgomery_tiles<simd::montgomery_neon>>(rows, "NEON");
#endif
  packing_rows(rows);
  paillier_of<portable>(rows, "portable", 1024, 16);
  paillier_of<simd::default_arch>(rows, "vectors", 1024, 16);
  paillier_of<simd::default_arch>(rows, "vectors", 2048, 8);

  std::printf("\n%d good, %d leak, %d planted leaks not seen\n", rows.passed, rows.leaks, rows.blind);
  if (rows.blind > 0)
    std::puts("This machine is too noisy to see a planted leak, so it says nothing of the others.");
  return rows.blind > 0 ? 3 : rows.leaks > 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "timing-leaks: %s\n", error.what());
  return 2;
}
