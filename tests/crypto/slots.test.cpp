#include "fixtures/packing.hpp"
#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/core/fixed_point.hpp>
#include <privet/crypto/slots.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

using words = std::vector<std::uint64_t>;
using integers = std::vector<std::int64_t>;

cohort_key key_of_run(std::string_view run = "run 1") {
  std::array<std::byte, 32> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return cohort_key(cohort_secret(bytes), sha256("a public key"), run);
}
const cohort_key key = key_of_run();

/// What adding ciphertexts does to plaintexts, as long as these stay below n: addition of long numbers.
void add_numbers(std::span<std::uint64_t> sum, std::span<const std::uint64_t> term) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const std::uint64_t with = sum[i] + carry;
    carry = with < carry;
    sum[i] = with + term[i];
    carry += sum[i] < term[i];
  }
}
/// Of plaintexts of so many words, one by one.
void add_all(words& sum, const words& term, std::size_t each) {
  for (std::size_t at = 0; at < sum.size(); at += each)
    add_numbers(std::span(sum).subspan(at, each), std::span(term).subspan(at, each));
}

words packed(const packing& how, std::uint32_t round, std::uint32_t client, std::span<const std::int64_t> x,
             const cohort_key& of = key) {
  words out(how.plaintexts(x.size()) * how.words(), ~std::uint64_t{0});
  static_cast<void>(pack(how, {of, round, client}, x, out).value());
  return out;
}
std::uint64_t draw(replayable_random& source) {
  std::uint32_t two[2];
  source.fill(two);
  return two[0] | std::uint64_t{two[1]} << 32;
}

/// Four clients in round 9, and the sum of all of them.
struct round_of_four {
  static constexpr std::size_t count = 113;
  packing how{.key_bits = 1024, .slot_bits = 24, .clients = 5, .range = 8, .fraction_bits = 16};
  std::vector<std::uint32_t> cohort{3, 1, 7, 4};
  std::vector<integers> numbers;
  std::vector<words> plaintexts;
  words opened;
  integers sums = integers(count);

  explicit round_of_four(std::uint32_t round = 9) {
    replayable_random source(round);
    opened = words(how.plaintexts(count) * how.words());
    for (const auto client : cohort) {
      integers x(count);
      for (auto& v : x) v = static_cast<std::int64_t>(draw(source) % 2001) - 1000;
      plaintexts.push_back(packed(how, round, client, x));
      numbers.push_back(std::move(x));
      add_all(opened, plaintexts.back(), how.words());
    }
  }
  status unpack(std::span<const std::uint64_t> what, std::span<const std::uint32_t> of,
                std::uint32_t round = 9) {
    std::ranges::fill(sums, 12345);
    auto done = unpack_sum(how, key, round, of, what, sums);
    if (!done) CHECK(std::ranges::all_of(sums, [](auto n) { return n == 0; })); // nothing is half accepted
    return done;
  }
  std::string refusal(std::span<const std::uint64_t> what, std::span<const std::uint32_t> of,
                      std::uint32_t round = 9) {
    const auto done = unpack(what, of, round);
    REQUIRE_FALSE(done);
    return done.error().message;
  }
  std::span<std::uint64_t> plaintext(words& of, std::size_t p) const {
    return std::span(of).subspan(p * how.words(), how.words());
  }
};

} // namespace

TEST_CASE("slots: plaintexts, their sum and what comes out of it are those of whole numbers of Python") {
  const packing how{.key_bits = 256, .slot_bits = 24, .clients = 3, .range = 0.5, .fraction_bits = 20};
  const std::uint64_t examples[] = {3, 5, 8};
  constexpr std::size_t count = std::size(test::packing::x[0]);
  const std::size_t size = how.plaintexts(count) * how.words();
  const auto expected = [size](const std::uint32_t* halves) {
    words out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
    return out;
  };
  REQUIRE(std::size(test::packing::opened) == 2 * size);
  words sum(size);
  for (std::uint32_t client = 1; client <= 3; ++client) {
    words out(size, ~std::uint64_t{0});
    const auto clipped =
        pack(how, {key, 7, client}, {examples[client - 1], 16}, test::packing::x[client - 1], out);
    REQUIRE(clipped);
    CHECK(*clipped == 2);
    CHECK(out == expected(test::packing::plaintexts[client - 1]));
    words scalar(size), again(size);
    REQUIRE(pack<simd::scalar>(how, {key, 7, client}, {examples[client - 1], 16},
                               test::packing::x[client - 1], scalar));
    CHECK(scalar == out);
    const auto* given = test::packing::integers[client - 1];
    REQUIRE(pack(how, {key, 7, client}, integers(given, given + count), again));
    CHECK(again == out);
    add_all(sum, out, how.words());
  }
  CHECK(sum == expected(test::packing::opened));
  integers sums(count);
  const std::uint32_t cohort[] = {2, 3, 1};
  REQUIRE(unpack_sum(how, key, 7, cohort, sum, sums));
  CHECK(std::ranges::equal(sums, test::packing::sums));
}

