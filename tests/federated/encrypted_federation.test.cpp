#include "support/catch.hpp"
#include "support/encrypted.hpp"

#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/wire_dump.hpp>
#include <privet/optim/sgd.hpp>

#include <vector>

using namespace privet;

namespace {

/// Rounds of the plain server whose sums have the encoding of the encrypted ones.
std::vector<float> plain(std::size_t count, bool standardise = true) {
  const packing how = update_packing(512, 4);
  aggregation_server server(fedavg{.encoding = {.fraction_bits = how.fraction_bits}},
                            {.standardise = standardise, .seed = 3});
  offices four(test::model_of_tests, test::four_data_sets(), test::local_of_tests, 3);
  server.run(four, in_process{}, rounds{count});
  return {server.weights().begin(), server.weights().end()};
}

} // namespace

TEST_CASE("encrypted rounds are plain rounds, to the bit") {
  for (const bool standardise : {true, false}) {
    test::encrypted_federation f(test::dealt_whole(), {.standardise = standardise, .seed = 3},
                                 test::four_in_clear(), standardise);
    f.run(3);
    const auto expected = plain(3, standardise);
    for (std::size_t i = 0; i < 4; ++i) {
      REQUIRE(f.weights(i) == expected);
      CHECK(f.offices[i]->clipped() == 0);
      CHECK(f.offices[i]->loss() > 0);
    }
  }
}

TEST_CASE("shares of a key open what the whole key opens") {
  const auto expected = plain(2);
  for (const std::size_t threshold : {3u, 4u}) {
    test::encrypted_federation f(test::dealt_shares(threshold));
    f.run(2);
    for (std::size_t i = 0; i < 4; ++i) CHECK(f.weights(i) == expected);
  }
  // Two pairs of offices could open two sums of one round.
  CHECK_THROWS_WITH(test::encrypted_federation(test::dealt_shares(2)),
                    Catch::Matchers::Contains("more than 2"));
}

TEST_CASE("a federation that is taken up goes on to the bit") {
  test::encrypted_federation whole(test::dealt_whole()), first(test::dealt_whole()),
      second(test::dealt_whole(), encrypted_server_options{.standardise = false, .seed = 3});
  whole.run(4);
  first.run(2);
  for (std::size_t i = 0; i < 4; ++i)
    second.offices[i]->take_up(first.weights(i), 2, first.offices[i]->scaling());
  second.run(2);
  CHECK(second.weights(0) == whole.weights(0));
}

TEST_CASE("an optimiser at the offices steps as one at a server would, to the bit") {
  const server_optimizer steps(chain(sgd{.learning_rate = 0.5, .momentum = 0.9}));
  const packing how = update_packing(512, 4);
  const server_optimizer in_clear(chain(sgd{.learning_rate = 0.5, .momentum = 0.9}),
                                  fedavg{.encoding = {.fraction_bits = how.fraction_bits}});
  aggregation_server server(in_clear, {.seed = 3});
  offices four(test::model_of_tests, test::four_data_sets(), test::local_of_tests, 3);
  server.run(four, in_process{}, rounds{3});

  const auto blind = steps.run_by(curious{});
  test::encrypted_federation<key_opener<>, std::remove_const_t<decltype(blind)>> f(
      test::dealt_whole(), {.seed = 3}, test::four_in_clear(), true, blind);
  f.run(3);
  CHECK(f.weights(0) == test::copy_weights(server.weights()));
  CHECK(f.weights(3) == f.weights(0));
  CHECK(f.offices[0]->kept().slots == server.aggregator_memory().slots);
  CHECK(f.offices[0]->loss() > 0);
}

TEST_CASE("what a server sees of rows is encrypted, all of it") {
  test::encrypted_federation f(test::dealt_shares());
  wire_dump watched;
  f.server.run(watched.watch(f.ends), network(test::model_of_tests), rounds{2});
  CHECK(watched.encrypted_fraction() == 1);
  CHECK(watched.clear_bytes() == 0);
  CHECK(watched.encrypted_bytes() > 4 * 3 * 1000);

  offices four(test::model_of_tests, test::four_data_sets(), test::local_of_tests, 3);
  wire_dump plain_wire;
  aggregation_server(fedavg{}, {.seed = 3}).run(plain_wire.watch(four.links()), four.model(), rounds{2});
  CHECK(plain_wire.encrypted_fraction() == 0);
}

TEST_CASE("encrypted rounds are the same on any number of threads") {
  test::encrypted_federation one(test::dealt_whole(), encrypted_server_options{.seed = 3, .threads = 1}),
      four(test::dealt_whole(), encrypted_server_options{.seed = 3, .threads = 4});
  one.run(2);
  four.run(2);
  CHECK(one.weights(0) == four.weights(0));
}

TEST_CASE("a sum of updates is that of floats to 2^-20, for any number of clients") {
  for (const std::uint32_t clients : {3u, 4u, 16u, 17u, 1000u, 1u << 20}) {
    const packing how = update_packing(3072, clients);
    CHECK(how.problem() == "");
    CHECK(how.sum_error() <= 0x1p-20);
  }
  CHECK(update_packing(3072, 4).slots() == 94);
}

TEST_CASE("wide numbers are split and joined as fixed_point has them") {
  for (const double x : {0.0, 1.0, -1.0, 0x1p-64, -0x1p-64, 4.1e6, -4.1e6, 1.7e13, -1.7e13, 0.1, -1e-7}) {
    std::int64_t pieces[3];
    wide_numbers::split(x, pieces);
    CHECK(wide_numbers::join(pieces) == wide_numbers::encoding.decode(wide_numbers::encoding.encode(x)));
    const packing how = wide_numbers::packing_for(3072, 4);
    for (const auto piece : pieces) CHECK(std::abs(piece) <= how.most());
  }
  // Sums of pieces are pieces of sums.
  std::int64_t sums[3] = {0, 0, 0};
  int128 all = 0;
  for (int i = 0; i < 1000; ++i) {
    const double x = 1e6 * std::sin(i);
    std::int64_t pieces[3];
    wide_numbers::split(x, pieces);
    for (int k = 0; k < 3; ++k) sums[k] += pieces[k];
    all += wide_numbers::encoding.encode(x);
  }
  CHECK(wide_numbers::join(sums) == wide_numbers::encoding.decode(all));
}
