#include "fixtures/transfer.hpp"
#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/frozen_body.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/resnet18.hpp>
#include <privet/nn/vgg.hpp>
#include <privet/nn/weights.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace privet;
namespace torch = privet::test::transfer;

namespace {

constexpr std::size_t rows = 3, classes = 5;

double formula(std::size_t i, std::size_t seed) {
  return (static_cast<double>((i * i * 7 + i * 13 + seed) % 251) - 125) / 128;
}

/// What torch's state_dict() holds, as the script that made the fixture filled it.
template <class T>
struct state {
  std::vector<tensor_entry> entries;
  std::map<std::string, std::vector<T>> numbers;
  std::int64_t batches = 7;

  template <std::size_t N>
  explicit state(const char* const (&names)[N], const std::int32_t (&shapes)[N][4]) {
    for (std::size_t k = 0; k < N; ++k) {
      const std::string name = names[k];
      std::vector<std::size_t> shape;
      std::size_t count = 1, fan_in = 1;
      for (const auto side : shapes[k]) {
        if (side == 0) break;
        if (!shape.empty()) fan_in *= static_cast<std::size_t>(side);
        shape.push_back(static_cast<std::size_t>(side));
        count *= shape.back();
      }
      if (name.ends_with("num_batches_tracked")) {
        entries.push_back(tensor_entry::of<std::int64_t>(name, {}, std::span(&batches, 1)));
        continue;
      }
      auto& values = numbers[name];
      for (std::size_t i = 0; i < count; ++i) {
        double v = formula(i, 31 * k + 5);
        if (name.ends_with("running_var"))
          v = v / 2 + 1;
        else if (shape.size() > 1)
          v = std::ldexp(v, 1 - (static_cast<int>(std::bit_width(fan_in)) - 1) / 2);
        values.push_back(static_cast<T>(v));
      }
      entries.push_back(tensor_entry::of<T>(name, shape, std::span<const T>(values)));
    }
  }

  tensor_entry& entry(std::string_view name) {
    return *std::ranges::find(entries, name, &tensor_entry::name);
  }
  void rename(std::string_view name, std::string to) { entry(name).name = std::move(to); }
  void erase(std::string_view name) { entries.erase(entries.begin() + (&entry(name) - entries.data())); }
  safetensors_file file() const { return read_safetensors(write_safetensors(entries)).value(); }
};

void check_close(double got, double expected) {
  INFO(got << " against " << expected);
  CHECK(std::abs(got - expected) <= 1e-9 * std::abs(expected) + 1e-12);
}

/// Outputs, and squared norms of the gradients of all tensors that both sides have.
template <std::size_t N>
void check_equal(const named_network& named, const char* const (&names)[N],
                 const std::int32_t (&shapes)[N][4], const double (&outputs)[rows * classes],
                 const double (&norms)[N]) {
  const state<double> numbers(names, shapes);
  const auto read = read_pretrained<double>(named, numbers.file()).value();
  const auto& [model, p] = read;
  const std::span<const double> weights = p.trained();
  std::vector<double> x(rows * model.in_width());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = formula(i, 3);
  auto memory = model.make_tape<double>(rows);
  model.forward(weights, rows, x.data(), memory);
  const double* const z = memory.output(model.depth() - 1);
  for (std::size_t i = 0; i < rows * classes; ++i) check_close(z[i], outputs[i]);

  const std::int32_t labels[rows] = {0, 1, 2};
  double losses[rows];
  softmax_cross_entropy{}.evaluate<simd::default_arch>(rows, classes, z, labels, losses,
                                                       memory.delta(model.depth() - 1));
  model.backward(weights, rows, x.data(), memory);
  std::vector<double> g(weights.size());
  model.accumulate(rows, x.data(), memory, std::span<double>(g));
  std::size_t compared = 0, biases = 0;
  for (const auto& tensor : model.tensors()) {
    const auto& module = named.modules[std::stoul(tensor.name)];
    const std::string name = module.name + tensor.name.substr(tensor.name.find('.'));
    const auto k = static_cast<std::size_t>(std::find(names, names + N, name) - names);
    if (k == N) {
      CHECK((!module.bias && name.ends_with(".bias")));
      for (const double w : weights.subspan(tensor.offset, tensor.size)) CHECK(w == 0);
      ++biases;
      continue;
    }
    if (module.pool && name.ends_with(".weight")) continue; // other parameters of the same function
    INFO(name);
    double norm = 0;
    for (const double v : std::span(g).subspan(tensor.offset, tensor.size)) norm += v * v;
    check_close(norm, norms[k]);
    ++compared;
  }
  CHECK(compared + biases + named.modules[model.depth() - 7].pool.has_value() == model.tensors().size());
}

std::string refused(const named_network& named, const state<float>& numbers) {
  const auto read = read_pretrained<float>(named, numbers.file(), "file");
  REQUIRE_FALSE(read);
  return read.error().message;
}

} // namespace

