#pragma once
// A model's architecture as a message: JSON out, a run-time `network` in.

#include <privet/core/json.hpp>
#include <privet/nn/network.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <memory>

namespace privet {

/// What a description may ask for. It is short and a network is not: these keep what a stranger's message can make a
/// client allocate near four GiB, and what a row takes near a second.
struct network_limits {
  std::size_t units = std::size_t{1} << 24; ///< outputs of all layers
  std::size_t parameters = std::size_t{1} << 26;
  std::size_t products = std::size_t{1} << 31;    ///< of one row, forward
  std::size_t bytes = (std::size_t{1} << 29) * 5; ///< of one block of rows and the tape that trains on it

  /// For files of one's own: `vgg16(image{3, 224, 224}, 1000)` is within them.
  static constexpr network_limits of_own_files() noexcept {
    return {std::size_t{1} << 26, std::size_t{1} << 29, std::size_t{1} << 36, std::size_t{1} << 34};
  }
};

namespace detail {

inline constexpr std::size_t most_layers = 1000;
inline constexpr std::size_t most_lane_parameters = std::size_t{1}
                                                    << 22; // of one layer that needs them by lane

inline json describe_layer(const dense<>& layer) {
  return {{"type", "dense"}, {"in", std::size_t{layer.in}}, {"out", std::size_t{layer.out}}};
}
inline json describe_layer(const relu&) { return {{"type", "relu"}}; }
inline json describe_layer(const tanh_layer&) { return {{"type", "tanh"}}; }
inline json describe_layer(const sigmoid&) { return {{"type", "sigmoid"}}; }
inline json describe_layer(const dropout& layer) { return {{"type", "dropout"}, {"rate", layer.rate}}; }

inline json describe_shape(const char* type, const image& in, const window& kernel) {
  return {{"type", type},
          {"in", {in.channels, in.height, in.width}},
          {"kernel", {kernel.height, kernel.width}},
          {"stride", kernel.stride},
          {"padding", kernel.padding}};
}
inline json describe_layer(const conv2d<>& layer) {
  json facts = describe_shape("conv2d", layer.in, layer.kernel);
  facts["out"] = std::size_t{layer.out};
  facts["groups"] = std::size_t{layer.groups};
  return facts;
}
inline json describe_layer(const max_pool<>& layer) {
  return describe_shape("max_pool", layer.in, layer.kernel);
}
inline json describe_layer(const avg_pool<>& layer) {
  return describe_shape("avg_pool", layer.in, layer.kernel);
}
inline json describe_layer(const flatten&) { return {{"type", "flatten"}}; }
inline json describe_layer(const add_layer& layer) { return {{"type", "add"}, {"back", layer.back}}; }
inline json describe_layer(const branch_layer& layer) { return {{"type", "branch"}, {"back", layer.back}}; }

inline json describe_layer(const group_norm<>& layer) {
  const image in = layer.in;
  return {{"type", "group_norm"},
          {"in", {in.channels, in.height, in.width}},
          {"groups", std::size_t{layer.groups}},
          {"epsilon", layer.epsilon}};
}
inline json describe_layer(const layer_norm<>& layer) {
  return {{"type", "layer_norm"}, {"in", std::size_t{layer.in}}, {"epsilon", layer.epsilon}};
}
inline json describe_layer(const frozen_batch_norm<>& layer) {
  const image in = layer.in;
  json facts = {
      {"type", "frozen_batch_norm"}, {"in", {in.channels, in.height, in.width}}, {"epsilon", layer.epsilon}};
  if (layer.statistics)
    facts["mean"] = layer.statistics->mean, facts["variance"] = layer.statistics->variance;
  return facts;
}

inline json describe_layer(const embedding<>& layer) {
  return {{"type", "embedding"},
          {"steps", std::size_t{layer.steps}},
          {"words", std::size_t{layer.words}},
          {"width", std::size_t{layer.width}}};
}
template <class Cell>
json describe_layer(const recurrent<Cell>& layer) {
  return {{"type", Cell::name},
          {"steps", std::size_t{layer.steps}},
          {"in", std::size_t{layer.in}},
          {"hidden", std::size_t{layer.hidden}},
          {"written", std::size_t{layer.written}}};
}

/// Products that one row takes.
template <class L>
std::size_t products_of(const L& layer, std::size_t out) {
  if constexpr (requires { layer.words; }) return out; // it copies
  if constexpr (keeps_rows<L>) return layer.steps * layer.size(0);
  if constexpr (requires { layer.epsilon; }) {
    return 8 * out; // the moments, and what is done with them
  } else if constexpr (requires { layer.groups; }) {
    return layer.size(0) / std::size_t{layer.out} * out;
  } else if constexpr (requires { layer.kernel; }) {
    const window kernel = layer.kernel;
    return kernel.size() * out;
  } else {
    return layer.size(0);
  }
}

/// Sizes 1 to `widest_layer`, exactly as many as asked for.
inline result<std::vector<std::size_t>> read_sides(const json& facts, std::string_view key, std::size_t count,
                                                   const std::string& place) {
  auto sides = read_member<std::vector<std::size_t>>(facts, key, place);
  if (!sides) return sides.error();
  if (sides->size() != count)
    return error::of(fault::format, place, ": ", key, " has ", sides->size(), " sides, expected ", count);
  for (const std::size_t n : *sides)
    if (n == 0 || n > widest_layer)
      return error::of(fault::format, place, ": ", key, " has a side of ", n, ", expected 1 to ",
                       widest_layer);
  return sides;
}

/// The layer, or what its own check says.
template <class L>
result<any_layer> checked(const L& layer, const std::string& place) {
  try {
    layer.check();
  } catch (const exception& why) {
    return error::of(fault::format, place, ": ",
                     std::string_view(why.what()).substr(sizeof("[N001 argument]")));
  }
  return any_layer(layer);
}

/// Statistics, as the numbers they were. Whether they make sense the layer's own check says.
inline result<std::vector<float>> read_floats(const json& facts, std::string_view key,
                                              const std::string& place) {
  const auto numbers = read_member<std::vector<double>>(facts, key, place);
  if (!numbers) return numbers.error();
  std::vector<float> values;
  values.reserve(numbers->size());
  for (const double x : *numbers) {
    if (std::abs(x) > static_cast<double>(std::numeric_limits<float>::max()))
      return error::of(fault::format, place, ": ", key, " has a number that no float holds, ", x);
    values.push_back(static_cast<float>(x));
  }
  return values;
}

/// A layer that normalises, checked.
inline result<any_layer> read_normalising_layer(const json& facts, const std::string& type,
                                                const std::string& place) {
  const auto epsilon = read_member<double>(facts, "epsilon", place);
  if (!epsilon) return epsilon.error();
  if (type == "layer_norm") {
    const auto in = read_member<std::size_t>(facts, "in", place);
    if (!in) return in.error();
    return checked(layer_norm<>{*in, *epsilon}, place);
  }
  const auto in = read_sides(facts, "in", 3, place);
  if (!in) return in.error();
  const image shape{(*in)[0], (*in)[1], (*in)[2]};
  if (type == "group_norm") {
    const auto groups = read_member<std::size_t>(facts, "groups", place);
    if (!groups) return groups.error();
    return checked(group_norm<>{shape, *groups, *epsilon}, place);
  }
  if (!facts.contains("mean") && !facts.contains("variance"))
    return checked(frozen_batch_norm<>{shape, nullptr, *epsilon}, place);
  auto mean = read_floats(facts, "mean", place), variance = read_floats(facts, "variance", place);
  if (!mean) return mean.error();
  if (!variance) return variance.error();
  auto statistics =
      std::make_shared<const running_statistics>(running_statistics{std::move(*mean), std::move(*variance)});
  return checked(frozen_batch_norm<>{shape, std::move(statistics), *epsilon}, place);
}

/// A convolution or a pool: image and window of it, checked.
inline result<any_layer> read_window_layer(const json& facts, const std::string& type,
                                           const std::string& place) {
  const auto in = read_sides(facts, "in", 3, place), kernel = read_sides(facts, "kernel", 2, place);
  if (!in) return in.error();
  if (!kernel) return kernel.error();
  const auto stride = read_member<std::size_t>(facts, "stride", place),
             padding = read_member<std::size_t>(facts, "padding", place);
  if (!stride) return stride.error();
  if (!padding) return padding.error();
  const image shape{(*in)[0], (*in)[1], (*in)[2]};
  const window of{(*kernel)[0], (*kernel)[1], *stride, *padding};
  if (type == "max_pool") return checked(max_pool<>{shape, of}, place);
  if (type == "avg_pool") return checked(avg_pool<>{shape, of}, place);
  const auto out = read_member<std::size_t>(facts, "out", place),
             groups = read_member<std::size_t>(facts, "groups", place);
  if (!out) return out.error();
  if (!groups) return groups.error();
  const conv2d<> layer{shape, *out, of, *groups};
  auto read = checked(layer, place);
  if (read && (*out > most_lane_parameters || layer.size(0) > most_lane_parameters))
    return error::of(fault::format, place, ": conv2d of more than ", most_lane_parameters, " parameters");
  return read;
}

/// A layer that reads steps of a sequence, checked.
inline result<any_layer> read_sequence_layer(const json& facts, const std::string& type,
                                             const std::string& place) {
  const auto sizes = [&](std::initializer_list<std::string_view> keys) -> result<std::vector<std::size_t>> {
    std::vector<std::size_t> all;
    for (const auto key : keys) {
      const auto size = read_member<std::size_t>(facts, key, place);
      if (!size) return size.error();
      all.push_back(*size);
    }
    return all;
  };
  if (type == "embedding") {
    const auto n = sizes({"steps", "words", "width"});
    if (!n) return n.error();
    return checked(embedding<>{(*n)[0], (*n)[1], (*n)[2]}, place);
  }
  const auto n = sizes({"steps", "in", "hidden", "written"});
  if (!n) return n.error();
  if (type == "lstm") return checked(lstm<>{(*n)[0], (*n)[1], (*n)[2], (*n)[3]}, place);
  return checked(gru<>{(*n)[0], (*n)[1], (*n)[2], (*n)[3]}, place);
}

/// `before`: the layers before it.
inline result<any_layer> read_layer(const json& facts, const std::string& place, std::size_t before) {
  const auto type = read_member<std::string>(facts, "type", place);
  if (!type) return type.error();
  if (*type == "relu") return any_layer(relu{});
  if (*type == "tanh") return any_layer(tanh_layer{});
  if (*type == "sigmoid") return any_layer(sigmoid{});
  if (*type == "flatten") return any_layer(flatten{});
  if (*type == "conv2d" || *type == "max_pool" || *type == "avg_pool")
    return read_window_layer(facts, *type, place);
  if (*type == "group_norm" || *type == "layer_norm" || *type == "frozen_batch_norm")
    return read_normalising_layer(facts, *type, place);
  if (*type == "embedding" || *type == "lstm" || *type == "gru")
    return read_sequence_layer(facts, *type, place);
  if (*type == "add" || *type == "branch") {
    const auto back = read_member<std::size_t>(facts, "back", place);
    if (!back) return back.error();
    if (*back < 2 || *back > before + 1)
      return error::of(fault::format, place, ": ", *type, " goes back ", *back, ", expected 2 to ",
                       before + 1);
    return *type == "add" ? any_layer(add_layer(*back)) : any_layer(branch_layer(*back));
  }
  if (*type == "dropout") {
    const auto rate = read_member<double>(facts, "rate", place);
    if (!rate) return rate.error();
    if (!(*rate >= 0 && *rate < 1))
      return error::of(fault::format, place, ": dropout rate ", *rate, ", expected 0 <= rate < 1");
    return any_layer(dropout(*rate));
  }
  if (*type == "dense") {
    const auto in = read_member<std::size_t>(facts, "in", place),
               out = read_member<std::size_t>(facts, "out", place);
    if (!in) return in.error();
    if (!out) return out.error();
    if (*in == 0 || *out == 0 || *in > widest_layer || *out > widest_layer)
      return error::of(fault::format, place, ": dense ", *in, " x ", *out, ", widths must be 1 to ",
                       widest_layer);
    return any_layer(dense<>{*in, *out});
  }
  return error::of(fault::unsupported, place, ": unknown layer type ", in_quotes(*type));
}

} // namespace detail

/// The architecture as JSON: {"format": "privet.network", "version": 1, "layers": [...]}. A layer that stays on the
/// device has "local": true; the version is then 2, which a reader that would send it anywhere does not know. One that
/// reads the parameters of an earlier layer has "tied": its place; the version is then 3.
template <class List>
json describe(const layer_stack<List>& model) {
  json layers = json::array();
  model.layers().for_each([&](const auto& layer) {
    std::visit([&](const auto& erased) { layers.push_back(detail::describe_layer(erased)); },
               detail::erase(layer));
    const std::size_t i = layers.size() - 1;
    if (model.is_local(i)) layers.back()["local"] = true;
    if (model.origin(i) != i) layers.back()["tied"] = model.origin(i);
  });
  const bool ties = !model.ties().empty();
  return {{"format", "privet.network"},
          {"version", ties                      ? 3
                      : model.sizes().local > 0 ? 2
                                                : 1},
          {"layers", std::move(layers)}};
}

/// The network that a description names. Nothing in it is believed.
///
/// Errors  N004: a member that is missing, of another kind or out of range; too many layers, units,
///         parameters, products or bytes. N011: another format or version, an unknown layer type, paths that part on rows and
///         meet on lanes. N003: layers that do not fit. N001: a first layer that does not know the width of the
///         rows it reads, an output that nobody reads, a local or tied layer without parameters
inline result<network> read_network(const json& description, std::string_view place = "network",
                                    const network_limits& limits = {}) {
  const auto format = read_member<std::string>(description, "format", place);
  if (!format) return format.error();
  const auto version = read_member<int>(description, "version", place);
  if (!version) return version.error();
  if (*format != "privet.network" || *version < 1 || *version > 3)
    return error::of(fault::unsupported, place, ": ", in_quotes(*format), " version ", *version,
                     ", this build reads 'privet.network' versions 1 to 3");
  const auto found = description.find("layers");
  if (found == description.end() || !found->is_array() || found->empty() ||
      found->size() > detail::most_layers)
    return error::of(fault::format, place, ": layers must be a list of 1 to ", detail::most_layers);

  std::vector<any_layer> layers;
  std::vector<std::size_t> local;
  std::vector<std::array<std::size_t, 2>> ties; // of two layers each
  std::vector<std::size_t> reads;               // what each layer reads
  std::vector<bool> overwrites;                 // which of them leave no output of the layer before
  std::size_t width = 0, units = 0, parameters = 0, products = 0;
  bool fuses = false; // the layer before
  for (const json& facts : *found) {
    auto layer = detail::read_layer(facts, concat(place, ": layer ", layers.size()), layers.size());
    if (!layer) return layer.error();
    std::visit(
        [&]<class L>(const L& l) {
          if (reads.empty()) width = detail::own_in_width(l).value_or(width);
          reads.push_back(width);
          overwrites.push_back(Activation<L> && fuses);
          width = l.out_width(width);
          if constexpr (is_join<L> || is_branch<L>) { // what is read again is kept
            const std::size_t second = reads.size() - l.back;
            if (overwrites[second]) units += reads[second];
            overwrites[second] = false;
            if (is_branch<L>) width = reads[second];
          }
          parameters += l.size(0); // for each use, as a step costs
          products += detail::products_of(l, width);
          if (!overwrites.back()) units += width;
          if constexpr (keeps_rows<L>)
            for (const std::size_t n : l.kept_widths()) units += n;
          fuses = Fusing<L>;
        },
        *layer);
    if (parameters > limits.parameters || units > limits.units)
      return error::of(fault::format, place, ": more than ", limits.parameters, " parameters or ",
                       limits.units, " units");
    if (products > limits.products)
      return error::of(fault::format, place, ": more than ", limits.products, " products for each row");
    if (facts.is_object() && facts.contains("local")) {
      if (*version == 1)
        return error::of(fault::format, place, ": layer ", layers.size(),
                         " is local, which version 1 has not");

      const auto stays = read_member<bool>(facts, "local", concat(place, ": layer ", layers.size()));
      if (!stays) return stays.error();
      if (*stays) local.push_back(layers.size());
    }
    if (facts.is_object() && facts.contains("tied")) {
      if (*version < 3)
        return error::of(fault::format, place, ": layer ", layers.size(), " is tied, which version ",
                         *version, " has not");
      const auto to = read_member<std::size_t>(facts, "tied", concat(place, ": layer ", layers.size()));
      if (!to) return to.error();
      if (*to >= layers.size())
        return error::of(fault::format, place, ": layer ", layers.size(), " is tied to layer ", *to,
                         ", expected one before it");
      ties.push_back({*to, layers.size()});
    }
    layers.push_back(std::move(*layer));
  }
  try {
    network model(std::move(layers));
    model.keep_local(local);
    for (const auto& tied : ties) model.tie(tied);
    if (const std::size_t bytes = model.bytes_for(simd::lane_block); bytes > limits.bytes)
      return error::of(fault::format, place, ": ", simd::lane_block, " rows take ", bytes,
                       " bytes to train on, at most ", limits.bytes, " are given");
    return model;
  } catch (const exception& why) {
    return error{why.kind(), concat(why.what(), " (", place, ')')};
  }
}

} // namespace privet
