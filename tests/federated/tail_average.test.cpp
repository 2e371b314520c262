#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/numbers.hpp"

#include <privet/federated/checkpoint.hpp>
#include <privet/federated/tail_average.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace privet;

namespace {

using model_weights = std::vector<float>;

/// Models of rounds 1, 2 and so on.
std::vector<model_weights> some_rounds(std::size_t rounds, std::size_t parameters) {
  std::vector<model_weights> all;
  for (std::size_t r = 0; r < rounds; ++r) {
    const auto numbers = test::normals<float>(parameters, static_cast<std::uint64_t>(r + 1));
    all.emplace_back(numbers.begin(), numbers.end());
  }
  return all;
}

model_weights mean_of(const tail_average& mean, std::size_t parameters) {
  model_weights out(parameters);
  mean.write_to(out);
  return out;
}

/// What a call throws.
template <class F>
std::string thrown_by(const F& call) {
  try {
    call();
  } catch (const exception& why) {
    return why.what();
  }
  return "nothing";
}

} // namespace

TEST_CASE("a tail average is the mean of the last rounds' models, whatever came before") {
  const std::size_t parameters = 33;
  const auto models = some_rounds(9, parameters);
  for (const std::size_t last : {1u, 2u, 5u, 9u}) {
    CAPTURE(last);
    tail_average mean(last, 9);
    for (std::size_t r = 0; r < 9; ++r) mean.add(r + 1, models[r]);
    REQUIRE(mean.count() == last);
    const auto got = mean_of(mean, parameters);
    for (std::size_t i = 0; i < parameters; ++i) {
      long double plain = 0;
      for (std::size_t r = 9 - last; r < 9; ++r) plain += static_cast<long double>(models[r][i]);
      CHECK(got[i] == static_cast<float>(plain / static_cast<long double>(last)));
    }
    if (last == 1) CHECK(got == models.back()); // to the bit
  }
}

TEST_CASE("a tail average of large and small models keeps what floats would lose") {
  tail_average mean(4, 4);
  const float large = 1 << 24;
  mean.add(1, std::vector<float>{large});
  for (std::size_t r = 2; r <= 3; ++r) mean.add(r, std::vector<float>{1});
  mean.add(4, std::vector<float>{-large});
  CHECK(mean_of(mean, 1) == model_weights{0.5f}); // in float each 1 would be rounded away
}

TEST_CASE("a tail average taken up again after any round ends in the same bits") {
  const std::size_t parameters = 20;
  const auto models = some_rounds(7, parameters);
  const sequential layers{dense<3, 5>{}}; // 20 parameters
  const scratch_folder here;
  const auto path = here.path() / "checkpoint.safetensors";

  tail_average whole(4, 7);
  for (std::size_t r = 0; r < 7; ++r) whole.add(r + 1, models[r]);
  for (std::size_t stopped = 0; stopped <= 7; ++stopped) {
    CAPTURE(stopped);
    tail_average first(4, 7), second(4, 7);
    for (std::size_t r = 0; r < stopped; ++r) first.add(r + 1, models[r]);
    checkpoint saved{network(layers), layers.make_parameters<float>(), stopped, json()};
    saved.average.assign(first.sum().begin(), first.sum().end());
    REQUIRE(save_checkpoint(path, saved));
    auto loaded = load_checkpoint(path).value();
    CHECK(loaded.average == saved.average);
    REQUIRE(second.restore(loaded.rounds_done, parameters, std::move(loaded.average)));
    CHECK(second.count() == first.count());
    for (std::size_t r = stopped; r < 7; ++r) second.add(r + 1, models[r]);
    CHECK(mean_of(second, parameters) == mean_of(whole, parameters));
  }
}

TEST_CASE("a run that ends early averages the rounds there were") {
  tail_average mean(3, 10);
  for (std::size_t r = 1; r <= 7; ++r) mean.add(r, std::vector<float>{1});
  CHECK(mean.count() == 0);
  CHECK(thrown_by([&] { mean_of(mean, 1); }) ==
        "[N010 state] an average of no round yet, the first is round 8");
  mean.add(8, std::vector<float>{3});
  mean.add(9, std::vector<float>{4});
  CHECK(mean_of(mean, 1) == model_weights{3.5f});
}

TEST_CASE("a tail average refuses what does not fit") {
  CHECK(thrown_by([] { tail_average(0, 5); }) ==
        "[N001 argument] an average of the last 0 rounds of 5, expected 1 to 5");
  CHECK(thrown_by([] { tail_average(6, 5); }) ==
        "[N001 argument] an average of the last 6 rounds of 5, expected 1 to 5");
  tail_average mean(3, 5);
  mean.add(3, std::vector<float>{1, 2});
  CHECK(thrown_by([&] {
          mean.add(3, std::vector<float>{1, 2});
        }) == "[N010 state] an average that has 1 rounds from round 3 on is given round 3");
  CHECK(thrown_by([&] { mean.add(4, std::vector<float>{1}); }) ==
        "[N003 shape] an average of models of 2 parameters is given one of 1");
  CHECK(mean.count() == 1);
  CHECK(thrown_by([&] { mean_of(mean, 3); }) ==
        "[N003 shape] an average of models of 2 parameters is given one of 3");

  // Out of a file.
  const auto refusal = [&](std::size_t done, std::vector<double> sum) {
    const auto got = mean.restore(done, 2, std::move(sum));
    REQUIRE_FALSE(got);
    CHECK(mean_of(mean, 2) == model_weights{1, 2});
    return got.error().message;
  };
  CHECK(refusal(4, {1}) == "[N003 shape] an average of 2 rounds has a sum of 1 numbers, expected 2");
  CHECK(refusal(4, {}) == "[N003 shape] an average of 2 rounds has a sum of 0 numbers, expected 2");
  CHECK(refusal(2, {1, 2}) == "[N003 shape] an average of 0 rounds has a sum of 2 numbers, expected 0");
  CHECK(refusal(3, {1, std::numeric_limits<double>::infinity()}) ==
        "[N008 range] an average of 1 rounds: number 1 of its sum is inf");
  CHECK(refusal(4, {1e39, 1}) == "[N008 range] an average of 2 rounds: number 0 of its sum is 1e+39");
}
