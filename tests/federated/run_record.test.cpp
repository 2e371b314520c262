#include "support/catch.hpp"

#include <privet/federated/run_record.hpp>

#include <limits>
#include <set>
#include <string>

using namespace privet;

namespace {

run_record small_record() {
  confusion_matrix counts(2);
  counts.add(0, 0, 3);
  counts.add(0, 1, 1);
  counts.add(1, 1, 4);
  run_record record{.title = "two offices",
                    .settings = {{"seed", "1"}, {"data", "synthetic"}},
                    .classes = {"still", "moving"}};
  record.central = {.name = "central", .accuracy = .9, .macro_f1 = .8, .log_loss = .3, .confusion = counts};
  record.alone = {{.name = "office 1", .accuracy = .5}, {.name = "office 2", .accuracy = .6}};
  record.federated = {.name = "federated",
                      .accuracy = .875,
                      .macro_f1 = .87,
                      .log_loss = .31,
                      .bytes_up = 10,
                      .bytes_down = 20,
                      .seconds = 1.5,
                      .confusion = counts,
                      .curve = {.5, .75, .875}};
  record.parameters = 6406;
  record.seconds = 4;
  return record;
}

std::set<std::string> keys(const json& object) {
  std::set<std::string> out;
  for (const auto& item : object.items()) out.insert(item.key());
  return out;
}

} // namespace

TEST_CASE("a run record becomes one object of known members") {
  const json run = to_json(small_record());
  CHECK(keys(run) == std::set<std::string>{"settings", "rounds", "central", "alone", "federated",
                                           "parameters", "bytes_up", "bytes_down", "seconds"});
  CHECK(run["settings"] == json{{"data", "synthetic"}, {"seed", "1"}});
  CHECK(run["rounds"] == json{.5, .75, .875});
  CHECK(run["central"]["accuracy"] == .9);
  CHECK(run["alone"].size() == 2);
  CHECK(run["alone"][1]["name"] == "office 2");
  CHECK(run["alone"][1]["accuracy"] == .6);
  CHECK(run["parameters"] == 6406);
  CHECK(run["bytes_up"] == 10);
  CHECK(run["bytes_down"] == 20);
  CHECK(run["seconds"] == 4);
}

TEST_CASE("a model in a run record carries its metrics for every class") {
  const json model = to_json(small_record())["federated"];
  CHECK(keys(model) == std::set<std::string>{"name", "accuracy", "macro_f1", "log_loss", "seconds", "classes"});
  CHECK(model["macro_f1"] == .87);
  CHECK(model["log_loss"] == .31);
  REQUIRE(model["classes"].size() == 2);
  CHECK(model["classes"][0]["name"] == "still");
  CHECK(model["classes"][0]["precision"].get<double>() == Approx(1));
  CHECK(model["classes"][0]["recall"].get<double>() == Approx(.75));
  CHECK(model["classes"][0]["f1"].get<double>() == Approx(6.0 / 7));
  CHECK(model["classes"][1]["precision"].get<double>() == Approx(.8));
}

TEST_CASE("a run record without offices or rounds has empty lists") {
  const json run = to_json(run_record{});
  CHECK(run["settings"] == json::object());
  CHECK(run["alone"] == json::array());
  CHECK(run["rounds"] == json::array());
  CHECK(run["federated"]["classes"] == json::array());
}

TEST_CASE("a run record survives names that are not UTF-8 and numbers that are not finite") {
  run_record record = small_record();
  record.classes[0] = "still\xff";
  record.settings.push_back({"\xc3", "\xe2\x82"});
  record.federated.curve.push_back(std::numeric_limits<double>::quiet_NaN());
  record.central.log_loss = std::numeric_limits<double>::infinity();
  const auto read = parse_json(json_text(to_json(record)));
  REQUIRE(read);
  CHECK((*read)["federated"]["classes"][0]["name"] == "still\ufffd");
  CHECK((*read)["settings"]["\ufffd"] == "\ufffd");
  CHECK((*read)["rounds"][3].is_null());
  CHECK((*read)["central"]["log_loss"].is_null());
}

TEST_CASE("a confusion matrix of other classes than the record's is refused") {
  run_record record = small_record();
  record.classes.push_back("third");
  CHECK_THROWS_WITH(
      to_json(record),
      "[N003 shape] run_record: 'central' has a confusion matrix of 2 classes, the record names 3");
}

TEST_CASE("a round becomes one line of JSON") {
  const round_metrics metrics{.round = 3,
                              .accuracy = .5,
                              .macro_f1 = .25,
                              .log_loss = 1.5,
                              .clients = 4,
                              .bytes_up = 100,
                              .bytes_down = 200,
                              .seconds = .125};
  CHECK(
      json_text(round_line(metrics)) ==
      R"({"accuracy":0.5,"bytes_down":200,"bytes_up":100,"clients":4,"log_loss":1.5,"macro_f1":0.25,"round":3,"seconds":0.125})");
}
