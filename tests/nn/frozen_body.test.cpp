#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/frozen_body.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace privet;

namespace {

constexpr window same{.height = 3, .width = 3, .padding = 1};

/// Rows and lanes in turn, two blocks on lanes, one on rows, a join of what the network reads.
network mixed() {
  return network({conv2d<>{image{1, 6, 6}, 3, same},               // 0
                  relu{},                                          // 1
                  conv2d<>{image{3, 6, 6}, 3, same},               // 2
                  relu{},                                          // 3
                  conv2d<>{image{3, 6, 6}, 3, same},               // 4
                  add_layer(4),                                    // 5: what 2 reads
                  relu{},                                          // 6
                  conv2d<>{image{3, 6, 6}, 4, window{3, 3, 2, 1}}, // 7
                  frozen_batch_norm<>{image{4, 3, 3}},             // 8
                  branch_layer(3),                                 // 9: to what 7 reads
                  conv2d<>{image{3, 6, 6}, 4, window{1, 1, 2}},    // 10
                  add_layer(3),                                    // 11
                  relu{},                                          // 12
                  flatten{},                                       // 13
                  dropout{0.5},                                    // 14
                  dense<>{36, 8},                                  // 15
                  relu{},                                          // 16
                  dense<>{8, 8},                                   // 17
                  add_layer(3),                                    // 18: what 16 reads
                  layer_norm<>{8},                                 // 19
                  dense<>{8, 8},                                   // 20
                  conv2d<>{image{2, 2, 2}, 3, window{2, 2}},       // 21
                  dense<>{3, 5}});                                 // 22
}

template <class T>
parameters<T> random_parameters(const network& model) {
  auto p = model.make_parameters<T>();
  std::ranges::copy(test::normals<T>(p.trained().size(), 3), p.trained().begin());
  for (auto& w : p.trained()) w /= 2;
  return p;
}

template <class T>
std::vector<T> outputs(const network& model, const parameters<T>& p, rows_view<T> rows, passes of) {
  auto memory = model.make_tape<T>(rows.rows, of);
  model.forward(p.trained(), rows.rows, rows.data, memory);
  const T* const out = memory.output(model.depth() - 1);
  return {out, out + rows.rows * model.out_width()};
}

std::string refusal(const network& model, std::size_t at) {
  try {
    (void)freeze_body(model, model.make_parameters<float>(), at);
  } catch (const exception& why) {
    return why.what();
  }
  return {};
}

} // namespace

TEMPLATE_TEST_CASE("frozen_body: a tape for forward alone is smaller and gives the same bits", "[slow]",
                   float, double) {
  const auto model = mixed();
  const auto p = random_parameters<TestType>(model);
  const auto x = test::normals<TestType>(50 * 36, 1);
  for (const std::size_t n : {1u, 16u, 50u}) {
    const rows_view<TestType> rows{x.data(), n, 36};
    const auto expected = outputs(model, p, rows, passes::both);
    CHECK(outputs(model, p, rows, passes::forward) == expected);
    CHECK(model.bytes_for<TestType>(n, passes::forward) * 2 < model.bytes_for<TestType>(n, passes::both));
    // Cut short behind each layer, so that the last one is of each kind.
    for (std::size_t depth = 1; depth < model.depth(); ++depth) {
      std::vector<any_layer> layers;
      model.layers().for_each([&](const auto& layer) {
        if (layers.size() < depth) layers.push_back(layer);
      });
      if (depth == 10) continue; // ends with a branch
      const bool parted = depth > 7 && depth < 12;
      if (parted) continue; // a branch without its join
      const network part(std::move(layers));
      const auto own = random_parameters<TestType>(part);
      INFO(depth << " layers, " << n << " rows");
      CHECK(outputs(part, own, rows, passes::forward) == outputs(part, own, rows, passes::both));
    }
  }
}

TEST_CASE(
    "frozen_body: as many rows at a time as behind the first block take no more than a number of bytes") {
  const auto model = mixed();
  const std::size_t one = model.bytes_for(16), all = model.bytes_for(320) - one;
  CHECK(model.rows_within(all, 320) == 320);
  CHECK(model.rows_within(all - 1, 320) == 304);
  CHECK(model.rows_within(0, 320) == 16);
  CHECK(model.rows_within(0, 7) == 7);
  CHECK(model.rows_within(all, 300) == 300);
  for (std::size_t bytes = 0; bytes < all; bytes += one / 3) {
    const auto n = model.rows_within(bytes, 320);
    CHECK(n % 16 == 0);
    CHECK(model.bytes_for(n) <= one + bytes);
    CHECK((n == 320 || model.bytes_for(n + 16) > one + bytes));
  }
}

