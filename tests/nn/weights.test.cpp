#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/weights.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace privet;

namespace {

const sequential model{dense<5, 3>{}, relu{}, dropout{0.5}, dense<3, 2>{}};

template <class T>
parameters<T> random_parameters() {
  auto p = model.make_parameters<T>();
  std::ranges::copy(test::normals<T>(p.shared().size(), 3), p.shared().begin());
  return p;
}

} // namespace

TEMPLATE_TEST_CASE(
    "weights: a file read back is the same to the bit, also by a network from its own metadata", "", float,
    double) {
  const auto p = random_parameters<TestType>();
  const auto file = read_safetensors(write_weights(model, p, {{"kind", "wisdm"}})).value();
  CHECK(file.metadata().at("kind") == "wisdm");
  const auto again = read_weights<TestType>(model, file).value();
  CHECK(std::ranges::equal(again.shared(), p.shared()));

  const auto described = read_network(parse_json(file.metadata().at("privet.network")).value()).value();
  CHECK(std::ranges::equal(read_weights<TestType>(described, file).value().shared(), p.shared()));
  CHECK(write_weights(described, p, {{"kind", "wisdm"}}) == write_weights(model, p, {{"kind", "wisdm"}}));
}

TEST_CASE("weights: tensors are named and shaped as torch.nn.Sequential names and shapes them") {
  const auto p = random_parameters<float>();
  const auto file = read_safetensors(write_weights(model, p)).value();
  REQUIRE(file.entries().size() == 4);
  CHECK(file.find("0.weight")->shape == std::vector<std::size_t>{3, 5});
  CHECK(file.find("0.bias")->shape == std::vector<std::size_t>{3});
  CHECK(file.find("3.weight")->shape == std::vector<std::size_t>{2, 3});
  CHECK(file.find("3.bias")->shape == std::vector<std::size_t>{2});

  // y = W x + b from the file's (out, in) is what the model computes.
  const auto w = file.find("0.weight")->view<float>().value(), b = file.find("0.bias")->view<float>().value();
  const auto x = test::normals<float>(5, 4);
  auto memory = model.make_tape<float>(1);
  model.forward(p.trained(), 1, x.data(), memory);
  for (std::size_t o = 0; o < 3; ++o) {
    double y = b[o];
    for (std::size_t i = 0; i < 5; ++i) y += static_cast<double>(w[o * 5 + i]) * x[i];
    CHECK(memory.output(0)[o] == Approx(std::max(y, 0.0)).epsilon(1e-5).margin(1e-6)); // the relu is in place
  }
}

TEST_CASE("weights: the stated architecture is that of the weights, whatever metadata was handed over") {
  const auto p = random_parameters<float>();
  const auto file =
      read_safetensors(write_weights(model, p, {{"privet.network", "that of another file"}})).value();
  CHECK(file.metadata().at("privet.network") == json_text(describe(model)));
}

TEST_CASE("weights: files of 16-bit numbers are read") {
  const sequential line{dense<2, 1>{}};
  const std::vector<std::uint16_t> halves{0x3c00, 0xc000}, brains{0x3f80};
  const std::vector<tensor_entry> entries{{"0.weight", dtype::f16, {1, 2}, std::as_bytes(std::span(halves))},
                                          {"0.bias", dtype::bf16, {1}, std::as_bytes(std::span(brains))}};
  const auto p = read_weights<float>(line, read_safetensors(write_safetensors(entries)).value()).value();
  CHECK(std::vector<float>(p.trained().begin(), p.trained().end()) == std::vector<float>{1, -2, 1});
}

TEST_CASE("weights: a missing tensor, another shape and another type are named") {
  const auto p = random_parameters<float>();
  const auto whole = read_safetensors(write_weights(model, p)).value();

  std::vector<tensor_entry> entries(whole.entries().begin(), whole.entries().end());
  std::erase_if(entries, [](const auto& e) { return e.name == "3.bias"; });
  const auto missing =
      read_weights<float>(model, read_safetensors(write_safetensors(entries)).value(), "model.safetensors");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message ==
        "[N004 format] model.safetensors: no tensor '3.bias', which layer 3 reads as (2)");

  // The transpose has as many numbers and is still wrong.
  const sequential other{dense<3, 5>{}};
  std::vector<tensor_entry> first(whole.entries().begin(), whole.entries().end());
  std::erase_if(first, [](const auto& e) { return !e.name.starts_with("0."); });
  const auto transposed = read_weights<float>(other, read_safetensors(write_safetensors(first)).value());
  REQUIRE_FALSE(transposed);
  CHECK(transposed.error().kind == fault::shape);
  CHECK(transposed.error().message.find("'0.weight'") != std::string::npos);

  const auto longer = read_weights<float>(other, whole, "model.safetensors");
  REQUIRE_FALSE(longer);
  CHECK(longer.error().message ==
        "[N003 shape] model.safetensors: no layer reads tensor '3.bias' (2); the model reads 2 tensors, "
        "'0.weight' "
        "to '0.bias'");

  const auto type = read_weights<double>(model, whole, "model.safetensors");
  REQUIRE_FALSE(type);
  CHECK(type.error().kind == fault::shape);
  CHECK(type.error().message.ends_with("is F32, expected F64"));
  CHECK(type.error().message.starts_with("[N003 shape] model.safetensors: tensor '"));
}