TEST_CASE("slots: packed sums are the sums of integers, whatever the widths and the order of clients") {
  const auto seed = GENERATE(range(1u, 121u));
  INFO("seed " << seed);
  replayable_random source(seed);
  const auto between = [&](std::uint64_t low, std::uint64_t high) {
    return low + draw(source) % (high - low + 1);
  };
  packing how;
  how.key_bits = between(128, 700);
  how.clients = static_cast<std::uint32_t>(between(1, 9));
  how.slot_bits = static_cast<std::uint32_t>(between(8, 64));
  how.fraction_bits = 0;
  const auto widest = std::min<std::uint64_t>(how.slot_bits - how.guard_bits() - 1, 62);
  how.range = static_cast<double>(std::uint64_t{1} << between(1, widest));
  REQUIRE(how.problem() == "");

  const std::size_t count = between(1, 100), clients = between(1, how.clients);
  std::vector<std::uint32_t> cohort(clients);
  std::iota(cohort.begin(), cohort.end(), static_cast<std::uint32_t>(between(1, 1u << 30)));
  const std::uint64_t most = static_cast<std::uint64_t>(how.most());
  const auto kind = between(0, 3); // all highest, all lowest, only extremes, anything
  words sum(how.plaintexts(count) * how.words());
  integers expected(count), sums(count);
  std::vector<words> terms;
  for (const auto client : cohort) {
    integers x(count);
    for (auto& v : x) {
      const bool low = kind == 1 || (kind == 2 && between(0, 1));
      v = kind == 3 ? static_cast<std::int64_t>(between(0, 2 * most) - most) : low ? -how.most() : how.most();
    }
    for (std::size_t i = 0; i < count; ++i) expected[i] += x[i];
    terms.push_back(packed(how, 3, client, x));
  }
  for (const auto& term : terms) add_all(sum, term, how.words());
  REQUIRE(unpack_sum(how, key, 3, cohort, sum, sums));
  CHECK(sums == expected);

  words backwards(sum.size());
  std::ranges::reverse(terms);
  std::ranges::reverse(cohort);
  for (const auto& term : terms) add_all(backwards, term, how.words());
  CHECK(backwards == sum);
  REQUIRE(unpack_sum<simd::scalar>(how, key, 3, cohort, backwards, sums));
  CHECK(sums == expected);
}

TEST_CASE("slots: opened floats equal the fixed-point sum to the bit, and that of floats to 2^-20") {
  const packing how{.key_bits = 3072, .clients = 4, .range = 16, .fraction_bits = 24};
  constexpr std::size_t count = 1000;
  const std::uint64_t examples[] = {347, 302, 364, 408};
  fixed_sum plain(count, {.fraction_bits = 24, .whole_bits = 4});
  std::vector<double> floats(count), opened(count);
  words sum(how.plaintexts(count) * how.words());
  const std::uint32_t cohort[] = {1, 2, 3, 4};
  for (const std::uint32_t client : cohort) {
    const example_weight weight{examples[client - 1], 1421};
    const auto x = test::normals<float>(count, client);
    std::vector<float> sent(count);
    for (std::size_t i = 0; i < count; ++i) {
      sent[i] = static_cast<float>(weight.value() * static_cast<double>(x[i]));
      floats[i] += static_cast<double>(sent[i]);
    }
    REQUIRE(plain.add(std::span<const float>(sent)));
    words out(sum.size());
    REQUIRE(pack(how, {key, 0, client}, weight, x, out).value() == 0);
    add_all(sum, out, how.words());
  }
  integers sums(count);
  REQUIRE(unpack_sum(how, key, 0, cohort, sum, sums));
  from_fixed_update(how, std::span<const std::int64_t>(sums), std::span(opened));
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(opened[i] == plain[i]);
    REQUIRE(std::abs(opened[i] - floats[i]) <= 0x1p-20);
  }
}

