#pragma once
// Clients for federation tests: honest ones, and ones whose replies are changed on the way.

#include "support/rows.hpp"

#include <privet/federated/offices.hpp>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace privet::test {

inline const sequential model_of_tests{dense<5, 6>{}, relu{}, dense<6, 3>{}};
inline const local_sgd local_of_tests{.learning_rate = 0.1, .momentum = 0.5, .epochs = 2, .batch = 4};

/// Offices of different sizes over the columns and classes that `model_of_tests` knows.
inline std::vector<dataset<float>> four_data_sets() {
  return {rows_of(9, 5, 3, 1), rows_of(30, 5, 3, 2), rows_of(4, 5, 3, 3), rows_of(17, 5, 3, 4)};
}

inline std::unique_ptr<participant> honest(std::uint32_t id, dataset<float> data, std::uint64_t seed = 0) {
  auto recipe = local_of_tests.recipe();
  return std::make_unique<office<std::remove_cvref_t<decltype(recipe)>>>(id, std::move(data), recipe, seed);
}

inline std::vector<std::byte> copy(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

/// Speaks for another participant; `change(request, reply)` returns what is sent in its place.
class altered : public participant {
 public:
  using change_function = std::function<std::vector<std::byte>(const message&, std::vector<std::byte>)>;
  altered(std::unique_ptr<participant> inner, change_function change)
      : inner_(std::move(inner)), change_(std::move(change)) {}

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    auto reply = inner_->answer(request);
    return change_ ? change_(decode_message(request).value(), std::move(reply)) : reply;
  }

 private:
  std::unique_ptr<participant> inner_;
  change_function change_;
};

inline std::vector<float> copy_weights(std::span<const float> weights) {
  return {weights.begin(), weights.end()};
}

} // namespace privet::test
