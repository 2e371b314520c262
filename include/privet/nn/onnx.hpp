#pragma once
// A trained model as an ONNX file, which phones, browsers and servers run without this library.

#include <privet/core/parameters.hpp>
#include <privet/core/protobuf.hpp>
#include <privet/core/result.hpp>
#include <privet/core/version.hpp>
#include <privet/nn/network.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace privet {

/// A whole number of an attribute, of any type that counts.
struct onnx_integer {
  std::int64_t value;
  template <std::integral N>
  constexpr explicit(false) onnx_integer(N n) noexcept : value(static_cast<std::int64_t>(n)) {}
};

/// What a node is told besides its inputs: `{"alpha", 0.1f}`, `{"axis", 1}`, `{"strides", {2, 2}}`.
struct onnx_attribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>> value;

  onnx_attribute(const char* called, std::integral auto number)
      : name(called), value(static_cast<std::int64_t>(number)) {}
  onnx_attribute(const char* called, std::floating_point auto number)
      : name(called), value(static_cast<float>(number)) {}
  onnx_attribute(const char* called, const char* text) : name(called), value(std::string(text)) {}
  onnx_attribute(const char* called, std::initializer_list<onnx_integer> numbers)
      : name(called), value(std::vector<std::int64_t>()) {
    for (const auto n : numbers) std::get<3>(value).push_back(n.value);
  }
};

struct onnx_options {
  std::string name = "privet"; ///< of the graph
  std::vector<std::size_t>
      input_shape;      ///< of one example, such as {3, 32, 32}; empty: a row, as the model reads
  bool softmax = false; ///< probabilities as the output, not what the last layer writes
  std::map<std::string, std::string> metadata;
};

template <class Model, class T>
result<std::vector<std::byte>> write_onnx(const Model& model, const parameters<T>& p,
                                          const onnx_options& options = {});

/// The graph as its layers write it, one after another. A layer says what it is in ONNX by
///
///   template <class Graph> void write_onnx(Graph& g) const {
///     g.put_image(g.node("Conv", {g.image(c, h, w), g.tensor("weight"), g.tensor("bias")},
///                        {{"kernel_shape", {5, 5}}}), out_c, out_h, out_w);
///   }
///
/// and needs no header for it. Values are named; each example is a row, or an image (channels, height, width)
/// where the layer asks for one.
class onnx_graph {
 public:
  /// A value on its way: what the layer at hand reads.
  struct value {
    std::string name;
    std::vector<std::size_t> shape; ///< of one example: {width} or {channels, height, width}
  };

  /// What the layer reads, in whatever shape it is.
  const std::string& any() const noexcept { return now_.name; }
  /// What the layer reads as a row, (N, width).
  const std::string& flat() {
    if (now_.shape.size() != 1) now_ = {node("Flatten", {now_.name}, {{"axis", 1}}), {count(now_.shape)}};
    return now_.name;
  }
  /// What the layer reads as an image, (N, channels, height, width). Throws N003 if it has another number of values.
  const std::string& image(std::size_t channels, std::size_t height, std::size_t width) {
    const std::vector<std::size_t> shape{channels, height, width};
    if (now_.shape == shape) return now_.name;
    require(count(shape) == count(now_.shape), fault::shape, "an image of ", channels, " x ", height, " x ",
            width, " of ", count(now_.shape), " values");
    now_ = {node("Reshape", {now_.name, integers("shape", {0, channels, height, width})}), shape};
    return now_.name;
  }

