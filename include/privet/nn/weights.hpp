#pragma once
// Weights as a safetensors file that PyTorch opens: `torch.nn.Sequential(...).load_state_dict(
// safetensors.torch.load_file(path))` works for the same layers.

#include <privet/core/half.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/safetensors.hpp>
#include <privet/nn/describe.hpp>
#include <privet/nn/named_network.hpp>

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

/// Names of a model's tensors in a file: those of the model, `<layer>.<tensor>`, or others for its layers.
struct tensor_names {
  std::span<const named_module> modules{}; ///< by place; none: a layer's name is its number
  std::size_t layers =
      static_cast<std::size_t>(-1); ///< so many are read, tensors of those behind them passed over

  static std::size_t layer(std::string_view name) {
    std::size_t i = 0;
    for (const char digit : name.substr(0, name.find('.')))
      i = 10 * i + static_cast<std::size_t>(digit - '0');
    return i;
  }
  bool reads(std::string_view name) const { return layer(name) < layers; }
  std::string module(std::size_t i) const { return modules.empty() ? concat(i) : modules[i].name; }
  std::string in_file(std::string_view name) const {
    return concat(module(layer(name)), name.substr(name.find('.')));
  }
  /// Whether the file need not have this tensor, and zeros stand for one that it has not.
  bool optional(std::string_view name) const {
    return !modules.empty() && !modules[layer(name)].bias && name.ends_with(".bias");
  }
  /// The shape that the file has of a tensor.
  std::vector<std::size_t> shape(const named_tensor& tensor) const {
    const auto* const pool = pooled(tensor);
    return pool ? std::vector<std::size_t>{tensor.shape[0], pool->file.size()} : tensor.shape;
  }
  const adaptive_pool* pooled(const named_tensor& tensor) const {
    if (modules.empty() || !tensor.name.ends_with(".weight")) return nullptr;
    const auto& module = modules[layer(tensor.name)];
    return module.pool ? &*module.pool : nullptr;
  }
};

/// Errors of a file that lacks a tensor of the model or has one that no layer reads: N004 and N003, with both sides.
template <class Model>
status same_tensors(const Model& model, const safetensors_file& file, const tensor_names& names,
                    std::string_view place) {
  struct wanted {
    std::string name;
    std::size_t layer;
    std::vector<std::size_t> shape;
    bool optional;
  };
  std::vector<wanted> all;
  std::vector<std::string> passed; // what names of files begin or end with that nobody misses
  for (const auto& tensor : model.tensors()) {
    const std::size_t layer = names.layer(tensor.name);
    if (names.reads(tensor.name))
      all.push_back({names.in_file(tensor.name), layer, names.shape(tensor), names.optional(tensor.name)});
    else
      passed.push_back(names.module(layer) + '.');
  }
  const std::size_t tensors = all.size();
  for (const auto& constant : constants_of(model)) {
    if (!names.reads(constant.name)) continue;
    const std::size_t layer = names.layer(constant.name);
    all.push_back({names.in_file(constant.name), layer, constant.shape, false});
    // Beside its running statistics torch writes how many batches they met.
    passed.push_back(names.module(layer) + ".num_batches_tracked");
  }
  const tensor_entry* extra = nullptr;
  for (const auto& entry : file.entries()) {
    const std::string_view name = entry.name;
    if (!name.starts_with("privet.") && std::ranges::find(all, name, &wanted::name) == all.end() &&
        std::ranges::none_of(passed, [&](const std::string& p) {
          return p.ends_with('.') ? name.starts_with(p) : name == p;
        })) {
      extra = &entry;
      break;
    }
  }
  for (const auto& w : all)
    if (!w.optional && !file.find(w.name))
      return extra ? error::of(fault::format, place, ": no tensor ", in_quotes(w.name), ", which layer ",
                               w.layer, " reads as ", shape_text(w.shape), "; no layer reads its tensor ",
                               in_quotes(extra->name), ' ', shape_text(extra->shape))
                   : error::of(fault::format, place, ": no tensor ", in_quotes(w.name), ", which layer ",
                               w.layer, " reads as ", shape_text(w.shape));
  if (extra)
    return error::of(fault::shape, place, ": no layer reads tensor ", in_quotes(extra->name), ' ',
                     shape_text(extra->shape), "; the model reads ", tensors, " tensors, ",
                     in_quotes(all.empty() ? "none" : all[0].name), " to ",
                     in_quotes(tensors == 0 ? "none" : all[tensors - 1].name));
  return nothing{};
}

