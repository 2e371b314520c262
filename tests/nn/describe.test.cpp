#include "support/catch.hpp"

#include <privet/nn/describe.hpp>

#include <map>
#include <string>

using namespace privet;

namespace {

json layers(std::initializer_list<json> list) {
  return {{"format", "privet.network"}, {"version", 1}, {"layers", json::array_t(list)}};
}
json dense_of(json in, json out) {
  return {{"type", "dense"}, {"in", std::move(in)}, {"out", std::move(out)}};
}

error refusal(const json& description) {
  const auto read = read_network(description, "here");
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("here") != std::string::npos);
  return read.error();
}

} // namespace

TEST_CASE("describe: the text is the documented one") {
  const sequential model{dense<3, 4>{}, relu{}, dropout{0.25}, dense<>{4, 2}, tanh_layer{}, sigmoid{}};
  CHECK(
      json_text(describe(model)) ==
      R"({"format":"privet.network","layers":[{"in":3,"out":4,"type":"dense"},{"type":"relu"},{"rate":0.25,"type":"dropout"},)"
      R"({"in":4,"out":2,"type":"dense"},{"type":"tanh"},{"type":"sigmoid"}],"version":1})");
}

TEST_CASE("describe: a description read and described again is the same") {
  const sequential model{dense<7, 5>{}, tanh_layer{}, dropout{0.1}, dense<5, 2>{}, sigmoid{}, relu{}};
  const auto text = json_text(describe(model));
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(json_text(describe(*read)) == text);
  CHECK(read->sizes() == model.sizes());
}

TEST_CASE("describe: convolutions and pools, static or not, as sides and numbers") {
  const sequential model{
      conv2d<image{2, 6, 5}, 4, window{.height = 3, .width = 2, .stride = 2, .padding = 1}, 2>{},
      relu{},
      max_pool<>{image{4, 3, 3}, window{2, 2}},
      avg_pool<image{4, 2, 2}, window{1, 2}>{},
      flatten{},
      dense<8, 3>{}};
  const auto text = json_text(describe(model));
  CHECK(
      text ==
      R"({"format":"privet.network","layers":[{"groups":2,"in":[2,6,5],"kernel":[3,2],"out":4,"padding":1,"stride":2,"type":"conv2d"},)"
      R"({"type":"relu"},{"in":[4,3,3],"kernel":[2,2],"padding":0,"stride":1,"type":"max_pool"},)"
      R"({"in":[4,2,2],"kernel":[1,2],"padding":0,"stride":1,"type":"avg_pool"},{"type":"flatten"},)"
      R"({"in":8,"out":3,"type":"dense"}],"version":1})");
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(json_text(describe(*read)) == text);
  CHECK(read->sizes() == model.sizes());
  CHECK(read->out_width() == 3);
}

TEST_CASE("describe: hostile convolutions and pools are refused") {
  const json good = {{"type", "conv2d"}, {"in", {2, 6, 5}}, {"kernel", {3, 3}}, {"stride", 1},
                     {"padding", 1},     {"out", 4},        {"groups", 1}};
  REQUIRE(read_network(layers({good})));
  const auto refused = [&](const char* key, const json& value) {
    json facts = good;
    facts[key] = value;
    INFO(key << " " << json_text(value));
    return refusal(layers({facts}));
  };
  for (const char* key : {"in", "kernel", "stride", "padding", "out", "groups"}) {
    json facts = good;
    facts.erase(key);
    CHECK(refusal(layers({facts})).kind == fault::format);
    for (const json& value : {json(-1), json("3"), json(nullptr), json(1.5), json::array({1}),
                              json::array({1, 2, 3, 4}), json(std::uint64_t(-1))})
      CHECK(refused(key, value).kind == fault::format);
  }
  for (const json& value : {json(0), json(std::uint64_t{1} << 40)})
    for (const char* key : {"stride", "out", "groups"}) CHECK(refused(key, value).kind == fault::format);
  CHECK(refused("in", {1, 1 << 18, 1 << 18}).kind == fault::format);
  CHECK(refused("in", {1, 4096, 4096}).kind == fault::format); // with its padding
  CHECK(refused("in", {2, 0, 5}).kind == fault::format);
  CHECK(refused("padding", 3).message == "[N004 format] here: layer 0: conv2d pads by 3, possible is 0 to 2");
  CHECK(refused("kernel", {9, 3}).message ==
        "[N004 format] here: layer 0: conv2d has a window as high as 9, possible is 1 to 8");
  CHECK(refused("groups", 3).kind == fault::format);
  json heavy = {{"type", "conv2d"}, {"in", {4096, 1, 1}}, {"kernel", {1, 1}}, {"stride", 1},
                {"padding", 0},     {"out", 2048},        {"groups", 1}};
  CHECK(refusal(layers({heavy})).message.find("parameters") != std::string::npos);
  json slow = {{"type", "conv2d"}, {"in", {1, 511, 511}}, {"kernel", {256, 256}},
               {"stride", 1},      {"padding", 0},        {"out", 3},
               {"groups", 1}};
  CHECK(refusal(layers({slow})).message == "[N004 format] here: more than 2147483648 products for each row");
  slow["type"] = "max_pool", slow["in"] = {3, 511, 511};
  CHECK(refusal(layers({slow})).kind == fault::format);
  const auto why = refusal(layers(
      {good, {{"type", "max_pool"}, {"in", {4, 5, 5}}, {"kernel", {2, 2}}, {"stride", 2}, {"padding", 0}}}));
  CHECK(why.kind == fault::shape);
  CHECK(why.message.find("layer 1 cannot read rows 120 wide") != std::string::npos);
}

