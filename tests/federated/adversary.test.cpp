#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/adversary.hpp>
#include <privet/federated/coordinate_median.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

namespace {

/// The update of a client in round 0, as the server of a federation of it alone would read it.
client_update update_of(attack how, double strength, std::uint32_t round = 0, std::uint64_t seed = 0) {
  auto member =
      std::make_unique<hostile_client>(test::honest(1, test::four_data_sets()[0]), how, strength, seed);
  const auto ask = [&](message_kind kind, std::vector<std::byte> body) {
    static std::uint64_t hash = 0;
    const auto reply =
        decode_message(member->answer(encode({kind, hash, round, 0, std::move(body)}))).value();
    hash = reply.schema_hash;
    return reply;
  };
  ask(message_kind::agree, {});
  const network model(test::model_of_tests);
  ask(message_kind::architecture, test::copy(bytes_of(json_text(describe(model)))));
  const auto start = initialise<float>(model, 1);
  return decode_update(ask(message_kind::train, encode_order(9, start.shared()))).value();
}

double root_mean_square(const client_update& u) {
  double squares = 0;
  for (const float x : u.shared) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares / static_cast<double>(u.shared.size()));
}

} // namespace

TEST_CASE("adversary: labels are flipped end for end, twice is as before") {
  auto data = test::rows_of(20, 5, 3, 1);
  const auto before = data.labels;
  flip_labels(data);
  for (std::size_t r = 0; r < data.rows(); ++r) CHECK(data.labels[r] == 2 - before[r]);
  data.check();
  flip_labels(data);
  CHECK(data.labels == before);
}

TEST_CASE("adversary: a backdoor marks the rows that are named and no others") {
  const auto clean = test::rows_of(6, 5, 3, 1);
  auto data = clean;
  const std::vector<std::uint32_t> rows_marked{1, 4};
  backdoor{.columns = {0, 3}, .value = 9, .target = 2}.stamp(data, rows_marked);
  for (std::uint32_t r = 0; r < 6; ++r) {
    const bool marked = r == 1 || r == 4;
    CHECK(data.labels[r] == (marked ? 2 : clean.labels[r]));
    for (std::size_t c = 0; c < 5; ++c)
      CHECK(row(data.features, r)[c] == (marked && (c == 0 || c == 3) ? 9 : row(clean.features, r)[c]));
  }
  CHECK_THROWS_WITH((backdoor{.columns = {5}}.stamp(data, rows_marked)),
                    Contains("column 5, the data has 5"));
  CHECK_THROWS_WITH((backdoor{.target = 3}.stamp(data, rows_marked)),
                    Contains("the label 3, the data has 3"));
}

TEST_CASE("adversary: what a hostile client sends follows from what an honest one would") {
  const auto honest = update_of(attack::none, 1), turned = update_of(attack::sign_flip, 2),
             scaled = update_of(attack::scale, 100), noise = update_of(attack::noise, 3);
  REQUIRE(root_mean_square(honest) > 0);
  for (std::size_t i = 0; i < honest.shared.size(); ++i) {
    CHECK(turned.shared[i] == -2 * honest.shared[i]);
    CHECK(scaled.shared[i] == static_cast<float>(100. * static_cast<double>(honest.shared[i])));
  }
  // A mean of 57 squares of normals is within 1 +- 0.19 (one deviation).
  CHECK(std::abs(root_mean_square(noise) / (3 * root_mean_square(honest)) - 1) < 0.5);
  for (const auto* u : {&turned, &scaled, &noise}) {
    CHECK(u->weight == honest.weight); // of everything else it says the truth
    CHECK(u->examples == honest.examples);
  }
  CHECK(update_of(attack::noise, 3).shared == noise.shared); // can be repeated
  CHECK(update_of(attack::noise, 3, 0, 1).shared != noise.shared);
  CHECK_THROWS_WITH(hostile_client(test::honest(1, test::four_data_sets()[0]), attack::scale,
                                   std::numeric_limits<double>::infinity()),
                    Contains("strength inf"));
}
