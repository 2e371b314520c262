#include "support/catch.hpp"

#include <privet/data/sampler.hpp>

#include <set>

using namespace privet;

namespace {

std::vector<std::uint32_t> order(const shuffled_batches& batches) {
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < batches.size(); ++i)
    rows.insert(rows.end(), batches[i].begin(), batches[i].end());
  return rows;
}

} // namespace

TEST_CASE("an epoch visits every row once and keeps the last, smaller batch") {
  shuffled_batches batches(10, 4, 1);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].size() == 4);
  CHECK(batches[2].size() == 2);
  auto rows = order(batches);
  CHECK(rows == std::vector<std::uint32_t>(batches.order().begin(), batches.order().end()));
  std::sort(rows.begin(), rows.end());
  for (std::uint32_t i = 0; i < 10; ++i) CHECK(rows[i] == i);
  CHECK(shuffled_batches(8, 4, 1).size() == 2);
  CHECK(shuffled_batches(3, 100, 1)[0].size() == 3);
}

TEST_CASE("an epoch's order depends on seed, stream and epoch alone") {
  shuffled_batches a(50, 8, 1, 2), b(50, 20, 1, 2);
  CHECK(order(a) == order(b));
  b.start(3);
  CHECK(order(a) != order(b));
  a.start(1);
  a.start(3);
  CHECK(order(a) == order(b));
  std::set<std::vector<std::uint32_t>> seen;
  for (std::uint64_t seed = 0; seed < 3; ++seed)
    for (std::uint64_t stream = 0; stream < 3; ++stream)
      for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
        shuffled_batches c(50, 8, seed, stream);
        c.start(epoch);
        seen.insert(order(c));
      }
  CHECK(seen.size() == 27);
}

TEST_CASE("an epoch may be started twice, left and started again") {
  const auto fresh = order(shuffled_batches(50, 8, 1, 2));
  shuffled_batches batches(50, 8, 1, 2);
  batches.start(0);
  CHECK(order(batches) == fresh);
  batches.start(4);
  const auto fourth = order(batches);
  CHECK(fourth != fresh);
  batches.start(4);
  CHECK(order(batches) == fourth);
  batches.start(0);
  CHECK(order(batches) == fresh);
  CHECK_THROWS_AS(batches.start(std::uint64_t{1} << 24), exception);
  CHECK(order(batches) == fresh);
  CHECK_THROWS_AS(batches.start(~std::uint64_t{0}), exception); // not the mark for "none drawn yet"
}

TEST_CASE("a new epoch allocates nothing") {
  shuffled_batches batches(1000, 64, 1);
  const auto* where = batches.order().data();
  for (std::uint64_t epoch = 1; epoch < 20; ++epoch) {
    batches.start(epoch);
    CHECK(batches.order().data() == where);
  }
}

TEST_CASE("every row is equally likely to come first") {
  // 5000 epochs of 5 rows: chi-square with 4 degrees of freedom exceeds 23.5 once in 10000; the seed is
  // fixed.
  shuffled_batches batches(5, 1, 9);
  std::vector<double> first(5);
  for (std::uint64_t epoch = 0; epoch < 5000; ++epoch) {
    batches.start(epoch);
    ++first[batches[0][0]];
  }
  double chi_square = 0;
  for (const double n : first) chi_square += (n - 1000) * (n - 1000) / 1000;
  CHECK(chi_square < 23.5);
}

TEST_CASE("batches of nothing are refused") {
  CHECK_THROWS_AS(shuffled_batches(0, 4, 1), exception);
  CHECK_THROWS_AS(shuffled_batches(4, 0, 1), exception);
  CHECK_THROWS_AS(shuffled_batches(4, 2, 1).start(std::uint64_t{1} << 24), exception);
}