  /// A tensor of the layer, as `tensors()` names it. Throws N001 for a name that is none.
  std::string tensor(std::string_view name) {
    const std::string whole = concat(prefix_, name);
    const auto found = std::ranges::find(tensors_, whole, &named_tensor::name);
    require(found != tensors_.end(), fault::argument, "no tensor '", name, "' among those of the layer");
    if (!named_.insert(whole).second) return whole; // tied: two layers read it
    std::vector<float> values(found->size);
    found->to_file(numbers_.subspan(found->offset, found->size).data(), values.data());
    add(whole, found->shape, std::move(values));
    return whole;
  }
  /// Numbers that are no parameters. Throws N003 if they are not as many as the shape has.
  std::string constant(std::string_view name, std::vector<std::size_t> shape, std::vector<float> values) {
    require(count(shape) == values.size(), fault::shape, "constant '", name, "' has ", values.size(),
            " values, its shape has ", count(shape));
    return add(unused(concat(prefix_, name)), std::move(shape), std::move(values));
  }
  std::string integers(std::string_view name, std::initializer_list<onnx_integer> values) {
    std::vector<std::int64_t> numbers;
    for (const auto n : values) numbers.push_back(n.value);
    const std::size_t many = numbers.size();
    return add(unused(concat(prefix_, name)), {many}, std::move(numbers));
  }

  /// Adds a node and returns the name of its output.
  std::string node(std::string_view type, std::vector<std::string> inputs,
                   std::vector<onnx_attribute> attributes = {}) {
    auto output = unused(concat(prefix_, type));
    nodes_.push_back({std::string(type), std::move(inputs), output, std::move(attributes)});
    return output;
  }

  /// What the layer writes: as what it read, as a row, as an image.
  void put(std::string name) { now_.name = std::move(name); }
  void put_flat(std::string name, std::size_t width) { now_ = {std::move(name), {width}}; }
  void put_image(std::string name, std::size_t channels, std::size_t height, std::size_t width) {
    now_ = {std::move(name), {channels, height, width}};
  }

  /// For branches: where the graph is, and back there.
  value here() const { return now_; }
  void go(value where) { now_ = std::move(where); }
  /// What the layer of the list `back` places before the one at hand writes, in the shape of what that one reads;
  /// and back there.
  std::string earlier(std::size_t back) {
    const value reads = now_;
    go_back(back);
    if (now_.shape != reads.shape)
      static_cast<void>(reads.shape.size() == 1 ? flat()
                                                : image(reads.shape[0], reads.shape[1], reads.shape[2]));
    const std::string name = now_.name;
    now_ = reads;
    return name;
  }
  void go_back(std::size_t back) {
    require(back >= 1 && back <= written_.size(), fault::argument, "back ", back, " of ", written_.size());
    now_ = written_[written_.size() - back];
  }

  /// A layer inside the layer at hand, whose tensors are called `<name>.<theirs>`. Throws N011 for one that does not
  /// say what it is.
  template <class L>
  void inner(std::string_view name, const L& layer);

 private:
  struct written_node {
    std::string type;
    std::vector<std::string> inputs;
    std::string output;
    std::vector<onnx_attribute> attributes;
  };
  struct written_tensor {
    std::string name;
    std::vector<std::size_t> shape;
    std::variant<std::vector<float>, std::vector<std::int64_t>> values;
  };

  onnx_graph(std::vector<named_tensor> tensors, std::vector<float> numbers, std::vector<std::size_t> input)
      : tensors_(std::move(tensors)),
        all_(std::move(numbers)),
        numbers_(all_),
        now_{"input", std::move(input)} {}

  static std::size_t count(const std::vector<std::size_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  }
  std::string unused(std::string name) {
    if (named_.insert(name).second) return name;
    for (int i = 1;; ++i)
      if (auto other = concat(name, '_', i); named_.insert(other).second) return other;
  }
  template <class T>
  std::string add(std::string name, std::vector<std::size_t> shape, std::vector<T> values) {
    constants_.push_back({name, std::move(shape), std::move(values)});
    return name;
  }

  std::vector<std::byte> bytes(const std::vector<std::size_t>& input, const onnx_options& options) const;

  template <class Model, class T>
  friend result<std::vector<std::byte>> write_onnx(const Model&, const parameters<T>&, const onnx_options&);

