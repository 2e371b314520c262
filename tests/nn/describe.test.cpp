#include "support/catch.hpp"

#include <privet/nn/describe.hpp>

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
  CHECK(refusal({{"format", "privet.network"}, {"version", 3}, {"layers", {{{"type", "relu"}}}}}).kind ==
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
        json(std::uint64_t(-1)), json(std::uint64_t{1} << 63), json((1 << 18) + 1), json(1e30)}) {
    CAPTURE(width);
    CHECK(refusal(layers({dense_of(width, 2)})).kind == fault::format);
    CHECK(refusal(layers({dense_of(2, width)})).kind == fault::format);
  }
  for (const json& rate : {json(-0.1), json(1), json(1.0), json(2), json("0.5"), json(nullptr)}) {
    CAPTURE(rate);
    CHECK(refusal(layers({dense_of(2, 2), {{"type", "dropout"}, {"rate", rate}}})).kind == fault::format);
  }
}

TEST_CASE("describe: many modest layers do not add up to a huge network") {
  std::vector<json> wide{dense_of(3, 1 << 17)};
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