TEST_CASE("slots: random rounding packs what to_fixed_update makes of the same words") {
  const packing how{.key_bits = 512, .slot_bits = 16, .clients = 1, .range = 1, .fraction_bits = 10};
  auto x = test::normals<float>(333, 2);
  for (auto& v : x) v *= 0.2f;
  words out(how.plaintexts(x.size()) * how.words());
  integers expected(x.size()), sums(x.size());
  replayable_random one(4), other(4);
  REQUIRE(pack(how, {key, 1, 1}, {2, 3}, x, out, round_at_random{one}));
  REQUIRE(to_fixed_update(how, {2, 3}, x, std::span(expected), round_at_random{other}));
  const std::uint32_t cohort[] = {1};
  REQUIRE(unpack_sum(how, key, 1, cohort, out, sums));
  CHECK(sums == expected);
}

TEST_CASE("slots: no numbers are no plaintexts") {
  const packing how;
  const std::uint32_t cohort[] = {1};
  CHECK(pack(how, {key, 1, 1}, {}, std::span<const float>(), {}));
  CHECK(unpack_sum(how, key, 1, cohort, {}, {}));
}

TEST_CASE("slots: what may not be packed leaves nothing behind") {
  const packing how{.key_bits = 512, .slot_bits = 32, .clients = 2};
  words out(how.plaintexts(40) * how.words(), 1);
  const auto clean = [&] { return std::ranges::all_of(out, [](auto w) { return w == 0; }); };
  std::vector<float> x(40, 0.5f);
  x[37] = std::numeric_limits<float>::quiet_NaN(); // in the last plaintext
  const auto nan = pack(how, {key, 1, 1}, {}, x, out);
  REQUIRE_FALSE(nan);
  CHECK_THAT(nan.error().message, Contains("[N008 range] fixed-point update: number 37 is nan"));
  CHECK(clean());
  x[37] = -5000;
  out.assign(out.size(), 1);
  const auto huge = pack(how, {key, 1, 1}, {1, 2}, x, out);
  REQUIRE_FALSE(huge);
  CHECK_THAT(huge.error().message, Contains("number 37 is -5000 times 0.5, the range is 1"));
  CHECK(clean());

  integers n(40, how.most());
  REQUIRE(pack(how, {key, 1, 1}, n, out));
  for (const std::int64_t bad : {how.most() + 1, -how.most() - 1, std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max()}) {
    n[21] = bad;
    const auto refused = pack(how, {key, 1, 1}, n, out);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message,
               Contains(concat("integer 21 is ", bad, ", a slot holds up to ", how.most())));
    CHECK(clean());
  }
}

TEST_CASE("slots: mistakes of the caller are thrown before anything is written") {
  packing how{.key_bits = 512, .slot_bits = 32, .clients = 2};
  const std::vector<float> x(40);
  words out(how.plaintexts(40) * how.words(), 1), small(out.size() - 1, 1);
  CHECK_THROWS_WITH(pack(how, {key, 1, 1}, {}, x, small),
                    Contains("packing of 40 numbers: room for 23 words, 3 plaintexts of 8 need 24"));
  CHECK_THROWS_WITH(pack(how, {key, 1, 0}, {}, x, out), Contains("client 0 is the server"));
  CHECK_THROWS_WITH(pack(how, {key, 1, 1}, {7, 3}, x, out), Contains("7 examples of 3"));
  how.clients = 200; // 25 bits and 8 of guard
  CHECK_THROWS_WITH(pack(how, {key, 1, 1}, {}, x, out), Contains("200 clients need 8 guard bits"));
  CHECK_THROWS_WITH(pack(how, {key, 1, 1}, integers(40), out), Contains("200 clients need 8 guard bits"));
  integers sums(40);
  const std::uint32_t cohort[] = {1};
  CHECK_THROWS_WITH(unpack_sum(how, key, 1, cohort, out, sums), Contains("200 clients need 8 guard bits"));
  CHECK(std::ranges::all_of(out, [](auto w) { return w == 1; }));
}

TEST_CASE("slots: a source that fails leaves nothing behind") {
  struct broken_source {
    int calls = 0;
    void fill(std::span<std::uint32_t> words) {
      if (++calls == 3) fail(fault::unsupported, "no entropy");
      std::ranges::fill(words, 0u);
    }
  } source;
  const packing how{.key_bits = 512, .slot_bits = 32, .clients = 2};
  words out(how.plaintexts(40) * how.words(), 1);
  const std::vector<float> x(40, 0.25f);
  CHECK_THROWS(pack(how, {key, 1, 1}, {}, x, out, round_at_random{source}));
  CHECK(std::ranges::all_of(out, [](auto w) { return w == 0; }));
}