TEST_CASE("resnet18: a file with torchvision's names gives torch's outputs and gradients", "[slow]") {
  check_equal(resnet18(image{3, 64, 48}, classes, {.divisor = 8}), torch::resnet18_names,
              torch::resnet18_shapes, torch::resnet18_outputs, torch::resnet18_norms);
  check_equal(resnet18(image{3, 33, 35}, classes, {.divisor = 16, .groups = 2}), torch::resnet18_groups_names,
              torch::resnet18_groups_shapes, torch::resnet18_groups_outputs, torch::resnet18_groups_norms);
}

TEST_CASE("vgg16: a file with torchvision's names gives torch's outputs and gradients", "[slow]") {
  check_equal(vgg16(image{3, 32, 32}, classes, {.divisor = 16}), torch::vgg_32_names, torch::vgg_32_shapes,
              torch::vgg_32_outputs, torch::vgg_32_norms);
  check_equal(vgg16(image{3, 96, 330}, classes, {.divisor = 16}), torch::vgg_96_names, torch::vgg_96_shapes,
              torch::vgg_96_outputs, torch::vgg_96_norms);
}

TEST_CASE("vgg16: on images of 224 and of 448 pixels a side it gives torch's outputs and gradients",
          "[slow]") {
  check_equal(vgg16(image{3, 224, 224}, classes, {.divisor = 32}), torch::vgg_224_names,
              torch::vgg_224_shapes, torch::vgg_224_outputs, torch::vgg_224_norms);
  check_equal(vgg16(image{3, 448, 448}, classes, {.divisor = 64}), torch::vgg_448_names,
              torch::vgg_448_shapes, torch::vgg_448_outputs, torch::vgg_448_norms);
}

TEST_CASE("vgg16 and resnet18: sizes and limits are those of the whole networks") {
  const auto vgg = vgg16(image{3, 224, 224}, 1000);
  CHECK(vgg.model.sizes().shared == 138357544); // torchvision's documentation
  CHECK(vgg.parametric_layers().size() == 16);
  const auto resnet = resnet18(image{3, 224, 224}, 1000);
  std::size_t biases = 0;
  for (const auto& tensor : resnet.model.tensors())
    if (tensor.name.ends_with(".bias") && !resnet.modules[std::stoul(tensor.name)].bias)
      biases += tensor.size;
  CHECK(resnet.model.sizes().shared - biases == 11689512); // torchvision's documentation
  CHECK(read_network(describe(resnet.model)));
  CHECK_FALSE(read_network(describe(vgg.model)));
  const auto own = read_network(describe(vgg.model), "own", network_limits::of_own_files()).value();
  CHECK(own.sizes() == vgg.model.sizes());
  // Of 16 rows, trained on and predicted, in millions of bytes: the figures of docs/nn/transfer.md.
  const auto mega = [](const network& n, passes of) { return n.bytes_for(16, of) / 1'000'000; };
  CHECK(mega(own, passes::both) == 2266);
  CHECK(mega(own, passes::forward) == 434);
  CHECK(mega(resnet.model, passes::both) == 1015);
  CHECK(mega(resnet.model, passes::forward) == 123);
  CHECK(own.rows_within(usual_tape_bytes, 320) == 16);
}

