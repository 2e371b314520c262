#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/class_aware.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/top_k.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

static_assert(Aggregator<class_aware> && class_aware::linear);

namespace {

/// Rows of the classes that are named, in turn.
dataset<float> rows_with(std::vector<std::int32_t> labels, std::uint64_t seed) {
  auto data = test::rows_of(labels.size(), 5, 3, seed);
  data.labels = std::move(labels);
  return data;
}

} // namespace

TEST_CASE("class-aware: the factor is the pilot's formula, relative to its largest value") {
  const std::vector<double> shares{0.5, 0.3, 0.2};
  const auto factor = [&](std::vector<std::size_t> own) { return class_factor(shares, own).value(); };
  const double most = 1 / 0.5 + 1 / 0.3 + 1 / 0.2;
  // sum_j P_j p_j^2: by hand.
  CHECK(std::abs(factor({10, 0, 0}) - 1 / (0.5 * most)) < 1e-12);
  CHECK(std::abs(factor({0, 0, 7}) - 1 / (0.2 * most)) < 1e-12);
  CHECK(std::abs(factor({5, 5, 0}) - 1 / ((0.5 * 0.25 + 0.3 * 0.25) * most)) < 1e-12);
  CHECK(std::abs(factor({6, 10, 15}) - 1) < 1e-12); // p_j like 1 / P_j is the largest
  // Even classes have the largest, which rounding must not exceed.
  for (std::size_t classes = 1; classes < 20; ++classes)
    for (const double clients : {1., 3., 7., 10.}) {
      const std::vector<double> even(classes, clients * (5 / (clients * 5 * static_cast<double>(classes))));
      CHECK(class_factor(even, std::vector<std::size_t>(classes, 5)).value() <= 1);
    }
  CHECK(factor({1, 1, 1}) > factor({1, 1, 0}));
  CHECK(factor({0, 0, 1}) > factor({1, 0, 0})); // a rare class counts for more

  const auto refused = [&](std::vector<double> of_all, std::vector<std::size_t> own) {
    return class_factor(of_all, own).error().message;
  };
  CHECK_THAT(refused({0.5, 0.5}, {1, 1, 1}), Contains("shares of 2 classes, the data has 3"));
  CHECK_THAT(refused({0.5, 0.5, 0}, {1, 1, 1}),
             Contains("class 2 has the share 0 of all rows, and more rows here"));
  CHECK_THAT(refused({0.5, 1.5, 0}, {1, 1, 0}), Contains("class 1 has the share 1.5"));
  CHECK_THAT(refused({-0.5, 1, 0.5}, {1, 1, 1}), Contains("class 0 has the share -0.5"));
}

TEST_CASE("class-aware: the same bits on any number of threads; federated averaging where classes are even") {
  const std::vector<dataset<float>> parts{rows_with({0, 1, 2, 0, 1, 2}, 1), rows_with({0, 0, 0, 0}, 2),
                                          rows_with({2, 2}, 3)};
  std::vector<std::vector<float>> bits;
  for (const std::size_t threads : {1u, 3u}) {
    offices three(test::model_of_tests);
    for (std::uint32_t id = 1; id <= 3; ++id) three.add(test::honest(id, parts[id - 1], 5));
    aggregation_server server{class_aware{}, {.standardise = false, .seed = 5, .threads = threads}};
    server.open(three.links(), three.model());
    const auto report = server.round(0);
    bits.push_back(test::copy_weights(server.weights()));
    CHECK(report.clients == 3);
  }
  CHECK(bits[0] == bits[1]);

  // Clients of one class each, with as many rows, of classes that are as frequent: federated averaging.
  const auto even = [](auto rule) {
    offices three(test::model_of_tests);
    for (std::int32_t c = 0; c < 3; ++c)
      three.add(test::honest(static_cast<std::uint32_t>(c + 1), rows_with({c, c, c}, 7), 5));
    aggregation_server server{rule, {.standardise = false, .seed = 5}};
    server.run(three, in_process{}, rounds{2});
    return test::copy_weights(server.weights());
  };
  const auto a = even(class_aware{}), b = even(fedavg{});
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-5);
}