TEST_CASE("slots: the honest sum of a cohort opens, in any order of its names") {
  round_of_four r;
  REQUIRE(r.unpack(r.opened, r.cohort));
  for (std::size_t i = 0; i < r.sums.size(); ++i)
    REQUIRE(r.sums[i] == r.numbers[0][i] + r.numbers[1][i] + r.numbers[2][i] + r.numbers[3][i]);
  CHECK(r.unpack(r.opened, std::vector<std::uint32_t>{1, 3, 4, 7}));
}

TEST_CASE(
    "slots: a server that leaves a client out, or adds one twice, is found out at the first ciphertext") {
  round_of_four r;
  words without(r.opened.size()), twice = r.opened;
  for (std::size_t c = 0; c < 3; ++c) add_all(without, r.plaintexts[c], r.how.words());
  add_all(twice, r.plaintexts[2], r.how.words());
  CHECK_THAT(
      r.refusal(without, r.cohort),
      Contains("[N009 message] packed sum: ciphertext 0 of 3 does not hold the canaries of 4 clients in "
               "round 9"));
  CHECK_THAT(r.refusal(twice, r.cohort), Contains("ciphertext 0 of 3 does not hold"));
  CHECK(r.unpack(without, std::vector<std::uint32_t>{3, 1, 7})); // said openly, it is another cohort
  CHECK_THAT(r.refusal(r.plaintexts[1], r.cohort), Contains("ciphertext 0"));
  CHECK_THAT(r.refusal(words(r.opened.size()), r.cohort), Contains("ciphertext 0"));
}

TEST_CASE("slots: a server that mixes cohorts per ciphertext is found out at the one it mixed") {
  for (const std::size_t mixed : {0u, 1u, 2u}) {
    round_of_four r;
    auto sum = r.plaintext(r.opened, mixed);
    std::ranges::fill(sum, 0);
    for (const std::size_t c : {0u, 1u, 1u, 3u}) add_numbers(sum, r.plaintext(r.plaintexts[c], mixed));
    CHECK_THAT(r.refusal(r.opened, r.cohort), Contains(concat("ciphertext ", mixed, " of 3")));
  }
}

TEST_CASE("slots: ciphertexts of another place, round, client or run are found out") {
  {
    round_of_four r; // another place
    std::ranges::swap_ranges(r.plaintext(r.opened, 0), r.plaintext(r.opened, 1));
    CHECK_THAT(r.refusal(r.opened, r.cohort), Contains("ciphertext 0"));
  }
  {
    round_of_four r, earlier(8); // another round, of all or of one
    CHECK_THAT(r.refusal(earlier.opened, r.cohort), Contains("in round 9"));
    CHECK(r.unpack(earlier.opened, r.cohort, 8));
    words sum(r.opened.size());
    for (std::size_t c = 0; c < 4; ++c)
      add_all(sum, c == 2 ? earlier.plaintexts[c] : r.plaintexts[c], r.how.words());
    CHECK_THAT(r.refusal(sum, r.cohort), Contains("ciphertext 0"));
  }
  round_of_four r;
  CHECK_THAT(r.refusal(r.opened, std::vector<std::uint32_t>{3, 1, 7, 5}), Contains("ciphertext 0"));
  const auto other = key_of_run("run 2");
  CHECK_FALSE(unpack_sum(r.how, other, 9, r.cohort, r.opened, r.sums));
}

TEST_CASE("slots: a constant in the canary is found out, every bit of it and all above") {
  for (std::size_t p = 0; p < 3; ++p) {
    round_of_four r;
    for (std::size_t bit = r.how.canary_offset(); bit < 64 * r.how.words(); ++bit) {
      auto changed = r.opened;
      r.plaintext(changed, p)[bit / 64] ^= std::uint64_t{1} << bit % 64;
      REQUIRE_FALSE(unpack_sum(r.how, key, 9, r.cohort, changed, r.sums));
    }
  }
}

