#include "support/catch.hpp"
#include "support/encrypted.hpp"

#include <privet/federated/shared_noise.hpp>
#include <privet/federated/wire_dump.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

auto upload_of(double noise_multiplier, std::uint32_t holders) {
  return chain(clip_l2{.bound = 0.5}, sum_over_batch{},
               gaussian_share{.noise_multiplier = noise_multiplier, .holders = holders});
}
const poisson sampler{.rate = 0.5};
auto sum_of(std::uint32_t holders) {
  return shared_sum{upload_of(0.8, holders), sampler,
                    chain(sgd{.learning_rate = 0.5, .momentum = 0.9}, cosine_rate{.steps = 10})}
      .run_by(curious{});
}
using aggregator = decltype(sum_of(1));

const payment free_of_charge = [](const privacy_event&, std::string_view) -> status { return nothing{}; };

/// Rows of so many persons: every fifth is of the same one.
dataset<float> with_persons(dataset<float> data) {
  data.groups.resize(data.rows());
  for (std::size_t r = 0; r < data.rows(); ++r) data.groups[r] = static_cast<std::int32_t>(r / 5);
  return data;
}
const shared_noise_recipe by_row{upload_of(0.8, 3), sampler, free_of_charge};
const auto own = chain(average_over_batch{}, sgd{.learning_rate = 0.1});
const shared_user_recipe<std::remove_const_t<decltype(own)>, decltype(upload_of(1, 1))> by_person{
    {own, 1, 4}, upload_of(0.8, 3), sampler, free_of_charge};

/// Offices in clear; what they send is kept.
template <class Recipe>
std::vector<std::unique_ptr<participant>> offices_of(const Recipe& recipe,
                                                     std::vector<client_share>& shares) {
  std::vector<std::unique_ptr<participant>> all;
  for (auto& rows : test::four_data_sets()) {
    const auto id = static_cast<std::uint32_t>(all.size() + 1);
    all.push_back(std::make_unique<test::altered>(
        std::make_unique<office<Recipe>>(id, with_persons(std::move(rows)), recipe, 3),
        [&shares](const message& request, std::vector<std::byte> reply) {
          if (request.kind == message_kind::train)
            shares.push_back(decode_share(decode_message(reply).value()).value());
          return reply;
        }));
  }
  return all;
}

template <class Opener>
auto federation_of(dealt_keys<Opener> keys, std::vector<std::unique_ptr<participant>> offices,
                   std::uint32_t holders = 3) {
  return test::encrypted_federation<Opener, aggregator>(std::move(keys), {.standardise = false, .seed = 3},
                                                        std::move(offices), false, sum_of(holders));
}

} // namespace

template <class Recipe>
void check_sums(const Recipe& recipe) {
  std::vector<client_share> shares;
  auto f = federation_of(test::dealt_shares(), offices_of(recipe, shares));
  wire_dump watched;
  f.server.run(watched.watch(f.ends), network(test::model_of_tests), rounds{3});
  CHECK(watched.encrypted_fraction() == 1);
  REQUIRE(shares.size() == 12);

  const auto clear = sum_of(3);
  const auto first = initialise<float>(network(test::model_of_tests), 3);
  std::vector<float> weights(first.shared().begin(), first.shared().end());
  auto memory = clear.remember(weights.size());
  for (std::size_t r = 0; r < 3; ++r) {
    auto sum = clear.init(weights.size());
    for (std::size_t i = 0; i < 4; ++i) REQUIRE(clear.absorb(sum, shares[4 * r + i]));
    REQUIRE(clear.finish(sum, weights, memory));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(f.weights(i) == weights);
    CHECK(f.offices[i]->loss() == 0); // nobody pays for one
    CHECK(f.offices[i]->kept().step == 3);
    CHECK(f.offices[i]->kept().slots == memory.slots);
  }
}

TEST_CASE("encrypted shares of noise add up to what the server of a clear run adds up, to the bit") {
  check_sums(by_row);
  check_sums(by_person);
}

TEST_CASE("encrypted shares: a run that is taken up goes on with the optimiser as it was") {
  std::vector<client_share> shares, more;
  auto first = federation_of(test::dealt_whole(), offices_of(by_row, shares));
  first.run(2);
  auto second = federation_of(test::dealt_whole(), offices_of(by_row, more));
  for (std::size_t i = 0; i < 4; ++i)
    second.offices[i]->take_up(first.weights(i), 2, {}, first.offices[i]->kept());
  second.run(1);
  CHECK(second.offices[0]->kept().step == 3);

  const auto clear = sum_of(3);
  auto weights = first.weights(0);
  auto memory = first.offices[0]->kept();
  auto sum = clear.init(weights.size());
  for (const auto& share : more) REQUIRE(clear.absorb(sum, share));
  REQUIRE(clear.finish(sum, weights, memory));
  CHECK(second.weights(0) == weights);
}

TEST_CASE("encrypted shares: an office counts on the noise of others only, and on what it agreed to") {
  std::vector<client_share> shares;
  // Four offices that count on four: each knows the noise of one.
  CHECK_THROWS_WITH(federation_of(test::dealt_whole(), offices_of(by_row, shares), 4),
                    Contains("4 offices, sums of fewer than 5 are not opened"));
  // The office in clear counts on three, the wall around it on two.
  auto f = federation_of(test::dealt_whole(), offices_of(by_row, shares), 2);
  std::string why;
  f.offices[0]->on_refusal = [&](const error& e) { why = e.message; };
  CHECK_THROWS_WITH(f.run(1), Contains("it knows why"));
  CHECK_THAT(why, Contains("on 3 holders of noise") && Contains("and on 2"));
}

TEST_CASE("slots are as wide as the share of the largest client needs") {
  const encrypted_form<aggregator> form(sum_of(3));
  CHECK(form.least() == 4);
  std::uint32_t last = 0;
  for (const std::uint64_t rows : {10u, 1000u, 100'000u, 10'000'000u}) {
    const std::vector<sum_member> members{{1, 10}, {2, rows}, {3, 5}};
    const auto how = form.packing_for(3072, 4, members);
    CHECK(how.problem() == "");
    CHECK(how.most() >= sum_of(3).reach(rows));
    CHECK(how.slot_bits >= last);
    last = how.slot_bits;
  }
  CHECK(form.packing_for(3072, 4, std::vector<sum_member>{{1, 10}}).slot_bits < 32);
  // What a server may claim of others is refused, not allocated.
  CHECK_THROWS_WITH(form.packing_for(3072, 4, std::vector<sum_member>{{1, 4'294'967'290u}}),
                    Contains("gaussian_share"));
}