  std::vector<named_tensor> tensors_;
  std::vector<float> all_;
  std::span<const float> numbers_;
  value now_;
  std::vector<value> written_; ///< what each layer up to the one at hand reads
  std::string prefix_;         ///< of the layer at hand: "3."
  std::set<std::string, std::less<>> named_{"input", "output"};
  std::vector<written_node> nodes_;
  std::vector<written_tensor> constants_;
};

namespace detail {

/// The name of a type as the compiler writes it.
template <class T>
constexpr std::string_view type_name() {
  const std::string_view all = __PRETTY_FUNCTION__, sign = "T = ";
  const auto start = all.find(sign) + sign.size();
  return all.substr(start, all.find_first_of(";]", start) - start);
}

template <std::size_t In, std::size_t Out, class Graph>
void onnx_layer(const dense<In, Out>& layer, Graph& g) {
  g.put_flat(g.node("Gemm", {g.flat(), g.tensor("weight"), g.tensor("bias")}, {{"transB", 1}}), layer.out);
}
template <class Graph>
void onnx_layer(const relu&, Graph& g) {
  g.put(g.node("Relu", {g.any()}));
}
template <class Graph>
void onnx_layer(const tanh_layer&, Graph& g) {
  g.put(g.node("Tanh", {g.any()}));
}
template <class Graph>
void onnx_layer(const sigmoid&, Graph& g) {
  g.put(g.node("Sigmoid", {g.any()}));
}
template <class Graph>
void onnx_layer(const dropout&, Graph&) {} // the identity in inference
template <class Graph>
void onnx_layer(const flatten&, Graph& g) {
  g.flat();
}
/// (channels) as (channels, 1, 1).
template <class Graph>
std::string onnx_by_channel(Graph& g, std::string_view name) {
  return g.node("Unsqueeze", {g.tensor(name), g.integers("axes", {1, 2})});
}
template <image In, std::size_t Groups, class Graph>
void onnx_layer(const group_norm<In, Groups>& layer, Graph& g) {
  // A group as a channel of InstanceNormalization: GroupNormalization is of opset 18.
  const image in = layer.in;
  const std::size_t groups = layer.groups;
  const auto grouped = g.node("Reshape", {g.image(in.channels, in.height, in.width),
                                          g.integers("groups", {0, groups, in.size() / groups})});
  const auto normal = g.node("InstanceNormalization",
                             {grouped, g.constant("ones", {groups}, std::vector<float>(groups, 1.0f)),
                              g.constant("zeros", {groups}, std::vector<float>(groups, 0.0f))},
                             {{"epsilon", layer.epsilon}});
  const auto whole = g.node("Reshape", {normal, g.integers("shape", {0, in.channels, in.height, in.width})});
  const auto scaled = g.node("Mul", {whole, onnx_by_channel(g, "weight")});
  g.put(g.node("Add", {scaled, onnx_by_channel(g, "bias")}));
}
template <std::size_t Width, class Graph>
void onnx_layer(const layer_norm<Width>& layer, Graph& g) {
  // In its parts: LayerNormalization is of opset 17.
  const auto mean_of = [&](const std::string& of) {
    return g.node("ReduceMean", {of}, {{"axes", {1}}, {"keepdims", 1}});
  };
  const std::string x = g.flat();
  const auto centred = g.node("Sub", {x, mean_of(x)});
  const auto variance = mean_of(g.node("Mul", {centred, centred}));
  const auto least = g.constant("epsilon", {1}, {static_cast<float>(layer.epsilon)});
  const auto normal = g.node("Div", {centred, g.node("Sqrt", {g.node("Add", {variance, least})})});
  g.put(g.node("Add", {g.node("Mul", {normal, g.tensor("weight")}), g.tensor("bias")}));
}
template <image In, class Graph>
void onnx_layer(const frozen_batch_norm<In>& layer, Graph& g) {
  const image in = layer.in;
  std::vector<std::string> inputs{g.image(in.channels, in.height, in.width), g.tensor("weight"),
                                  g.tensor("bias")};
  for (auto& constant : layer.constants())
    inputs.push_back(g.constant(constant.name, constant.shape, std::move(constant.values)));
  g.put(g.node("BatchNormalization", std::move(inputs), {{"epsilon", layer.epsilon}}));
}
template <std::size_t Steps, std::size_t Words, std::size_t Width, class Graph>
void onnx_layer(const embedding<Steps, Words, Width>& layer, Graph& g) {
  constexpr int integer_type = 7; // TensorProto.DataType
  const std::size_t width = layer.steps * std::size_t{layer.width};
  const auto words = g.node("Cast", {g.flat()}, {{"to", integer_type}});
  g.put_flat(g.node("Flatten", {g.node("Gather", {g.tensor("weight"), words})}, {{"axis", 1}}), width);
}
/// A tensor whose first axis is one gate after another, as `parts` says, with the gates in another order; then of the
/// shape `whole`.
template <class Graph>
std::string onnx_gates(Graph& g, const std::string& tensor, std::initializer_list<onnx_integer> order,
                       std::initializer_list<onnx_integer> parts, std::initializer_list<onnx_integer> whole) {
  const auto split = g.node("Reshape", {tensor, g.integers("parts", parts)});
  const auto turned = g.node("Gather", {split, g.integers("order", order)}, {{"axis", 0}});
  return g.node("Reshape", {turned, g.integers("whole", whole)});
}
template <class Cell, std::size_t Steps, std::size_t In, std::size_t Hidden, std::size_t Written, class Graph>
void onnx_layer(const recurrent<Cell, Steps, In, Hidden, Written>& layer, Graph& g) {
  const std::size_t steps = layer.steps, in = layer.in, hidden = layer.hidden, written = layer.written,
                    gates = Cell::gates;
  constexpr bool is_lstm = std::is_same_v<Cell, lstm_cell>;
  const auto turned = [&](std::string_view name, std::initializer_list<onnx_integer> parts,
                          std::initializer_list<onnx_integer> whole) {
    if constexpr (is_lstm) return onnx_gates(g, g.tensor(name), {0, 3, 1, 2}, parts, whole); // i o f c
    return onnx_gates(g, g.tensor(name), {1, 0, 2}, parts, whole);                           // z r h
  };
  const auto steps_first =
      g.node("Transpose", {g.node("Reshape", {g.flat(), g.integers("steps", {0, steps, in})})},
             {{"perm", {1, 0, 2}}});
  const auto biases = g.node("Concat",
                             {turned("bias_ih_l0", {gates, hidden}, {1, gates * hidden}),
                              turned("bias_hh_l0", {gates, hidden}, {1, gates * hidden})},
                             {{"axis", 1}});
  std::vector<onnx_attribute> attributes{{"hidden_size", hidden}};
  if constexpr (!is_lstm) attributes.push_back({"linear_before_reset", 1});
  auto states = g.node(is_lstm ? "LSTM" : "GRU",
                       {steps_first, turned("weight_ih_l0", {gates, hidden, in}, {1, gates * hidden, in}),
                        turned("weight_hh_l0", {gates, hidden, hidden}, {1, gates * hidden, hidden}), biases},
                       std::move(attributes)); // (steps, 1, N, hidden)
  if (written < steps)
    states = g.node("Slice", {states, g.integers("first", {steps - written}), g.integers("last", {steps}),
                              g.integers("axis", {0})});
  const auto by_row = g.node("Transpose", {states}, {{"perm", {2, 0, 1, 3}}});
  g.put_flat(g.node("Flatten", {by_row}, {{"axis", 1}}), written * hidden);
}
template <class Graph>
void onnx_layer(const add_layer& layer, Graph& g) {
  g.put(g.node("Add", {g.any(), g.earlier(layer.back)}));
}
template <class Graph>
void onnx_layer(const branch_layer& layer, Graph& g) {
  g.go_back(layer.back);
}

template <class Graph, class Layer>
void onnx_window(const char* type, const Layer& layer, Graph& g, std::vector<std::string> inputs,
                 std::vector<onnx_attribute> attributes) {
  const window kernel = layer.kernel;
  const auto out = layer.out_image();
  attributes.push_back({"kernel_shape", {kernel.height, kernel.width}});
  attributes.push_back({"strides", {kernel.stride, kernel.stride}});
  attributes.push_back({"pads", {kernel.padding, kernel.padding, kernel.padding, kernel.padding}});
  g.put_image(g.node(type, std::move(inputs), std::move(attributes)), out.channels, out.height, out.width);
}
template <image In, std::size_t Out, window Kernel, std::size_t Groups, class Graph>
void onnx_layer(const conv2d<In, Out, Kernel, Groups>& layer, Graph& g) {
  const image in = layer.in;
  onnx_window("Conv", layer, g,
              {g.image(in.channels, in.height, in.width), g.tensor("weight"), g.tensor("bias")},
              {{"group", std::size_t{layer.groups}}});
}
template <image In, window Kernel, class Graph>
void onnx_layer(const max_pool<In, Kernel>& layer, Graph& g) {
  const image in = layer.in;
  onnx_window("MaxPool", layer, g, {g.image(in.channels, in.height, in.width)}, {});
}
template <image In, window Kernel, class Graph>
void onnx_layer(const avg_pool<In, Kernel>& layer, Graph& g) {
  const image in = layer.in;
  onnx_window("AveragePool", layer, g, {g.image(in.channels, in.height, in.width)},
              {{"count_include_pad", 1}});
}

} // namespace detail