TEST_CASE("class-aware: the mean is the one of these weights") {
  // Two clients whose batches are all their rows, so that what each would send does not depend on its number.
  const auto part = [](std::uint32_t k) {
    return k == 1 ? rows_with({0, 1, 0, 1}, 1) : rows_with({2, 2, 2}, 2);
  };
  const auto after = [&](auto rule, std::vector<std::uint32_t> who) {
    offices all(test::model_of_tests);
    const local_sgd local{.learning_rate = 0.1, .epochs = 1, .batch = 100};
    for (std::uint32_t i = 0; i < who.size(); ++i)
      all.add(std::make_unique<office<decltype(local.recipe())>>(i + 1, part(who[i]), local.recipe(), 5));
    aggregation_server server{rule, {.standardise = false, .seed = 5}};
    server.run(all, in_process{}, rounds{1});
    return test::copy_weights(server.weights());
  };
  const auto first = after(fedavg{}, {1}), second = after(fedavg{}, {2}), both = after(class_aware{}, {1, 2});
  const std::vector<double> shares{2. / 7, 2. / 7, 3. / 7};
  const double u = 4 * class_factor(shares, part(1).class_counts()).value(),
               v = 3 * class_factor(shares, part(2).class_counts()).value();
  for (std::size_t i = 0; i < both.size(); ++i)
    CHECK(std::abs((u * first[i] + v * second[i]) / (u + v) - both[i]) < 1e-6);
}

TEST_CASE("class-aware: so do clients on thin links") {
  const auto after = [](auto rule, const auto& how) {
    offices two(test::model_of_tests);
    two.add(
        std::make_unique<office<std::remove_cvref_t<decltype(how)>>>(1, rows_with({0, 1, 0, 1}, 1), how, 5));
    two.add(std::make_unique<office<std::remove_cvref_t<decltype(how)>>>(2, rows_with({2, 2, 2}, 2), how, 5));
    aggregation_server server{rule, {.standardise = false, .seed = 5}};
    server.run(two, in_process{}, rounds{2});
    return test::copy_weights(server.weights());
  };
  const auto recipe = test::local_of_tests.recipe();
  const encoded_uploads thin{recipe, chain(top_k{.fraction = 1})};
  const auto whole = after(class_aware{}, recipe), encoded = after(decoded_uploads{class_aware{}}, thin),
             plain = after(fedavg{}, recipe);
  double moved = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CHECK(std::abs(encoded[i] - whole[i]) < 1e-6);
    moved = std::max(moved, std::abs(static_cast<double>(plain[i]) - whole[i]));
  }
  CHECK(moved > 1e-3);
}

TEST_CASE("class-aware: a private office does not tell its classes") {
  const private_recipe recipe{
      chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1}, sgd{}),
      poisson{.rate = 0.5}, 1,
      payment([](const privacy_event&, std::string_view) { return status(nothing{}); })};
  const offices two{test::model_of_tests, {rows_with({0, 1, 2}, 1), rows_with({0, 1, 2}, 2)}, recipe};
  aggregation_server server{class_aware{}, {.standardise = false}};
  CHECK_THROWS_WITH(server.run(two, in_process{}, rounds{1}),
                    Contains("no budget for how many rows each class has"));

  // Nor by what it makes of shares that a server invents.
  const std::vector<double> invented{0, 0.5, 0.5};
  const auto reply = decode_message(two.member(0).answer(
      encode({message_kind::agree_classes, 0, 0, 0, encode_numbers(std::span<const double>(invented))})));
  REQUIRE(reply);
  CHECK(reply->kind == message_kind::refusal);
  CHECK_THAT(std::string(text_of(reply->body)), Contains("no budget"));
}
