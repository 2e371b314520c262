#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/data/partition.hpp>
#include <privet/optim/adam.hpp>
#include <privet/train/evaluate.hpp>

#include <limits>

using namespace privet;

namespace {

template <class Recipe>
std::vector<float> run(std::vector<dataset<float>> data, const Recipe& recipe, std::size_t threads,
                       std::size_t count = 3, std::uint64_t seed = 4) {
  offices all{test::model_of_tests, std::move(data), recipe, seed};
  aggregation_server server{fedavg{}, {.seed = seed, .threads = threads}};
  server.run(all.links(), all.model(), rounds{count});
  return test::copy_weights(server.weights());
}

} // namespace

TEST_CASE("offices: the weights do not depend on the number of threads, to the bit") {
  const auto expected = run(test::four_data_sets(), test::local_of_tests, 1);
  for (const std::size_t threads : {2u, 3u, 9u})
    CHECK(run(test::four_data_sets(), test::local_of_tests, threads) == expected);
  CHECK(run(test::four_data_sets(), test::local_of_tests, 1, 3, 5) != expected);
}

TEST_CASE("offices: any chain trains on the clients") {
  const local_recipe recipe{chain(average_over_batch{}, adam{.learning_rate = 0.02}), 1, 8};
  CHECK(run(test::four_data_sets(), recipe, 2) == run(test::four_data_sets(), recipe, 1));
}

TEST_CASE("offices: a thousand tiny clients train one model") {
  const auto pooled = test::rows_of(1500, 5, 3, 6);
  std::vector<std::vector<std::uint32_t>> parts(1000);
  for (std::uint32_t r = 0; r < 1500; ++r) parts[(r * 7) % 1000].push_back(r); // one or two rows each
  const local_sgd local{.learning_rate = 0.5, .epochs = 1, .batch = 4};
  const auto weights = run(split_by(pooled, parts), local, 1, 12);
  CHECK(run(split_by(pooled, parts), local, 3, 12) == weights);

  const auto fresh = standardiser::fit(pooled).apply(test::rows_of(300, 5, 3, 7));
  auto p = test::model_of_tests.make_parameters();
  std::ranges::copy(weights, p.shared().begin());
  CHECK(evaluate(test::model_of_tests, p, fresh).confusion.accuracy() > 0.75); // chance is 1/3
}

TEST_CASE("offices: one office alone, and a class that no row of an office has, are no obstacle") {
  auto data = test::four_data_sets();
  CHECK(run({data[0]}, test::local_of_tests, 2).size() == 57);

  std::vector<std::uint32_t> ones;
  for (std::uint32_t r = 0; r < data[1].rows(); ++r)
    if (data[1].labels[r] == 1) ones.push_back(r);
  data[1] = data[1].select(ones);
  CHECK(data[1].class_counts() == std::vector<std::size_t>{0, 10, 0});
  CHECK(run(data, test::local_of_tests, 1) == run(data, test::local_of_tests, 3));
}

TEST_CASE("offices: an empty office, a negative rate and a rate that is no number are refused at once") {
  auto data = test::four_data_sets();
  data[2] = data[2].select({});
  CHECK_THROWS_WITH((offices{test::model_of_tests, data, test::local_of_tests}),
                    "[N001 argument] office 3 has no rows");
  data = test::four_data_sets();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double rate : {-0.1, nan, 1 / 0.0})
    CHECK_THROWS_AS((offices{test::model_of_tests, data, local_sgd{.learning_rate = rate}}), exception);
  for (const double momentum : {-0.1, 1.0, nan})
    CHECK_THROWS_AS((offices{test::model_of_tests, data, local_sgd{.momentum = momentum}}), exception);
}

TEST_CASE("offices: recipes without epochs or batch are refused by name") {
  CHECK_THROWS_WITH(run(test::four_data_sets(), local_sgd{.epochs = 0}, 1),
                    Catch::Contains("0 epochs") && Catch::Contains("(client 1)"));
  CHECK_THROWS_WITH(run(test::four_data_sets(), local_sgd{.batch = 0}, 1),
                    Catch::Contains("batch of 0") && Catch::Contains("(client 1)"));
}

TEST_CASE("offices agree on a scaling when a column is constant and tiny") {
  for (const float value : {1e-3f, 1e-5f, 1e-6f, 0.5f}) {
    auto data = test::four_data_sets();
    for (auto& rows : data)
      for (std::size_t r = 0; r < rows.rows(); ++r) row(rows.features, r)[2] = value;
    offices four(test::model_of_tests, std::move(data), test::local_of_tests);
    aggregation_server server{fedavg{}};
    REQUIRE_NOTHROW(server.open(four.links(), four.model()));
    CHECK(standardiser::from(server.scaling()).deviation(2) == 1); // only centred
  }
}

TEST_CASE("a column too large to scale is named, and so is a value that is missing where nobody scales") {
  auto data = test::four_data_sets();
  row(data[1].features, 3)[4] = 1e9f;
  offices large(test::model_of_tests, std::move(data), test::local_of_tests);
  aggregation_server server{fedavg{}};
  CHECK_THROWS_WITH(server.open(large.links(), large.model()),
                    Catch::Contains("client 2") && Catch::Contains("'column 5'"));

  data = test::four_data_sets();
  row(data[2].features, 1)[0] = std::numeric_limits<float>::quiet_NaN();
  offices missing(test::model_of_tests, std::move(data), test::local_of_tests);
  aggregation_server unscaled(fedavg{}, {.standardise = false});
  CHECK_THROWS_WITH(unscaled.open(missing.links(), missing.model()),
                    Catch::Contains("row 1, column 0") && Catch::Contains("client 3"));
}

TEST_CASE("a client without columns that sends moments all the same is refused by name") {
  auto bare = test::four_data_sets()[0];
  const auto rows = bare.rows();
  bare.schema.features.clear();
  bare.features = make_matrix<float>(rows, 0);
  offices one(test::model_of_tests);
  one.add(std::make_unique<test::altered>(
      test::honest(1, std::move(bare)), [](const message& request, std::vector<std::byte> reply) {
        if (request.kind != message_kind::ask_moments) return reply;
        auto m = decode_message(reply).value();
        m.body = encode_numbers(std::span<const double>(std::vector<double>{1, 2, 3}));
        return encode(m);
      }));
  aggregation_server server{fedavg{}};
  CHECK_THROWS_WITH(server.open(one.links(), one.model()), Catch::Contains("client 1"));
}
