#include "support/catch.hpp"

#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>
#include <privet/random/system_aes.hpp>

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
template <class Stream>
using known_rng = detail::fast_key_erasure_rng<Stream, known_entropy>;
static_assert(RandomSource<known_rng<detail::chacha20_stream>>);
static_assert(!SecretRandomSource<known_rng<detail::chacha20_stream>>,
              "a test's source must not pass as secret");

struct no_entropy {
  const bool* broken;
  void operator()(std::span<std::uint32_t, 8> out) const {
    if (*broken) fail(fault::unsupported, "no entropy");
    std::fill(out.begin(), out.end(), 1u);
  }
};

using no_entropy_rng = detail::fast_key_erasure_rng<detail::chacha20_stream, no_entropy>;

std::vector<std::uint32_t> draw(auto& source, std::size_t n) {
  std::vector<std::uint32_t> words(n);
  source.fill(words);
  return words;
}

/// What a seed makes, one block after the other: the words to hand out, then the next seed.
std::vector<std::uint32_t> made_of(detail::chacha20_stream, const detail::stream_seed& seed) {
  std::vector<std::uint32_t> words;
  for (std::uint32_t counter = 0; counter < 64; ++counter)
    for (const auto word : simd::chacha20_block(seed, counter, {})) words.push_back(word);
  return words;
}
std::vector<std::uint32_t> made_of(detail::aes128_stream, const detail::stream_seed& seed) {
  std::vector<std::uint32_t> words(4 * 514);
  simd::aes128_ctr<simd::aes_bitsliced>({seed[0], seed[1], seed[2], seed[3]})
      .blocks({seed[4] | std::uint64_t{seed[5]} << 32, seed[6] | std::uint64_t{seed[7]} << 32}, words);
  return words;
}

/// The specification.
template <class Stream>
struct expected_rng {
  detail::stream_seed seed;
  std::vector<std::uint32_t> ready{};

  std::vector<std::uint32_t> draw(std::size_t n) {
    std::vector<std::uint32_t> out;
    while (out.size() < n) {
      if (ready.empty()) {
        ready = made_of(Stream{}, seed);
        std::copy(ready.end() - 8, ready.end(), seed.begin());
        ready.resize(ready.size() - 8);
      }
      const auto count = static_cast<std::ptrdiff_t>(std::min(n - out.size(), ready.size()));
      out.insert(out.end(), ready.begin(), ready.begin() + count);
      ready.erase(ready.begin(), ready.begin() + count);
    }
    return out;
  }
};

detail::stream_seed all(std::uint32_t word) {
  detail::stream_seed seed;
  seed.fill(word);
  return seed;
}

bool occurs_in(std::span<const std::uint32_t> needle, std::span<const std::byte> memory) {
  const auto bytes = std::as_bytes(needle);
  return std::search(memory.begin(), memory.end(), bytes.begin(), bytes.end()) != memory.end();
}

} // namespace

#define STREAMS detail::chacha20_stream, detail::aes128_stream

TEMPLATE_TEST_CASE("the secret stream is as specified, however calls split it", "", STREAMS) {
  constexpr std::size_t out = TestType::handed_out, made = TestType::written;
  expected_rng<TestType> expected{all(1)};
  const auto words = expected.draw(5 * made);
  for (const std::size_t step : {std::size_t{7}, out - 1, out, out + 1, made - 1, made, made + 1, 2 * out,
                                 2 * made + 5, words.size()}) {
    std::uint32_t calls = 0;
    known_rng<TestType> source(known_entropy{&calls});
    std::vector<std::uint32_t> got;
    for (std::size_t turn = 0; got.size() < words.size(); ++turn) {
      const auto part = draw(source, std::min(turn % 3 == 1 ? 1 : step, words.size() - got.size()));
      got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got == words);
    CHECK(calls == 1);
  }
}

TEMPLATE_TEST_CASE("reseeding mixes fresh entropy with the old seed and drops what was ready", "", STREAMS) {
  std::uint32_t calls = 0;
  known_rng<TestType> source(known_entropy{&calls});
  expected_rng<TestType> expected{all(1)};
  CHECK(draw(source, 100) == expected.draw(100));
  source.reseed();
  for (auto& word : expected.seed) word ^= 2;
  expected.ready.clear();
  CHECK(draw(source, 600) == expected.draw(600));
  CHECK(calls == 2);
}

TEST_CASE("fresh entropy comes unasked after 64 MiB, not one refill earlier") {
  using stream = detail::chacha20_stream;
  for (const std::size_t seeds_per_call : {1u, 8u}) { // by way of the ready words, and straight
    std::uint32_t calls = 0;
    known_rng<stream> source(known_entropy{&calls});
    std::vector<std::uint32_t> words(seeds_per_call * stream::handed_out);
    for (std::size_t seeds = 0; seeds < (1 << 24) / stream::written; seeds += seeds_per_call)
      source.fill(words);
    CHECK(calls == 1);
    source.fill(std::span(words).first(1));
    CHECK(calls == 2);
  }
}

TEMPLATE_TEST_CASE("words that were handed out, and seeds, are gone from the memory of a source", "",
                   STREAMS) {
  using rng = known_rng<TestType>;
  std::uint32_t calls = 0;
  alignas(rng) std::byte memory[sizeof(rng)];
  auto* source = new (memory) rng(known_entropy{&calls});
  CHECK(occurs_in(all(1), memory));
  expected_rng<TestType> expected{all(1)};
  for (const std::size_t size : {std::size_t{40}, std::size_t{45}, 4 * TestType::written}) {
    const auto words = draw(*source, size);
    REQUIRE(words == expected.draw(size));
    CHECK_FALSE(occurs_in(all(1), memory));
    for (std::size_t i = 0; i < words.size(); i += i < 300 ? 2 : 202)
      REQUIRE_FALSE(occurs_in(std::span(words).subspan(i, 2), memory));
    CHECK(occurs_in(expected.seed, memory));
    CHECK(occurs_in(std::span(expected.ready).first(8), memory));
    // The next seed has left nowhere else: not even its first words.
    CHECK_FALSE(occurs_in(std::span(expected.seed).first(2), std::as_bytes(std::span(words))));
    CHECK_FALSE(occurs_in(std::span(expected.seed).first(2), std::as_bytes(std::span(expected.ready))));
  }
  source->~rng();
  CHECK_FALSE(occurs_in(std::span(expected.seed).first(2), memory));
  CHECK_FALSE(occurs_in(std::span(expected.ready).first(8), memory));
}

TEST_CASE("without entropy there are no words") {
  bool broken = true;
  CHECK_THROWS_AS(no_entropy_rng(no_entropy{&broken}), exception);
  broken = false;
  no_entropy_rng source(no_entropy{&broken});
  broken = true;
  CHECK_THROWS_AS(source.reseed(), exception);
}

TEMPLATE_TEST_CASE("a forked child never uses the seed or the words of its parent", "", STREAMS) {
  std::uint32_t calls = 0;
  known_rng<TestType> source(known_entropy{&calls});
  expected_rng<TestType> parent{all(1)};
  REQUIRE(draw(source, 10) == parent.draw(10));

  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    expected_rng<TestType> fresh{all(2)}; // the second call to the entropy, nothing of the first
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
  no_entropy_rng source(no_entropy{&broken});
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