TEST_CASE(
    "weights: convolutions lie in files as torch.nn.Conv2d has them, and others are named with both shapes") {
  const network images({conv2d<>{image{4, 5, 5}, 6, window{3, 2}, 2}, relu{}, flatten{}, dense<>{72, 3}});
  auto p = images.make_parameters<float>();
  std::ranges::copy(test::normals<float>(p.shared().size(), 5), p.shared().begin());
  const auto file = read_safetensors(write_weights(images, p)).value();
  REQUIRE(file.entries().size() == 4);
  CHECK(file.find("0.weight")->shape == std::vector<std::size_t>{6, 2, 3, 2});
  CHECK(file.find("0.bias")->shape == std::vector<std::size_t>{6});
  CHECK(file.find("3.weight")->shape == std::vector<std::size_t>{3, 72});
  const auto w = file.find("0.weight")->view<float>().value();
  CHECK(std::equal(w.begin(), w.end(), p.shared().begin()));
  CHECK(std::ranges::equal(read_weights<float>(images, file).value().shared(), p.shared()));
  const auto described = read_network(parse_json(file.metadata().at("privet.network")).value()).value();
  CHECK(std::ranges::equal(read_weights<float>(described, file).value().shared(), p.shared()));

  const network other({conv2d<>{image{4, 5, 5}, 6, window{2, 3}, 2}, relu{}, flatten{}, dense<>{72, 3}});
  const auto refused = read_weights<float>(other, file, "images.safetensors");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "[N003 shape] images.safetensors: tensor '0.weight' is (6, 2, 3, 2), expected (6, 2, 2, 3)");
}

TEST_CASE("weights: layers that normalise are in files as torch names them, running statistics too") {
  const network images({conv2d<>{image{1, 4, 4}, 2, window{3, 3}}, group_norm<>{image{2, 2, 2}, 2},
                        batch_norm<>{image{2, 2, 2}}.frozen({{0.1f, -3}, {0.5f, 2}}), flatten{},
                        layer_norm{8}});
  auto p = images.make_parameters<float>();
  std::ranges::copy(test::normals<float>(p.shared().size(), 5), p.shared().begin());
  const auto file = read_safetensors(write_weights(images, p)).value();
  REQUIRE(file.entries().size() == 10);
  for (const char* name : {"1.weight", "1.bias", "2.weight", "2.bias", "2.running_mean", "2.running_var"})
    CHECK(file.find(name)->shape == std::vector<std::size_t>{2});
  CHECK(file.find("4.weight")->shape == std::vector<std::size_t>{8});
  CHECK(file.find("2.running_mean")->view<float>().value()[1] == -3);
  const auto described = read_network(parse_json(file.metadata().at("privet.network")).value()).value();
  CHECK(std::ranges::equal(read_weights<float>(described, file).value().shared(), p.shared()));

  const auto statistics = read_statistics(file, "2").value();
  CHECK(statistics.mean == std::vector<float>{0.1f, -3});
  CHECK(statistics.variance == std::vector<float>{0.5f, 2});

  // A model that does not know the statistics yet.
  const auto blank =
      keep_local(sequential{conv2d<>{image{1, 4, 4}, 2, window{3, 3}}, group_norm{image{2, 2, 2}, 2},
                            batch_norm<image{2, 2, 2}>{}.frozen(), flatten{}, layer_norm<8>{}},
                 {2});
  const auto refused = read_weights<float>(blank, file, "images.safetensors");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "[N003 shape] images.safetensors: tensor '2.running_mean' holds other numbers than the model, which "
        "with_statistics(model, file) takes over");
  const auto filled = with_statistics(blank, file).value();
  CHECK(filled.is_local(2));
  CHECK(read_weights<float>(filled, file));
  auto whole = describe(filled);
  whole["version"] = 1, whole["layers"][2].erase("local");
  CHECK(json_text(whole) == json_text(describe(images)));
}

TEST_CASE("weights: running statistics that are none are named") {
  std::vector<float> two{1, 2}, negative{1, -2}, three{1, 2, 3};
  const std::vector<std::int64_t> batches{7};
  const auto file_of = [&](const std::vector<float>& mean, const std::vector<float>& variance) {
    const std::vector<tensor_entry> entries{
        tensor_entry::of<float>("0.weight", {2}, std::span<const float>(two)),
        tensor_entry::of<float>("0.bias", {2}, std::span<const float>(two)),
        tensor_entry::of<float>("0.running_mean", {mean.size()}, std::span<const float>(mean)),
        tensor_entry::of<float>("0.running_var", {variance.size()}, std::span<const float>(variance)),
        tensor_entry::of<std::int64_t>("0.num_batches_tracked", {}, std::span<const std::int64_t>(batches))};
    return read_safetensors(write_safetensors(entries)).value();
  };
  const network layer({frozen_batch_norm<>{image{2, 1, 1}}});
  const auto torchs = file_of(two, two); // as torch writes it
  CHECK(read_weights<float>(with_statistics(layer, torchs).value(), torchs));
  CHECK(read_statistics(torchs, "1").error().message == "[N004 format] weights: no tensor '1.running_mean'");
  CHECK(with_statistics(layer, file_of(two, negative)).error().message ==
        "[N004 format] weights: tensor '0.running_mean' or '0.running_var' is no statistics: channel 1 has "
        "mean 2 "
        "and variance -2");
  CHECK(with_statistics(layer, file_of(two, three)).error().message ==
        "[N003 shape] weights: tensor '0.running_mean' is (2), '0.running_var' (3), expected one number by "
        "channel");
  CHECK(with_statistics(layer, file_of(three, three)).error().message ==
        "[N003 shape] weights: tensor '0.running_mean' is of 3 channels, expected 2");
}
