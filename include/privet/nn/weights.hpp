#pragma once
// Weights as a safetensors file that PyTorch opens: `torch.nn.Sequential(...).load_state_dict(
// safetensors.torch.load_file(path))` works for the same layers.

#include <privet/core/half.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/safetensors.hpp>
#include <privet/nn/describe.hpp>

#include <algorithm>
#include <filesystem>
#include <span>

namespace privet {

namespace detail {

/// out (columns, rows) = in (rows, columns) transposed.
template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* in, T* out) {
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) out[j * rows + i] = in[i * columns + j];
}

} // namespace detail

/// The file's bytes. Names are `<layer>.weight` (out, in) and `<layer>.bias` (out); the metadata
/// holds the architecture under "privet.network" besides what the caller adds. `beside` are tensors that are no
/// weights; their names start with "privet.".
template <class Model, class T>
std::vector<std::byte> write_weights(const Model& model, const parameters<T>& p,
                                     safetensors_metadata metadata = {},
                                     std::span<const tensor_entry> beside = {}) {
  const auto tensors = model.tensors();
  aligned_vector<T> flat(p.trained().size());
  std::vector<tensor_entry> entries(beside.begin(), beside.end());
  for (const auto& tensor : tensors) {
    const T* const from = p.trained().data() + tensor.offset;
    T* const to = flat.data() + tensor.offset;
    if (tensor.transposed)
      detail::transpose(tensor.shape[1], tensor.shape[0], from, to);
    else
      std::copy_n(from, tensor.size, to);
    entries.push_back(tensor_entry::of<T>(tensor.name, tensor.shape, std::span<const T>(to, tensor.size)));
  }
  metadata.insert_or_assign("privet.network", json_text(describe(model)));
  return write_safetensors(entries, metadata);
}

/// Reads the weights of `model`, of T or in 16 bits (F16, BF16); tensors whose names start with "privet." are none. Errors: N003 for a tensor of
/// another shape or type and for one that the model does not have, N004 for a missing one.
template <class T, class Model>
result<parameters<T>> read_weights(const Model& model, const safetensors_file& file,
                                   std::string_view place = "weights") {
  auto p = model.template make_parameters<T>();
  const auto tensors = model.tensors();
  for (const auto& entry : file.entries())
    if (!entry.name.starts_with("privet.") &&
        std::ranges::none_of(tensors, [&](const auto& tensor) { return tensor.name == entry.name; }))
      return error::of(fault::shape, place, ": tensor ", in_quotes(entry.name),
                       " belongs to another network than this one of ", tensors.size(), " tensors");
  for (const auto& tensor : tensors) {
    const auto* const entry = file.find(tensor.name);
    if (!entry) return error::of(fault::format, place, ": no tensor ", in_quotes(tensor.name));
    if (entry->shape != tensor.shape)
      return error::of(fault::shape, place, ": tensor ", in_quotes(tensor.name), " is ",
                       shape_text(entry->shape), ", expected ", shape_text(tensor.shape));
    if (entry->type != dtype_of<T>() && entry->type != dtype::f16 && entry->type != dtype::bf16)
      return error::of(fault::shape, place, ": tensor ", in_quotes(tensor.name), " is ", name_of(entry->type),
                       ", expected ", name_of(dtype_of<T>()));
    std::vector<T> values(tensor.size);
    if (const auto copied = copy_numbers(*entry, std::span<T>(values)); !copied) return copied.error();
    T* const to = p.trained().data() + tensor.offset;
    if (tensor.transposed)
      detail::transpose(tensor.shape[0], tensor.shape[1], values.data(), to);
    else
      std::ranges::copy(values, to);
  }
  return p;
}

} // namespace privet
