#pragma once
// Parameters as torch hands them over: the tensors of a model one after another, weights as (out, in).

#include <privet/nn/layer.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace privet::test {

/// The same numbers in our order, found through the names and shapes that files use.
template <class T, class Model, class U>
std::vector<T> from_torch(const Model& model, std::span<const U> numbers) {
  std::vector<T> flat(model.sizes().shared);
  for (const auto& tensor : model.tensors()) {
    for (std::size_t i = 0; i < tensor.size; ++i)
      flat[tensor.offset + tensor.place_of(i)] = static_cast<T>(numbers[i]);
    numbers = numbers.subspan(tensor.size);
  }
  return flat;
}

} // namespace privet::test
