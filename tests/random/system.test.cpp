#include "support/catch.hpp"

#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <sys/wait.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

using namespace privet;

static_assert(SecretRandomSource<system_random>);
static_assert(!std::copyable<system_random> && !std::movable<system_random>);

namespace {

/// Entropy that a test knows: call k hands out k in every word.
struct known_entropy {
  std::uint32_t* calls;
  void operator()(std::span<std::uint32_t, 8> out) const {
    ++*calls;
    std::fill(out.begin(), out.end(), *calls);
  }
};
using known_rng = detail::chacha20_rng<known_entropy>;
static_assert(RandomSource<known_rng> && !SecretRandomSource<known_rng>,
              "a test's source must not pass as secret");

struct no_entropy {
  const bool* broken;
  void operator()(std::span<std::uint32_t, 8> out) const {
    if (*broken) fail(fault::unsupported, "no entropy");
    std::fill(out.begin(), out.end(), 1u);
  }
};

std::vector<std::uint32_t> draw(auto& source, std::size_t n) {
  std::vector<std::uint32_t> words(n);
  source.fill(words);
  return words;
}

/// The specification, written with the one-block function.
struct expected_rng {
  simd::chacha20_key key;
  std::vector<std::uint32_t> ready{};
  void refill() {
    ready.clear();
    for (std::uint32_t counter = 0; counter < 16; ++counter)
      for (const auto word : simd::chacha20_block(key, counter, {})) ready.push_back(word);
    std::copy_n(ready.begin(), 8, key.begin());
    ready.erase(ready.begin(), ready.begin() + 8);
  }
  std::vector<std::uint32_t> draw(std::size_t n) {
    std::vector<std::uint32_t> out;
    while (out.size() < n) {
      if (ready.empty()) refill();
      out.push_back(ready.front());
      ready.erase(ready.begin());
    }
    return out;
  }
};

simd::chacha20_key all(std::uint32_t word) {
  simd::chacha20_key key;
  key.fill(word);
  return key;
}

bool occurs_in(std::span<const std::uint32_t> needle, std::span<const std::byte> memory) {
  const auto bytes = std::as_bytes(needle);
  return std::search(memory.begin(), memory.end(), bytes.begin(), bytes.end()) != memory.end();
}

} // namespace

TEST_CASE("the secret stream is chacha20 with fast key erasure, however calls split it") {
  expected_rng expected{all(1)};
  const auto words = expected.draw(1500);
  for (const std::size_t step : {1u, 7u, 8u, 247u, 248u, 249u, 1500u}) {
    std::uint32_t calls = 0;
    known_rng source(known_entropy{&calls});
    std::vector<std::uint32_t> got;
    while (got.size() < words.size()) {
      const auto part = draw(source, std::min(step, words.size() - got.size()));
      got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got == words);
    CHECK(calls == 1);
  }
}

TEST_CASE("reseeding mixes fresh entropy with the old key and drops what was ready") {
  std::uint32_t calls = 0;
  known_rng source(known_entropy{&calls});
  expected_rng expected{all(1)};
  CHECK(draw(source, 100) == expected.draw(100));
  source.reseed();
  for (auto& word : expected.key) word ^= 2;
  expected.ready.clear();
  CHECK(draw(source, 600) == expected.draw(600));
  CHECK(calls == 2);
}

TEST_CASE("fresh entropy comes unasked after 2^20 blocks, not one refill earlier") {
  std::uint32_t calls = 0;
  known_rng source(known_entropy{&calls});
  constexpr std::size_t per_refill = 16 * 16 - 8;
  std::vector<std::uint32_t> words(per_refill);
  for (std::uint32_t blocks = 0; blocks < known_rng::blocks_per_seed; blocks += 16) source.fill(words);
  CHECK(calls == 1);
  source.fill(std::span(words).first(1));
  CHECK(calls == 2);
}

TEST_CASE("words that were handed out, and keys, are gone from the memory of a source") {
  std::uint32_t calls = 0;
  alignas(known_rng) std::byte memory[sizeof(known_rng)];
  auto* source = new (memory) known_rng(known_entropy{&calls});
  CHECK(occurs_in(all(1), memory));
  const auto words = draw(*source, 40);
  CHECK_FALSE(occurs_in(all(1), memory));
  for (std::size_t i = 0; i < words.size(); i += 2)
    CHECK_FALSE(occurs_in(std::span(words).subspan(i, 2), memory));

  expected_rng expected{all(1)};
  expected.draw(40);
  CHECK(occurs_in(expected.key, memory));
  CHECK(occurs_in(std::span(expected.ready).first(8), memory));
  source->~known_rng();
  CHECK_FALSE(occurs_in(expected.key, memory));
  CHECK_FALSE(occurs_in(std::span(expected.ready).first(8), memory));
}

TEST_CASE("without entropy there are no words") {
  bool broken = true;
  CHECK_THROWS_AS(detail::chacha20_rng(no_entropy{&broken}), exception);
  broken = false;
  detail::chacha20_rng source(no_entropy{&broken});
  broken = true;
  CHECK_THROWS_AS(source.reseed(), exception);
}

TEST_CASE("a forked child never uses the key or the words of its parent") {
  std::uint32_t calls = 0;
  known_rng source(known_entropy{&calls});
  expected_rng parent{all(1)};
  REQUIRE(draw(source, 10) == parent.draw(10));

  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    expected_rng fresh{all(2)}; // the second call to the entropy, nothing of the first
    const bool right = draw(source, 300) == fresh.draw(300) && calls == 2;
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(draw(source, 300) == parent.draw(300)); // the parent goes on
}

TEST_CASE("a child without entropy gets nothing, at the first try and at every later one") {
  bool broken = false;
  detail::chacha20_rng source(no_entropy{&broken});
  draw(source, 1);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    broken = true;
    int refused = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        draw(source, 1);
      } catch (const exception&) {
        ++refused;
      }
    }
    ::_exit(refused == 2 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("two system sources, and two threads, never share words") {
  // A chance meeting of 4 words has probability 2^-128.
  system_random one, two;
  const auto a = draw(one, 4), b = draw(two, 4), c = draw(thread_system_random(), 4);
  std::vector<std::uint32_t> d;
  std::thread([&] { d = draw(thread_system_random(), 4); }).join();
  CHECK((a != b && a != c && a != d && b != c && b != d && c != d));
  one.reseed();
  CHECK(draw(one, 4) != a);
}

TEST_CASE("bits of the system source are balanced") {
  // Six standard deviations: a right source fails once in 5 10^8 runs.
  system_random source;
  long ones = 0;
  for (const auto word : draw(source, 32768)) ones += std::popcount(word);
  CHECK(std::abs(ones - 524288) < 6 * 512);
}