TEST_CASE("describe: layers that stay on the device are said to, in a version of their own") {
  const auto model = keep_local(sequential{dense<3, 4>{}, relu{}, dense<4, 2>{}}, {2});
  const auto text = json_text(describe(model));
  CHECK(text == R"({"format":"privet.network","layers":[{"in":3,"out":4,"type":"dense"},{"type":"relu"},)"
                R"({"in":4,"local":true,"out":2,"type":"dense"}],"version":2})");
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(read->sizes() == model.sizes());
  CHECK(read->is_local(2));
  CHECK_FALSE(read->is_local(0));
  auto wrong = describe(model);
  wrong["layers"][1]["local"] = true; // a relu has nothing to keep
  CHECK(refusal(wrong).kind == fault::argument);
  auto old = describe(model);
  old["version"] = 1; // which would share it
  CHECK(refusal(old).kind == fault::format);
  wrong["layers"][1]["local"] = "yes";
  CHECK(refusal(wrong).kind == fault::format);
}

TEST_CASE(
    "describe: hostile descriptions are refused without an exception and without the memory they ask for") {
  CHECK(refusal(json::array()).kind == fault::format);
  CHECK(refusal(json()).kind == fault::format);
  CHECK(refusal("text").kind == fault::format);
  CHECK(refusal({{"format", "privet.network"}}).kind == fault::format);
  CHECK(refusal({{"format", 1}, {"version", 1}, {"layers", json::array()}}).kind == fault::format);
  CHECK(refusal({{"format", "other"}, {"version", 1}, {"layers", {{{"type", "relu"}}}}}).kind ==
        fault::unsupported);
  CHECK(refusal({{"format", "privet.network"}, {"version", 4}, {"layers", {{{"type", "relu"}}}}}).kind ==
        fault::unsupported);
  CHECK(refusal({{"format", "privet.network"}, {"version", 1e300}, {"layers", json::array()}}).kind ==
        fault::format);
  CHECK(refusal({{"format", "privet.network"}, {"version", 1}, {"layers", json::object()}}).kind ==
        fault::format);
  CHECK(refusal(layers({})).kind == fault::format);
  CHECK(refusal(layers({1})).kind == fault::format);
  CHECK(refusal(layers({json::array()})).kind == fault::format);
  CHECK(refusal(layers({json::object()})).kind == fault::format);
  CHECK(refusal(layers({{{"type", 5}}})).kind == fault::format);
  CHECK(refusal(layers({{{"type", "conv\x1b[31m"}}})).message ==
        "[N011 unsupported] here: layer 0: unknown layer type 'conv?[31m'");
  CHECK(refusal(layers({{{"type", "dense"}, {"in", 3}}})).kind == fault::format);

  for (const json& width :
       {json(-1), json(0), json(1.5), json("3"), json(nullptr), json(true), json::array({3}),
        json(std::uint64_t(-1)), json(std::uint64_t{1} << 63), json((1 << 24) + 1), json(1e30)}) {
    CAPTURE(width);
    CHECK(refusal(layers({dense_of(width, 2)})).kind == fault::format);
    CHECK(refusal(layers({dense_of(2, width)})).kind == fault::format);
  }
  for (const json& rate : {json(-0.1), json(1), json(1.0), json(2), json("0.5"), json(nullptr)}) {
    CAPTURE(rate);
    CHECK(refusal(layers({dense_of(2, 2), {{"type", "dropout"}, {"rate", rate}}})).kind == fault::format);
  }
}

TEST_CASE("describe: an activation that overwrites what it reads takes no room") {
  const network_limits few{.units = 100};
  CHECK(read_network(layers({dense_of(3, 100), {{"type", "relu"}}}), "here", few));
  CHECK_FALSE(read_network(layers({dense_of(3, 100), {{"type", "dropout"}, {"rate", 0.5}}}), "here", few));
}