TEST_CASE("vgg16 and resnet18: impossible sizes are refused with both sides") {
  CHECK_THROWS_WITH(vgg16(image{3, 31, 32}, 5),
                    "[N001 argument] vgg16: images of 3 x 31 x 32, sides of 32 and more are possible");
  CHECK_THROWS_WITH(vgg16(image{3, 32, 32}, 0), "[N001 argument] vgg16: 0 classes");
  CHECK_THROWS_WITH(vgg16(image{3, 32, 32}, 5, {.divisor = 3}),
                    "[N001 argument] vgg16: a divisor of 3 does not divide 64");
  CHECK_THROWS_AS(vgg16(image{}, 5), exception);
  CHECK_THROWS_WITH(resnet18(image{3, 0, 32}, 5),
                    "[N001 argument] resnet18: images of 3 x 0 x 32, sides of 1 and more are possible");
  CHECK_THROWS_WITH(resnet18(image{3, 32, 32}, 0), "[N001 argument] resnet18: 0 classes");
  CHECK_THROWS_WITH(resnet18(image{3, 32, 32}, 5, {.divisor = 0}),
                    "[N001 argument] resnet18: a divisor of 0 does not divide 64");
  CHECK_THROWS_WITH(resnet18(image{3, 32, 32}, 5, {.divisor = 16, .groups = 3}),
                    "[N001 argument] group_norm: 3 groups do not divide 4 channels");
  CHECK_THROWS_AS(resnet18(image{}, 5), exception);
  CHECK(resnet18(image{1, 1, 1}, 2, {.divisor = 64}).model.out_width() == 2);
}

TEST_CASE("read_pretrained: missing tensors, others and other shapes are named with both sides") {
  const auto named = resnet18(image{3, 32, 32}, classes, {.divisor = 8});
  const state<float> good(torch::resnet18_names, torch::resnet18_shapes);
  REQUIRE(read_pretrained<float>(named, good.file()));
  {
    auto wrong = good;
    wrong.rename("fc.weight", "head.weight");
    CHECK(refused(named, wrong) ==
          "[N004 format] file: no tensor 'fc.weight', which layer 71 reads as (5, 64); no layer reads its "
          "tensor "
          "'head.weight' (5, 64)");
  }
  {
    auto wrong = good;
    wrong.erase("layer2.0.downsample.1.bias");
    CHECK(refused(named, wrong) ==
          "[N004 format] file: no tensor 'layer2.0.downsample.1.bias', which layer 25 reads as (16)");
  }
  {
    auto wrong = good;
    wrong.erase("layer1.0.bn1.running_var");
    CHECK(refused(named, wrong) ==
          "[N004 format] file: no tensor 'layer1.0.bn1.running_var', which layer 5 reads as (8)");
  }
  {
    auto wrong = good;
    const std::vector<float> more(4);
    wrong.entries.push_back(tensor_entry::of<float>("layer5.weight", {2, 2}, std::span<const float>(more)));
    CHECK(refused(named, wrong) ==
          "[N003 shape] file: no layer reads tensor 'layer5.weight' (2, 2); the model reads 82 tensors, "
          "'conv1.weight' to 'fc.bias'");
  }
  // Batch norms where the model has groups.
  const auto grouped = resnet18(image{3, 32, 32}, classes, {.divisor = 8, .groups = 2});
  CHECK(refused(grouped, good).find("no layer reads tensor 'bn1.") != std::string::npos);
  const state<float> without(torch::resnet18_groups_names, torch::resnet18_groups_shapes);
  CHECK(refused(named, without).find("no tensor 'bn1.running_mean', which layer 1 reads as (8)") !=
        std::string::npos);
  // Another width.
  const auto wide = resnet18(image{3, 32, 32}, classes, {.divisor = 4});
  CHECK(refused(wide, good) == "[N003 shape] file: tensor 'bn1.running_mean' is of 8 channels, expected 16");
  const auto vgg = vgg16(image{3, 32, 32}, classes, {.divisor = 32});
  const state<float> others(torch::vgg_32_names, torch::vgg_32_shapes);
  CHECK(refused(vgg, others) ==
        "[N003 shape] file: tensor 'features.0.weight' is (4, 3, 3, 3), expected (2, 3, 3, 3)");
  CHECK(refused(named, others)
            .find("no tensor 'conv1.weight', which layer 0 reads as (8, 3, 7, 7); no layer reads its "
                  "tensor 'classifier.0.") != std::string::npos);
}

