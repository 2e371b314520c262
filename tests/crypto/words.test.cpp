#include "support/big_numbers.hpp"
#include "support/catch.hpp"

#include <privet/crypto/words.hpp>

#include <memory>
#include <utility>

namespace {
struct watched {
  std::uint64_t word;
};
std::size_t watched_bytes_given_back = 0, watched_bytes_not_zero = 0;
} // namespace

/// The allocator below the wiping one: it sees what memory holds when it is given back.
template <>
struct privet::aligned_allocator<watched> {
  using value_type = watched;
  watched* allocate(std::size_t n) { return std::allocator<watched>().allocate(n); }
  void deallocate(watched* p, std::size_t n) noexcept {
    watched_bytes_given_back += n * sizeof(watched);
    for (std::size_t i = 0; i < n; ++i) watched_bytes_not_zero += p[i].word != 0 ? sizeof(watched) : 0;
    std::allocator<watched>().deallocate(p, n);
  }
  bool operator==(const aligned_allocator&) const noexcept { return true; }
};

using namespace privet;
using test::big_words;

namespace {

constexpr std::uint64_t ones = ~std::uint64_t{0};

/// Random numbers, and those where carries run far.
std::vector<big_words> numbers(std::size_t size) {
  std::vector<big_words> out = {big_words(size), big_words(size, ones)};
  out.push_back(big_words(size));
  out.back().front() = 1;
  out.push_back(big_words(size, ones));
  out.back().front() = ones - 1;
  out.push_back(big_words(size));
  out.back().back() = std::uint64_t{1} << 63;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) out.push_back(test::random_words(size, seed));
  return out;
}

bigint power_of_two(std::size_t bits) { return bigint(1) << static_cast<unsigned>(bits); }

} // namespace

TEST_CASE("bits of words are those of the number, within a word, across two and above the last") {
  const auto a = test::random_words(3, 7);
  for (std::size_t at = 0; at <= 260; ++at)
    for (unsigned bits = 0; bits <= 64; ++bits)
      CHECK(detail::bits_at(a, at, bits) ==
            (from_words(a) >> static_cast<unsigned>(at)) % power_of_two(bits));
}

TEST_CASE("sums, differences and comparisons of words are those of the numbers") {
  for (const std::size_t size : {1u, 2u, 3u, 8u, 33u})
    for (const auto& a : numbers(size))
      for (const auto& b : numbers(size)) {
        const bigint x = from_words(a), y = from_words(b), end = power_of_two(64 * size);
        big_words sum = a, rest = a;
        const bigint carry = add(sum, b), borrow = subtract(rest, b);
        CHECK(from_words(sum) + carry * end == x + y);
        CHECK(from_words(rest) - borrow * end == x - y);
        CHECK(is_less(a, b) == (x < y ? ones : 0));
        CHECK(equal(a, b) == (x == y ? ones : 0));
        CHECK(is_zero(a) == (x == 0 ? ones : 0));
      }
}

TEST_CASE("copies and selections follow their mask") {
  const auto a = test::random_words(5, 1), b = test::random_words(5, 2);
  for (const std::uint64_t bit : {0u, 1u}) {
    auto to = b;
    copy_if(mask_of(bit), a, to);
    CHECK(to == (bit ? a : b));
    big_words out(5);
    select(mask_of(bit), a, b, out);
    CHECK(out == (bit ? a : b));
    out = a;
    select(mask_of(bit), out, b, out);
    CHECK(out == (bit ? a : b));
  }
}

TEST_CASE("products of words are those of the numbers, in full and modulo a power of two") {
  for (const std::size_t left : {1u, 2u, 7u, 16u})
    for (const std::size_t right : {1u, 3u, 16u})
      for (const auto& a : numbers(left))
        for (const auto& b : numbers(right)) {
          const bigint exact = from_words(a) * from_words(b);
          big_words out(left + right, 7);
          multiply(a, b, out);
          CHECK(from_words(out) == exact);
          for (const std::size_t low : {std::size_t{1}, right, left + right, left + right + 2}) {
            big_words part(low, 7);
            multiply_low(a, b, part);
            CHECK(from_words(part) == exact % power_of_two(64 * low));
          }
        }
}

TEST_CASE("the inverse of an odd number divides its multiples") {
  for (const std::size_t size : {1u, 2u, 5u, 32u})
    for (auto n : numbers(size)) {
      n.front() |= 1;
      for (std::size_t length = 1; length <= size; ++length) {
        big_words inverse(length), one(length);
        inverse_of_odd(n, inverse);
        multiply_low(inverse, n, one);
        CHECK(from_words(one) == 1);
      }
      const auto quotient = test::random_words(size, 9);
      big_words multiple(2 * size), inverse(size), found(size);
      multiply(n, quotient, multiple);
      inverse_of_odd(n, inverse);
      multiply_low(multiple, inverse, found);
      CHECK(found == quotient);
    }
}

TEST_CASE("the length of a number is that of its highest bit") {
  CHECK(bit_length(std::span<const std::uint64_t>()) == 0);
  CHECK(bit_length(big_words{0, 0}) == 0);
  CHECK(bit_length(big_words{1, 0}) == 1);
  CHECK(bit_length(big_words{0, 1}) == 65);
  CHECK(bit_length(big_words{0, ones}) == 128);
}

TEST_CASE("secret words are wiped before their memory is given back") {
  watched_bytes_given_back = 0;
  {
    wiped_vector<watched> words(3, watched{ones});
    words.resize(40, watched{ones}); // outgrown
    const auto moved = std::move(words);
  }
  CHECK(watched_bytes_given_back >= 43 * sizeof(watched));
  CHECK(watched_bytes_not_zero == 0);
}