TEST_CASE("describe: what 16 rows take to train on is bounded, not the units alone") {
  const json wide = layers({dense_of(1, 1 << 24), {{"type", "relu"}}});
  const auto why = refusal(wide);
  CHECK(why.kind == fault::format);
  const network model({dense<>{1, 1 << 24}, relu{}});
  CHECK(why.message == concat("[N004 format] here: 16 rows take ", model.bytes_for(16),
                              " bytes to train on, at most 2684354560 are given"));
  CHECK(read_network(wide, "here", network_limits::of_own_files()));
  // Rows are wide, too.
  CHECK(read_network(layers({dense_of(1 << 24, 2)})));
  CHECK_FALSE(read_network(layers({dense_of(1 << 24, 2)}), "here", {.bytes = std::size_t{1} << 30}));
}

TEST_CASE("describe: many modest layers do not add up to a huge network") {
  std::vector<json> wide{dense_of(3, 1 << 18)};
  for (int i = 0; i < 500; ++i) wide.push_back({{"type", "relu"}});
  CHECK(refusal({{"format", "privet.network"}, {"version", 1}, {"layers", wide}}).kind == fault::format);

  std::vector<json> heavy;
  for (int i = 0; i < 10; ++i) heavy.push_back(dense_of(8192, 8192));
  CHECK(refusal({{"format", "privet.network"}, {"version", 1}, {"layers", heavy}}).kind == fault::format);

  std::vector<json> many{dense_of(1, 1)};
  while (many.size() < 1001) many.push_back({{"type", "relu"}});
  CHECK(refusal({{"format", "privet.network"}, {"version", 1}, {"layers", many}}).kind == fault::format);
  many.pop_back();
  CHECK(read_network({{"format", "privet.network"}, {"version", 1}, {"layers", many}}));
}