template <class L>
void onnx_graph::inner(std::string_view name, const L& layer) {
  const std::string outer = prefix_;
  prefix_ = concat(outer, name, '.');
  if constexpr (requires { layer.write_onnx(*this); })
    layer.write_onnx(*this);
  else if constexpr (requires { detail::onnx_layer(layer, *this); })
    detail::onnx_layer(layer, *this);
  else
    fail(fault::unsupported, "layer ", outer, name, " (", detail::type_name<L>(),
         ") does not say what it is in ONNX: it has no write_onnx(graph)");
  prefix_ = outer;
}

inline std::vector<std::byte> onnx_graph::bytes(const std::vector<std::size_t>& input,
                                                const onnx_options& options) const {
  constexpr int float_type = 1, integer_type = 7; // TensorProto.DataType
  protobuf_writer out;
  std::size_t size = 1 << 16;
  for (const auto& t : constants_) size += 128 + 8 * count(t.shape);
  out.reserve(size);
  // Whatever the last layer called its value, the graph's is called "output".
  const auto known = [&](const std::string& name) -> std::string_view {
    return name == now_.name ? "output" : std::string_view(name);
  };
  const auto interface = [&](std::uint32_t field, std::string_view name,
                             const std::vector<std::size_t>& shape) {
    out.message(field, [&] { // ValueInfoProto
      out.text(1, name);
      out.message(2, [&] {   // TypeProto
        out.message(1, [&] { // .tensor_type
          out.number(1, float_type);
          out.message(2, [&] {
            out.message(1, [&] { out.text(2, "N"); });
            for (const std::size_t n : shape) out.message(1, [&] { out.number(1, n); });
          });
        });
      });
    });
  };

  out.number(1, 7); // ModelProto.ir_version, that of opset 13
  out.text(2, "privet");
  out.text(3, concat(PRIVET_VERSION_MAJOR, '.', PRIVET_VERSION_MINOR, '.', PRIVET_VERSION_PATCH));
  out.message(7, [&] { // GraphProto
    for (const auto& n : nodes_)
      out.message(1, [&] { // NodeProto
        for (const auto& name : n.inputs) out.text(1, known(name));
        out.text(2, known(n.output));
        out.text(3, n.output);
        out.text(4, n.type);
        for (const auto& a : n.attributes)
          out.message(5, [&] { // AttributeProto; type: FLOAT 1, INT 2, STRING 3, INTS 7
            out.text(1, a.name);
            if (const auto* const number = std::get_if<std::int64_t>(&a.value)) out.number(3, *number);
            if (const auto* const real = std::get_if<float>(&a.value)) out.number(2, *real);
            if (const auto* const text = std::get_if<std::string>(&a.value)) out.text(4, *text);
            if (const auto* const list = std::get_if<std::vector<std::int64_t>>(&a.value))
              for (const auto i : *list) out.number(8, i);
            constexpr std::array types{2, 1, 3, 7};
            out.number(20, types[a.value.index()]);
          });
      });
    out.text(2, options.name);
    for (const auto& t : constants_)
      out.message(5, [&] { // TensorProto
        for (const std::size_t n : t.shape) out.number(1, n);
        out.number(2, t.values.index() == 0 ? float_type : integer_type);
        out.text(8, t.name);
        std::visit(
            [&](const auto& values) {
              static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");
              out.bytes(9, std::as_bytes(std::span(values)));
            },
            t.values);
      });
    interface(11, "input", input);
    interface(12, "output", now_.shape);
  });
  out.message(8, [&] { // OperatorSetIdProto
    out.text(1, "");
    out.number(2, 13);
  });
  for (const auto& entry : options.metadata)
    out.message(14, [&] { // StringStringEntryProto
      out.text(1, entry.first);
      out.text(2, entry.second);
    });
  return std::move(out).take();
}