TEST_CASE(
    "frozen_body: body and head give the bits of the whole, wherever it is cut and on any number of "
    "threads") {
  const auto model = mixed();
  const auto p = random_parameters<float>(model);
  const auto x = test::normals<float>(600 * 36, 1);
  const rows_view<float> rows{x.data(), 600, 36};
  const auto expected = outputs(model, p, rows, passes::both);
  for (const std::size_t at : {2u, 7u, 15u, 19u, 20u, 21u, 22u}) {
    const auto parts = freeze_body(model, p, at);
    INFO("cut in front of " << at);
    CHECK(parts.body.layers().depth() == at);
    CHECK(parts.body.layers().sizes().shared + parts.head.sizes().shared == model.sizes().shared);
    const auto cached = parts.body.features(rows);
    CHECK(cached.columns == parts.head.in_width());
    CHECK(outputs(parts.head, parts.head_weights, cached.view(), passes::forward) == expected);
    for (const std::size_t threads : {0u, 2u, 3u, 700u})
      CHECK(parts.body.features(rows, threads).values == cached.values);
    // Both again one model.
    const auto whole = parts.whole();
    CHECK(whole.depth() == model.depth());
    CHECK(std::ranges::equal(parts.join(parts.head_weights).trained(), p.trained()));
  }
  CHECK(freeze_body(model, p, 2).body.features({x.data(), 0, 36}).values.empty());
  CHECK(freeze_all_but(model, p, 1).body.layers().depth() == 22);
  CHECK(freeze_all_but(model, p, 2).body.layers().depth() == 21);
  CHECK(freeze_all_but(model, p, 4).body.layers().depth() == 19);
}

TEST_CASE("frozen_body: layers that stay on the device do so in a head, and in the whole") {
  auto model = mixed();
  const std::size_t local[] = {2, 19};
  model.keep_local(local);
  const auto p = random_parameters<float>(model);
  auto parts = freeze_body(model, p, 15);
  CHECK(parts.head.is_local(4));
  CHECK(parts.head.sizes().local == 16);
  CHECK(parts.whole().sizes() == model.sizes());
  CHECK(std::ranges::equal(parts.join(parts.head_weights).trained(), p.trained()));
  for (auto& w : parts.head_weights.trained()) w += 1;
  const auto both = parts.join(parts.head_weights);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < p.trained().size(); ++i) moved += both.trained()[i] != p.trained()[i];
  CHECK(moved == parts.head_weights.trained().size());
}

TEST_CASE("frozen_body: a cut inside a block names both layers, as one where no head can begin") {
  const auto model = mixed();
  CHECK(refusal(model, 4) ==
        "[N001 argument] freeze_body: layer 5 reads again what layer 2 reads, and a cut in front of layer 4 "
        "would "
        "part them: cut in front of layer 2 or behind layer 5");
  CHECK(refusal(model, 5).find("layer 5 reads again what layer 2 reads") != std::string::npos);
  for (const std::size_t at : {8u, 9u})
    CHECK(refusal(model, at).find("layer 9 reads again what layer 7 reads") != std::string::npos);
  CHECK(refusal(model, 11).find("layer 11 reads again what layer 9 reads") != std::string::npos);
  CHECK(refusal(model, 17).find("layer 18 reads again what layer 16 reads") != std::string::npos);
  CHECK(refusal(model, 14) ==
        "[N001 argument] freeze_body: layer 14 does not know the width of what it reads, so no head begins "
        "with it: "
        "cut behind it, or in front of a layer with parameters");
  CHECK(refusal(model, 0) ==
        "[N001 argument] freeze_body: 0 layers of 23 are to be frozen, possible is 1 to 22; to train "
        "all, train the model itself");
  CHECK(refusal(model, 23).starts_with("[N001 argument] freeze_body: 23 layers of 23"));
  CHECK_THROWS_WITH(freeze_all_but(model, model.make_parameters<float>(), 13),
                    "[N001 argument] freeze_all_but: the last 13 layers with parameters of 12");
  CHECK_THROWS_WITH(freeze_body(model, parameters<float>({.shared = 3}), 2),
                    "[N003 shape] freeze_body: the model has " + std::to_string(model.sizes().shared) +
                        " parameters, got 3");
}

TEST_CASE("frozen_body: rows, room and parameters of another size are refused") {
  const network layers({dense<>{3, 4}});
  CHECK_THROWS_WITH((frozen_body<float>(layers, parameters<float>({.shared = 3}))),
                    "[N003 shape] frozen_body: the layers have 16 parameters, got 3");
  const frozen_body<float> body(layers, layers.make_parameters());
  std::vector<float> x(12), room(7);
  CHECK_THROWS_WITH(body.features({x.data(), 3, 4}),
                    "[N003 shape] frozen_body: the layers read rows 3 wide, got 4");
  CHECK_THROWS_WITH(body.write_features({x.data(), 2, 3}, room),
                    "[N003 shape] frozen_body: 2 rows have 8 features, got room for 7");
  const auto parts =
      freeze_body(network({dense<>{3, 4}, dense<>{4, 2}}), parameters<float>({.shared = 26}), 1);
  CHECK_THROWS_WITH(parts.join(parameters<float>({.shared = 3})),
                    "[N003 shape] partly_frozen: the head has 10 parameters, got 3");
}