TEST_CASE("describe: deep nesting is stopped by the parser") {
  std::string text = R"({"format":"privet.network","version":1,"layers":)";
  text += std::string(100'000, '[') + std::string(100'000, ']') + '}';
  CHECK_FALSE(parse_json(text));
  json deep = 1;
  for (int i = 0; i < 500; ++i) deep = json::array({std::move(deep)});
  CHECK(refusal(layers({std::move(deep)})).kind == fault::format);
}

TEST_CASE("describe: layers that do not fit are named with both sides") {
  const auto why = refusal(layers({dense_of(3, 4), {{"type", "relu"}}, dense_of(5, 2)}));
  CHECK(why.kind == fault::shape);
  CHECK(why.message ==
        "[N003 shape] layer 2 cannot read rows 4 wide, which is what the layer before it writes (here)");
  CHECK(refusal(layers({{{"type", "relu"}}, dense_of(3, 4)})).kind == fault::argument);
}

TEST_CASE("describe: layers that normalise, with the statistics of those that are frozen") {
  const sequential model{group_norm<image{4, 3, 2}, 2>{},
                         batch_norm<image{4, 3, 2}>{}.frozen({{0.1f, 1, -2, 0}, {1, 2, 0.25f, 3}}),
                         frozen_batch_norm<>{image{4, 3, 2}, nullptr, 0.5}, flatten{}, layer_norm{24, 1e-3}};
  const auto text = json_text(describe(model));
  CHECK(
      text ==
      R"({"format":"privet.network","layers":[{"epsilon":1e-05,"groups":2,"in":[4,3,2],"type":"group_norm"},)"
      R"({"epsilon":1e-05,"in":[4,3,2],"mean":[0.10000000149011612,1.0,-2.0,0.0],"type":"frozen_batch_norm",)"
      R"("variance":[1.0,2.0,0.25,3.0]},{"epsilon":0.5,"in":[4,3,2],"type":"frozen_batch_norm"},)"
      R"({"type":"flatten"},{"epsilon":0.001,"in":24,"type":"layer_norm"}],"version":1})");
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(json_text(describe(*read)) == text);
  CHECK(read->sizes() == model.sizes());
}

TEST_CASE("describe: hostile layers that normalise are refused") {
  const auto refused = [](json facts, const char* key, const json& value) {
    facts[key] = value;
    INFO(key << " " << json_text(value));
    const auto why = refusal(layers({facts}));
    CHECK(why.kind == fault::format);
    return why.message;
  };
  const json group = {{"type", "group_norm"}, {"in", {4, 3, 2}}, {"groups", 2}, {"epsilon", 1e-5}},
             row = {{"type", "layer_norm"}, {"in", 7}, {"epsilon", 1e-5}},
             frozen = {{"type", "frozen_batch_norm"},
                       {"in", {2, 1, 1}},
                       {"epsilon", 1e-5},
                       {"mean", {0, 0}},
                       {"variance", {1, 1}}};
  for (const json& good : {group, row, frozen}) {
    REQUIRE(read_network(layers({good})));
    for (const auto& [key, value] : good.items()) {
      if (key == "type") continue;
      json without = good;
      without.erase(key);
      CHECK(refusal(layers({without})).kind == fault::format);
      for (const json& wrong :
           {json("3"), json(nullptr), json(-1), json::array({1}), json::array({1e300, 1})})
        refused(good, key.c_str(), wrong);
    }
    for (const json& wrong : {json(0), json(1e31), json(-1e-5)}) refused(good, "epsilon", wrong);
  }
  CHECK(refused(group, "groups", 3) ==
        "[N004 format] here: layer 0: group_norm: 3 groups do not divide 4 channels");
  CHECK(refused(group, "groups", 0) ==
        "[N004 format] here: layer 0: group_norm: 0 groups do not divide 4 channels");
  refused(group, "in", {4, 1 << 18, 1 << 18});
  refused(row, "in", 0);
  refused(row, "in", (1 << 24) + 1);
  CHECK(refused(frozen, "mean", {1, 2, 3}) ==
        "[N004 format] here: layer 0: batch_norm: 3 means and 2 variances, for 2 channels");
  CHECK(refused(frozen, "variance", {1, -1}) ==
        "[N004 format] here: layer 0: batch_norm: channel 1 has mean 0 and variance -1, expected finite "
        "numbers, the "
        "variance not below 0");
  CHECK(refused(frozen, "mean", {1e39, 0}) ==
        "[N004 format] here: layer 0: mean has a number that no float holds, 1e+39");
}

TEST_CASE("describe: layers that read steps of a sequence") {
  const sequential model{embedding<6, 50, 4>{}, lstm<6, 4, 5>{}, gru<>{6, 5, 3, 1}, dense<3, 2>{}};
  const auto text = json_text(describe(model));
  CHECK(
      text ==
      R"({"format":"privet.network","layers":[{"steps":6,"type":"embedding","width":4,"words":50},)"
      R"({"hidden":5,"in":4,"steps":6,"type":"lstm","written":6},{"hidden":3,"in":5,"steps":6,"type":"gru","written":1},)"
      R"({"in":3,"out":2,"type":"dense"}],"version":1})");
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(json_text(describe(*read)) == text);
  CHECK(read->sizes() == model.sizes());
}

TEST_CASE("describe: hostile sequences are refused") {
  const std::map<std::string, json> good{
      {"embedding", {{"type", "embedding"}, {"steps", 6}, {"words", 50}, {"width", 4}}},
      {"lstm", {{"type", "lstm"}, {"steps", 6}, {"in", 4}, {"hidden", 5}, {"written", 1}}},
      {"gru", {{"type", "gru"}, {"steps", 6}, {"in", 4}, {"hidden", 5}, {"written", 6}}}};
  for (const auto& [name, facts] : good) {
    REQUIRE(read_network(layers({facts})));
    for (const auto& [key, size] : facts.items()) {
      if (key == "type") continue;
      json changed = facts;
      changed.erase(key);
      CHECK(refusal(layers({changed})).kind == fault::format);
      for (const json& value : {json(-1), json(0), json("3"), json(nullptr), json(1.5), json::array({1}),
                                json(std::uint64_t(-1)), json(std::uint64_t{1} << 40), json(1 << 25)}) {
        INFO(name << ' ' << key << ' ' << json_text(value));
        changed[key] = value;
        CHECK(refusal(layers({changed})).kind == fault::format);
      }
    }
  }
  CHECK(
      refusal(layers({{{"type", "lstm"}, {"steps", 6}, {"in", 4}, {"hidden", 5}, {"written", 7}}})).message ==
      "[N004 format] here: layer 0: lstm: a number of written states of 7, possible is 1 to 6");
  // What is kept of each step counts, and every step multiplies.
  const json long_ago{{"type", "lstm"}, {"steps", 1 << 22}, {"in", 1}, {"hidden", 1}, {"written", 1}};
  CHECK(refusal(layers({long_ago})).message.find("units") != std::string::npos);
  const json slow{{"type", "gru"}, {"steps", 256}, {"in", 12288}, {"hidden", 256}, {"written", 1}};
  CHECK(refusal(layers({slow})).message.find("products") != std::string::npos);
  const auto why = refusal(layers({dense_of(3, 6), good.at("embedding")}));
  CHECK(why.kind == fault::argument);
  CHECK(why.message.find("can only be its first layer") != std::string::npos);
}