/// The bytes of an ONNX file (opset 13, IR version 7) of a `sequential` or a `network` in inference: dropout is the
/// identity. Tensors are called as in safetensors files, `<layer>.weight` and `<layer>.bias`; numbers are float32.
///
/// Shape     input (N, width) or (N, input_shape...), output as the last layer writes it: logits, or probabilities
///           under `softmax`
/// Errors    N003 parameters of another model, an input shape of another number of values; N011 a layer that does
///           not say what it is in ONNX, named; more than 2 GiB, which Protocol Buffers do not hold
/// Privacy   the file holds the parameters, local ones too: nothing less and nothing more than the model
/// Source    the ONNX specification, onnx.proto and Operators.md
/// Test      tests/nn/onnx.test.cpp, against onnxruntime
template <class Model, class T>
result<std::vector<std::byte>> write_onnx(const Model& model, const parameters<T>& p,
                                          const onnx_options& options) {
  const auto wrong = [](fault kind, std::string_view why) { return error::of(kind, "write_onnx: ", why); };
  if (p.trained().size() != model.sizes().shared + model.sizes().local)
    return error::of(fault::shape, "write_onnx: ", p.trained().size(), " parameters, the model has ",
                     model.sizes().shared + model.sizes().local);
  std::vector<std::size_t> input = options.input_shape;
  if (input.empty()) input = {model.in_width()};
  if (onnx_graph::count(input) != model.in_width())
    return error::of(fault::shape, "write_onnx: an input shape of ", onnx_graph::count(input),
                     " values, the model reads ", model.in_width());
  if (p.trained().size() > (std::size_t{1} << 29) - (std::size_t{1} << 20))
    return wrong(fault::unsupported, "more than 2 GiB of parameters");

  std::vector<float> numbers(p.trained().size());
  std::ranges::transform(p.trained(), numbers.begin(), [](T x) { return static_cast<float>(x); });
  onnx_graph graph(model.tensors(), std::move(numbers), input);
  try {
    std::size_t index = 0;
    model.layers().for_each([&](const auto& layer) {
      graph.written_.push_back(graph.now_);              // what this one reads
      graph.inner(concat(model.origin(index++)), layer); // tied layers have one name
    });
    if (options.softmax) graph.put(graph.node("Softmax", {graph.flat()}, {{"axis", 1}}));
    if (graph.any() == "input") graph.put(graph.node("Identity", {"input"})); // an output has a node
  } catch (const exception& why) {
    return wrong(why.kind(), std::string_view(why.what()).substr(std::string_view(why.what()).find(']') + 2));
  }
  return graph.bytes(input, options);
}

} // namespace privet