/// The weight (outs, pool.file) of a dense layer behind an adaptive average pool, and that pool: (outs, pool.own).
template <class T>
std::vector<T> through_pool(const adaptive_pool& pool, std::size_t outs, const std::vector<T>& behind) {
  // Cell u of `to` is the mean over the cells from floor(u from / to) up to ceil((u + 1) from / to) of `from`.
  const auto first = [](std::size_t u, std::size_t to, std::size_t from) { return u * from / to; };
  const auto last = [](std::size_t u, std::size_t to, std::size_t from) {
    return ((u + 1) * from + to - 1) / to;
  };
  const image &file = pool.file, &own = pool.own;
  std::vector<T> weights(outs * own.size());
  std::vector<double> plane(own.pixels());
  for (std::size_t k = 0; k < outs * own.channels; ++k) {
    std::ranges::fill(plane, 0.0);
    for (std::size_t u = 0; u < file.height; ++u) {
      const std::size_t top = first(u, file.height, own.height), bottom = last(u, file.height, own.height);
      for (std::size_t v = 0; v < file.width; ++v) {
        const std::size_t left = first(v, file.width, own.width), right = last(v, file.width, own.width);
        const double share = static_cast<double>(behind[k * file.pixels() + u * file.width + v]) /
                             static_cast<double>((bottom - top) * (right - left));
        for (std::size_t i = top; i < bottom; ++i)
          for (std::size_t j = left; j < right; ++j) plane[i * own.width + j] += share;
      }
    }
    std::ranges::transform(plane, weights.begin() + static_cast<std::ptrdiff_t>(k * own.pixels()),
                           [](double w) { return static_cast<T>(w); });
  }
  return weights;
}