TEST_CASE("slots: a multiple that leaves the canary's low bits alone is found out") {
  round_of_four r; // adding 2^s times a ciphertext moves the canary's upper bits only
  for (std::uint32_t s = 1; s < r.how.canary_bits(); ++s) {
    auto sum = r.opened;
    words shifted(r.how.words());
    const auto term = r.plaintext(r.plaintexts[1], 0);
    for (std::size_t i = 0; i < shifted.size(); ++i) {
      const std::uint64_t below = i * 64 >= s ? term[i - s / 64] << s % 64 : 0;
      shifted[i] = below | (i > s / 64 && s % 64 ? term[i - s / 64 - 1] >> (64 - s % 64) : 0);
    }
    add_numbers(r.plaintext(sum, 0), shifted);
    REQUIRE_FALSE(unpack_sum(r.how, key, 9, r.cohort, sum, r.sums));
  }
}

TEST_CASE("slots: a constant in a slot is not the canary's to find, only what no client can reach is") {
  round_of_four r;
  auto moved = r.opened;
  moved[0] += 5; // slot 0
  REQUIRE(r.unpack(moved, r.cohort));
  CHECK(r.sums[0] == 5 + r.numbers[0][0] + r.numbers[1][0] + r.numbers[2][0] + r.numbers[3][0]);

  const auto limit = 2 * 4 * static_cast<std::uint64_t>(r.how.most());
  const std::size_t slots = r.how.slots();
  for (const std::size_t number : {std::size_t{0}, slots - 1, slots, round_of_four::count - 1}) {
    const std::size_t p = number / slots, bit = number % slots * r.how.slot_bits;
    const auto put = [&](std::uint64_t value) {
      auto changed = r.opened;
      const auto plaintext = r.plaintext(changed, p);
      for (std::size_t b = 0; b < r.how.slot_bits; ++b) {
        auto& word = plaintext[(bit + b) / 64];
        word = (word & ~(std::uint64_t{1} << (bit + b) % 64)) | (value >> b & 1) << (bit + b) % 64;
      }
      return changed;
    };
    REQUIRE(r.unpack(put(limit), r.cohort));
    CHECK(r.sums[number] == 4 * r.how.most());
    CHECK_THAT(
        r.refusal(put(limit + 1), r.cohort),
        Contains(concat("[N008 range] packed sum: slot ", number % slots, " of ciphertext ", p, ", number ",
                        number, ", holds ", limit + 1, ", 4 clients reach up to ", limit)));
  }
}

TEST_CASE("slots: the slots that no number uses stay empty") {
  round_of_four r;
  const std::size_t used = round_of_four::count - 2 * r.how.slots();
  auto last = r.plaintext(r.opened, 2);
  REQUIRE(used < r.how.slots());
  for (std::size_t slot = used; slot < r.how.slots(); ++slot) {
    const std::size_t bit = slot * r.how.slot_bits;
    last[bit / 64] ^= std::uint64_t{1} << bit % 64;
    CHECK_THAT(r.refusal(r.opened, r.cohort), Contains(concat("slot ", slot, " of ciphertext 2")));
    last[bit / 64] ^= std::uint64_t{1} << bit % 64;
  }
}

TEST_CASE("slots: a client that writes past its last slot moves the canary") {
  round_of_four r;
  words over(r.how.words());
  const std::size_t bit = r.how.canary_offset();
  over[bit / 64] = std::uint64_t{1} << bit % 64;
  add_numbers(r.plaintext(r.opened, 1), over);
  CHECK_THAT(r.refusal(r.opened, r.cohort), Contains("ciphertext 1 of 3"));
}

TEST_CASE("slots: cohorts that are none") {
  round_of_four r;
  CHECK_THAT(r.refusal(r.opened, {}), Contains("of 0 clients, its guard bits are for 1 to 5"));
  CHECK_THAT(r.refusal(r.opened, std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6}),
             Contains("of 6 clients, its guard bits are for 1 to 5"));
  CHECK_THAT(r.refusal(r.opened, std::vector<std::uint32_t>{1, 3, 7, 3}),
             Contains("client 3 is in it twice"));
  CHECK_THAT(r.refusal(r.opened, std::vector<std::uint32_t>{1, 0, 7, 3}), Contains("client 0 is the server"));
  const auto cut = std::span<const std::uint64_t>(r.opened).first(r.opened.size() - 1);
  CHECK_THAT(r.refusal(cut, r.cohort), Contains("got 47 words, expected 3 plaintexts of 16"));
  CHECK_THAT(r.refusal({}, r.cohort), Contains("got 0 words"));
}
