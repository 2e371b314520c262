#include "support/catch.hpp"

#include <privet/crypto/packing.hpp>

#include <limits>

using namespace privet;
using Catch::Contains;

TEST_CASE("packing: slots are those of k - 2 bits but one, which is left to the canary") {
  for (const std::size_t key_bits : {2048u, 3072u, 4096u}) {
    const packing how{.key_bits = key_bits, .slot_bits = 32, .clients = 4};
    CHECK(how.slots() == (key_bits - 2) / 32 - 1);
    CHECK(how.canary_offset() + how.canary_sum_bits() <= key_bits - 2);
  }
  const packing how{.key_bits = 3072, .slot_bits = 32, .clients = 4};
  CHECK(how.slots() == 94);
  CHECK(how.canary_sum_bits() == 62);
  CHECK(how.canary_bits() == 60);
  CHECK(how.words() == 48);
  CHECK(how.plaintexts(0) == 0);
  CHECK(how.plaintexts(94) == 1);
  CHECK(how.plaintexts(95) == 2);
  CHECK(how.plaintexts(76'262) == 812);
  // What a client sends of 76,262 floats, in bytes for each of theirs.
  CHECK(static_cast<double>(how.plaintexts(76'262) * 2 * 3072 / 8) / (4 * 76'262) <= 2.1);
}

TEST_CASE("packing: every canary has at least forty bits, and at most sixty-four with its guard") {
  for (std::size_t key_bits = 128; key_bits <= 1100; ++key_bits)
    for (std::uint32_t bits = 8; bits <= 64; ++bits)
      for (const std::uint32_t clients : {1u, 3u, 64u, 1u << 20}) {
        const packing how{key_bits, bits, clients, 1, 1};
        if (!how.problem().empty()) continue;
        REQUIRE(how.slots() >= 1);
        REQUIRE(how.canary_bits() >= 40);
        REQUIRE(how.canary_sum_bits() <= 64);
        REQUIRE(how.canary_offset() + how.canary_sum_bits() <= key_bits - 2);
        REQUIRE(how.canary_bits() + how.guard_bits() == how.canary_sum_bits());
      }
}

TEST_CASE("packing: guard bits hold the carries of all clients, and of no more") {
  packing how{.slot_bits = 32, .clients = 4, .range = 32, .fraction_bits = 24};
  CHECK(how.most() == (1 << 29) - 1);
  CHECK(how.value_bits() == 30);
  CHECK(how.guard_bits() == 2);
  CHECK_NOTHROW(how.check());
  how.clients = 5;
  CHECK_THROWS_WITH(how.check(),
                    Contains("[N001 argument] packing: 5 clients need 3 guard bits above numbers "
                             "of 30 bits (range 32, 24 fraction bits), slots of 32 bits leave 2"));
  for (std::uint32_t clients = 1; clients <= 300; ++clients)
    for (std::uint32_t bits = 8; bits <= 20; ++bits)
      for (const double range : {1.0, 1.5, 3.0, 100.0}) {
        how = {.slot_bits = bits, .clients = clients, .range = range, .fraction_bits = 4};
        if (!how.problem().empty()) continue;
        const auto reached = std::uint64_t{clients} * 2 * static_cast<std::uint64_t>(how.most());
        REQUIRE(reached < std::uint64_t{1} << bits);
      }
}

TEST_CASE("packing: the widest slots and numbers") {
  const packing how{.slot_bits = 64, .clients = 2, .range = 0x1p62, .fraction_bits = 0};
  CHECK_NOTHROW(how.check());
  CHECK(how.most() == (std::int64_t{1} << 62) - 1);
  CHECK(how.value_bits() == 63);
  packing more = how;
  more.clients = 3;
  CHECK_THROWS_WITH(more.check(), Contains("3 clients need 2 guard bits above numbers of 63 bits"));
}

TEST_CASE("packing: the range excludes itself, whether or not it is a whole number of steps") {
  CHECK(packing{.range = 1, .fraction_bits = 3}.most() == 7);
  CHECK(packing{.range = 0.9, .fraction_bits = 3}.most() == 7); // 7.2 steps
  CHECK(packing{.range = 0.875, .fraction_bits = 3}.most() == 6);
}

TEST_CASE("packing: numbers that make no sense are refused with what was expected") {
  const auto problem = [](auto change) {
    packing how;
    change(how);
    CHECK_THROWS_WITH(how.check(), Contains("[N001 argument] packing: "));
    return how.problem();
  };
  CHECK(problem([](packing& p) { p.key_bits = 127; }) == "keys of 127 bits, expected 128 to 16384");
  CHECK(problem([](packing& p) { p.key_bits = 16385; }) == "keys of 16385 bits, expected 128 to 16384");
  CHECK(problem([](packing& p) { p.slot_bits = 7; }) == "slots of 7 bits, expected 8 to 64");
  CHECK(problem([](packing& p) { p.slot_bits = 65; }) == "slots of 65 bits, expected 8 to 64");
  CHECK(problem([](packing& p) { p.clients = 0; }) == "0 clients, expected 1 to 2^20");
  CHECK(problem([](packing& p) { p.clients = (1u << 20) + 1; }) == "1048577 clients, expected 1 to 2^20");
  CHECK(problem([](packing& p) { p.fraction_bits = -1; }) == "-1 fraction bits, expected 0 to 60");
  CHECK(problem([](packing& p) { p.fraction_bits = 61; }) == "61 fraction bits, expected 0 to 60");
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double range :
       {0.0, -1.0, 0x1p-24, 0x1.1p38, infinity, -infinity, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THAT(problem([&](packing& p) { p.range = range; }), Contains("steps, expected more than 1"));
}

TEST_CASE("packing: thirty-two clients at twenty-four bits stay within 2^-20") {
  CHECK(packing{.clients = 32, .fraction_bits = 24}.sum_error() == 0x1p-20);
  CHECK(packing{.clients = 4, .fraction_bits = 24}.sum_error() == 0x1p-23);
}
