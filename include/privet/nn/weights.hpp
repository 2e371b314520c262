#pragma once
// Weights as a safetensors file that PyTorch opens: `torch.nn.Sequential(...).load_state_dict(
// safetensors.torch.load_file(path))` works for the same layers.

#include <privet/core/half.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/safetensors.hpp>
#include <privet/nn/describe.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace privet {

namespace detail {

/// What the layers of a model hold beside their parameters, as files name it: `<layer>.running_mean`.
template <class Model>
std::vector<named_constant> constants_of(const Model& model) {
  std::vector<named_constant> all;
  std::size_t index = 0;
  model.layers().for_each([&](const auto& layer) {
    if constexpr (requires { layer.constants(); })
      for (auto& constant : layer.constants()) {
        constant.name = concat(index, '.', constant.name);
        all.push_back(std::move(constant));
      }
    ++index;
  });
  return all;
}

} // namespace detail

/// The file's bytes. Names are `<layer>.weight` (out, in) and `<layer>.bias` (out); the metadata
/// holds the architecture under "privet.network" besides what the caller adds. `beside` are tensors that are no
/// weights; their names start with "privet.". Running statistics of frozen layers are `<layer>.running_mean`
/// and `<layer>.running_var`, in float.
template <class Model, class T>
std::vector<std::byte> write_weights(const Model& model, const parameters<T>& p,
                                     safetensors_metadata metadata = {},
                                     std::span<const tensor_entry> beside = {}) {
  const auto tensors = model.tensors();
  aligned_vector<T> flat(p.trained().size());
  std::vector<tensor_entry> entries(beside.begin(), beside.end());
  for (const auto& tensor : tensors) {
    T* const to = flat.data() + tensor.offset;
    tensor.to_file(p.trained().data() + tensor.offset, to);
    entries.push_back(tensor_entry::of<T>(tensor.name, tensor.shape, std::span<const T>(to, tensor.size)));
  }
  const auto constants = detail::constants_of(model);
  for (const auto& constant : constants)
    entries.push_back(
        tensor_entry::of<float>(constant.name, constant.shape, std::span<const float>(constant.values)));
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
  const auto constants = detail::constants_of(model);
  // Beside its running statistics torch writes how many batches they met.
  const auto is_of = [&](std::string_view name, const named_constant& constant) {
    const std::string_view layer(constant.name.data(), constant.name.find('.') + 1);
    return name == constant.name ||
           (name.starts_with(layer) && name.substr(layer.size()) == "num_batches_tracked");
  };
  for (const auto& entry : file.entries())
    if (!entry.name.starts_with("privet.") &&
        std::ranges::none_of(tensors, [&](const auto& tensor) { return tensor.name == entry.name; }) &&
        std::ranges::none_of(constants, [&](const auto& constant) { return is_of(entry.name, constant); }))
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
    tensor.to_memory(values.data(), p.trained().data() + tensor.offset);
  }
  for (const auto& constant : constants) {
    const auto* const entry = file.find(constant.name);
    if (!entry) return error::of(fault::format, place, ": no tensor ", in_quotes(constant.name));
    std::vector<float> values(constant.values.size());
    if (const auto copied = copy_numbers(*entry, std::span<float>(values)); !copied) return copied.error();
    if (values != constant.values)
      return error::of(fault::shape, place, ": tensor ", in_quotes(constant.name),
                       " holds other numbers than the model, which with_statistics(model, file) takes over");
  }
  return p;
}

/// The running statistics of one layer, `<layer>.running_mean` and `<layer>.running_var`, as
/// torch.nn.BatchNorm2d writes them: `read_statistics(file, "layer1.0.bn1")`. Errors: N004 for a missing
/// tensor and for numbers that are no statistics, N003 for shapes that differ and a type of other than real
/// numbers.
inline result<running_statistics> read_statistics(const safetensors_file& file, std::string_view layer,
                                                  std::string_view place = "weights") {
  const std::string mean = concat(layer, ".running_mean"), variance = concat(layer, ".running_var");
  const auto *const means = file.find(mean), *const variances = file.find(variance);
  if (!means || !variances)
    return error::of(fault::format, place, ": no tensor ", in_quotes(means ? variance : mean));
  if (means->shape.size() != 1 || means->shape != variances->shape)
    return error::of(fault::shape, place, ": tensor ", in_quotes(mean), " is ", shape_text(means->shape),
                     ", ", in_quotes(variance), ' ', shape_text(variances->shape),
                     ", expected one number by channel");
  running_statistics read{std::vector<float>(means->shape[0]), std::vector<float>(means->shape[0])};
  if (const auto copied = copy_numbers(*means, std::span<float>(read.mean)); !copied) return copied.error();
  if (const auto copied = copy_numbers(*variances, std::span<float>(read.variance)); !copied)
    return copied.error();
  if (const std::size_t c = read.first_impossible(); c < read.mean.size())
    return error::of(fault::format, place, ": tensor ", in_quotes(mean), " or ", in_quotes(variance),
                     " is no statistics: channel ", c, " has mean ", read.mean[c], " and variance ",
                     read.variance[c]);
  return read;
}

/// The model with the running statistics of the file in place of its own, layer by layer.
///
///   const network pretrained = with_statistics(model, file).value();
///   const auto p = read_weights<float>(pretrained, file).value();
///
/// Errors   as `read_statistics`; N003 for another number of channels
/// Privacy  statistics are not noised: those of a file are as public as the file
template <class List>
result<network> with_statistics(const layer_stack<List>& model, const safetensors_file& file,
                                std::string_view place = "weights") {
  std::vector<any_layer> layers;
  std::vector<std::size_t> local;
  status faultless = nothing{};
  model.layers().for_each([&](const auto& given) {
    any_layer layer = detail::erase(given);
    if (model.is_local(layers.size())) local.push_back(layers.size());
    if (auto* const frozen = std::get_if<frozen_batch_norm<>>(&layer); frozen && faultless) {
      auto read = read_statistics(file, concat(layers.size()), place);
      const std::size_t channels = image(frozen->in).channels;
      if (!read)
        faultless = read.error();
      else if (read->mean.size() != channels)
        faultless =
            error::of(fault::shape, place, ": tensor ", in_quotes(concat(layers.size(), ".running_mean")),
                      " is of ", read->mean.size(), " channels, expected ", channels);
      else
        frozen->statistics = std::make_shared<const running_statistics>(std::move(*read));
    }
    layers.push_back(std::move(layer));
  });
  if (!faultless) return faultless.error();
  network changed(std::move(layers));
  changed.keep_local(local);
  return changed;
}

} // namespace privet
