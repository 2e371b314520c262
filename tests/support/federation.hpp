#pragma once
// Clients for federation tests: honest ones, and ones whose replies are changed on the way.

#include "support/rows.hpp"

#include <privet/federated/offices.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::test {

inline const sequential model_of_tests{dense<5, 6>{}, relu{}, dense<6, 3>{}};
inline const local_sgd local_of_tests{.learning_rate = 0.1, .momentum = 0.5, .epochs = 2, .batch = 4};

/// Offices of different sizes over the columns and classes that `model_of_tests` knows.
inline std::vector<dataset<float>> four_data_sets() {
  return {rows_of(9, 5, 3, 1), rows_of(30, 5, 3, 2), rows_of(4, 5, 3, 3), rows_of(17, 5, 3, 4)};
}

/// Clients with so many of these rows each, one after another.
inline std::vector<dataset<float>> data_sets_of(std::span<const std::uint32_t> counts, const float (*x)[4],
                                                const std::int32_t* y) {
  std::vector<dataset<float>> all;
  for (const auto count : counts) {
    auto& data = all.emplace_back(rows_of(count, 4, 3, 1));
    for (std::size_t r = 0; r < count; ++r) {
      data.labels[r] = *y++;
      std::ranges::copy(*x++, row(data.features, r).begin());
    }
  }
  return all;
}

/// Where number (k, j) of a dense layer of a file lies among what is trained; its last column is the bias.
template <class Model>
std::size_t place_of(const Model& model, std::size_t layer, std::size_t k, std::size_t j) {
  const auto tensors = model.tensors();
  const auto find = [&](std::string_view name) {
    return *std::ranges::find(tensors, concat(layer, '.', name), &named_tensor::name);
  };
  const auto weight = find("weight");
  const std::size_t wide = weight.shape[1];
  if (j == wide) return find("bias").offset + k;
  return weight.offset + weight.place_of(k * wide + j);
}

/// These weights of a single dense layer, and biases of zero.
template <class Model>
std::vector<float> weights_of(const Model& model, const float (&file)[3][4]) {
  std::vector<float> weights(15);
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t j = 0; j < 4; ++j) weights[place_of(model, 0, k, j)] = file[k][j];
  return weights;
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