TEST_CASE("read_pretrained: a bias that the file has is read, where none is expected") {
  const auto named = resnet18(image{3, 32, 32}, classes, {.divisor = 8});
  state<float> numbers(torch::resnet18_names, torch::resnet18_shapes);
  const std::vector<float> bias{1, 2, 3, 4, 5, 6, 7, 8};
  numbers.entries.push_back(tensor_entry::of<float>("conv1.bias", {8}, std::span<const float>(bias)));
  const auto read = read_pretrained<float>(named, numbers.file()).value();
  const auto tensors = read.model.tensors();
  REQUIRE(tensors[1].name == "0.bias");
  CHECK(std::ranges::equal(read.weights.trained().subspan(tensors[1].offset, 8), bias));
  CHECK(read.weights.trained()[0] == numbers.numbers.at("conv1.weight")[0]);
}

TEST_CASE("read_pretrained: a new head stays as it is, and only when it is asked for") {
  const auto named = resnet18(image{3, 32, 32}, 7, {.divisor = 8});
  const state<float> numbers(torch::resnet18_names, torch::resnet18_shapes);
  CHECK(refused(named, numbers) == "[N003 shape] file: tensor 'fc.weight' is (5, 64), expected (7, 64)");
  auto first = named.model.make_parameters();
  std::ranges::fill(first.trained(), 0.25f);
  const auto read = read_pretrained(named, numbers.file(), new_head<float>{first}).value();
  std::size_t kept = 0;
  for (const auto& tensor : read.model.tensors()) {
    const auto own = read.weights.trained().subspan(tensor.offset, tensor.size);
    const bool same = std::ranges::all_of(own, [](float w) { return w == 0.25f; });
    CHECK(same == tensor.name.starts_with("71."));
    kept += same ? own.size() : 0;
  }
  CHECK(kept == 7 * 65);
  // The last norm, too: its statistics are not read.
  const auto two = read_pretrained(named, numbers.file(), new_head<float>{first, 2}).value();
  const auto unread = detail::constants_of(two.model);
  CHECK(unread.back().values == std::vector<float>(64, 1.f));
  CHECK(detail::constants_of(read.model).back().values != unread.back().values);
  // A file without any classifier is one whose classifier is new.
  auto headless = numbers;
  headless.erase("fc.weight");
  headless.erase("fc.bias");
  CHECK(read_pretrained(named, headless.file(), new_head<float>{first}));
  for (const auto& head : {new_head<float>{first, 0}, new_head<float>{first, 42},
                           new_head<float>{parameters<float>({.shared = 3})}}) {
    const auto wrong = read_pretrained(named, numbers.file(), head, "file");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message.starts_with("[N003 shape] file: a new head of "));
  }
}

TEST_CASE("read_pretrained: body and head are one file again, statistics and all") {
  const auto named = resnet18(image{3, 32, 32}, classes, {.divisor = 8});
  const state<float> numbers(torch::resnet18_names, torch::resnet18_shapes);
  const auto read = read_pretrained<float>(named, numbers.file()).value();
  auto parts = freeze_all_but(read.model, read.weights, 1);
  CHECK(parts.head.sizes().shared == 65 * classes);
  for (auto& w : parts.head_weights.trained()) w = 2;
  const network whole = parts.whole();
  const auto p = parts.join(parts.head_weights);
  const auto file = read_safetensors(write_weights(whole, p)).value();
  const auto again = read_network(parse_json(file.metadata().at("privet.network")).value()).value();
  CHECK(json_text(describe(again)) == json_text(describe(read.model)));
  const auto back = read_weights<float>(again, file).value();
  CHECK(std::ranges::equal(back.trained(), p.trained()));
  const std::size_t body = parts.body.layers().sizes().shared;
  CHECK(std::ranges::equal(back.trained().first(body), read.weights.trained().first(body)));
  CHECK(std::ranges::all_of(back.trained().subspan(body), [](float w) { return w == 2; }));
  // Where a block of ResNet-18 may be cut: in front of it.
  CHECK_THROWS_AS(freeze_all_but(read.model, read.weights, 2), exception);
  CHECK(freeze_all_but(read.model, read.weights, 5).head.depth() == 10);
}