/// Fills `p` from a file that has the `same_tensors`. Errors as `read_weights`.
template <class T, class Model>
status read_tensors(const Model& model, const safetensors_file& file, const tensor_names& names,
                    std::string_view place, parameters<T>& p) {
  for (const auto& tensor : model.tensors()) {
    if (!names.reads(tensor.name)) continue;
    const std::string name = names.in_file(tensor.name);
    const auto* const entry = file.find(name);
    T* const to = p.trained().data() + tensor.offset;
    if (!entry) { // it is optional: torch's convolution has no bias in front of a norm
      std::fill_n(to, tensor.size, T{});
      continue;
    }
    const auto expected = names.shape(tensor);
    if (entry->shape != expected)
      return error::of(fault::shape, place, ": tensor ", in_quotes(name), " is ", shape_text(entry->shape),
                       ", expected ", shape_text(expected));
    if (entry->type != dtype_of<T>() && entry->type != dtype::f16 && entry->type != dtype::bf16)
      return error::of(fault::shape, place, ": tensor ", in_quotes(name), " is ", name_of(entry->type),
                       ", expected ", name_of(dtype_of<T>()));
    std::size_t count = 1;
    for (const std::size_t side : expected) count *= side;
    std::vector<T> values(count);
    if (const auto copied = copy_numbers(*entry, std::span<T>(values)); !copied) return copied.error();
    if (const auto* const pool = names.pooled(tensor)) values = through_pool(*pool, expected[0], values);
    tensor.to_memory(values.data(), to);
  }
  for (const auto& constant : constants_of(model)) {
    if (!names.reads(constant.name)) continue;
    const std::string name = names.in_file(constant.name);
    const auto* const entry = file.find(name);
    std::vector<float> values(constant.values.size());
    if (const auto copied = copy_numbers(*entry, std::span<float>(values)); !copied) return copied.error();
    if (values != constant.values)
      return error::of(fault::shape, place, ": tensor ", in_quotes(name),
                       " holds other numbers than the model, which with_statistics(model, file) takes over");
  }
  return nothing{};
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

/// Reads the weights of `model`, of T or in 16 bits (F16, BF16); tensors whose names start with "privet." are none.
/// Errors, each with what the file has and what the model reads: N003 for a tensor of another shape or type and for one
/// that no layer reads, N004 for a missing one.
template <class T, class Model>
result<parameters<T>> read_weights(const Model& model, const safetensors_file& file,
                                   std::string_view place = "weights") {
  if (const auto same = detail::same_tensors(model, file, {}, place); !same) return same.error();
  auto p = model.template make_parameters<T>();
  if (const auto read = detail::read_tensors(model, file, {}, place, p); !read) return read.error();
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

/// A model as it comes with weights of somebody else: statistics of normalisation are in it, weights beside it.
template <class T = float>
struct pretrained {
  network model;
  parameters<T> weights;
};

namespace detail {

template <class List>
result<network> with_statistics(const layer_stack<List>& model, const safetensors_file& file,
                                const tensor_names& names, std::string_view place) {
  std::vector<any_layer> layers;
  status faultless = nothing{};
  model.layers().for_each([&](const auto& given) {
    any_layer layer = erase(given);
    const std::size_t i = layers.size();
    if (auto* const frozen = std::get_if<frozen_batch_norm<>>(&layer);
        frozen && faultless && i < names.layers) {
      auto read = read_statistics(file, names.module(i), place);
      const std::size_t channels = image(frozen->in).channels;
      if (!read)
        faultless = read.error();
      else if (read->mean.size() != channels)
        faultless =
            error::of(fault::shape, place, ": tensor ", in_quotes(concat(names.module(i), ".running_mean")),
                      " is of ", read->mean.size(), " channels, expected ", channels);
      else
        frozen->statistics = std::make_shared<const running_statistics>(std::move(*read));
    }
    layers.push_back(std::move(layer));
  });
  if (!faultless) return faultless.error();
  network changed(std::move(layers));
  changed.keep_local(model.local_layers());
  for (const auto& tied : model.ties()) changed.tie(tied);
  return changed;
}

/// Statistics into the model, weights into `p`.
template <class T>
result<pretrained<T>> read_pretrained(const named_network& named, const safetensors_file& file,
                                      const tensor_names& names, parameters<T> p, std::string_view place) {
  if (const auto same = same_tensors(named.model, file, names, place); !same) return same.error();
  auto model = with_statistics(named.model, file, names, place);
  if (!model) return model.error();
  if (const auto read = read_tensors(*model, file, names, place, p); !read) return read.error();
  return pretrained<T>{std::move(*model), std::move(p)};
}

} // namespace detail

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
  return detail::with_statistics(model, file, {}, place);
}

/// The last layers with parameters are not read but stay as in `weights`, for classes of one's own:
/// `new_head<float>{initialise(vgg.model, 7)}`. Tensors that the file has of them are passed over.
template <class T = float>
struct new_head {
  parameters<T> weights;
  std::size_t layers = 1; ///< with parameters
};

/// Reads a file whose tensors are named by another program, as torchvision names those of `vgg16` and `resnet18`.
///
///   const auto resnet = resnet18(image{3, 224, 224}, 1000);
///   const auto imagenet = read_pretrained<float>(resnet, load_safetensors("resnet18.safetensors").value()).value();
///
/// Biases   of a layer that has one here and none there are zero where the file has none
/// Errors   as `read_weights` and `read_statistics`; N003 for a head of another model
/// Privacy  weights are as public as the data that they were trained on
/// Test     tests/nn/named_network.test.cpp, against PyTorch
template <class T>
result<pretrained<T>> read_pretrained(const named_network& named, const safetensors_file& file,
                                      std::string_view place = "weights") {
  return detail::read_pretrained(named, file, {named.modules}, named.model.template make_parameters<T>(),
                                 place);
}
template <class T>
result<pretrained<T>> read_pretrained(const named_network& named, const safetensors_file& file,
                                      new_head<T> head, std::string_view place = "weights") {
  const auto parametric = named.parametric_layers();
  if (head.layers == 0 || head.layers > parametric.size() || head.weights.sizes() != named.model.sizes())
    return error::of(fault::shape, place, ": a new head of ", head.layers, " layers and ",
                     head.weights.trained().size(), " parameters for a model of ", parametric.size(),
                     " layers with parameters and ", named.model.sizes().shared + named.model.sizes().local);
  return detail::read_pretrained(named, file, {named.modules, parametric[parametric.size() - head.layers]},
                                 std::move(head.weights), place);
}

} // namespace privet
