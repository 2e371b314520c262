#include "support/catch.hpp"

#include <privet/federated/run_record.hpp>

#include <cmath>
#include <limits>
#include <map>
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
  CHECK(keys(model) ==
        std::set<std::string>{"name", "accuracy", "macro_f1", "log_loss", "seconds", "classes"});
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

TEST_CASE("a round's line says who took part, what it lost and what is left, and is read again") {
  round_metrics metrics{.round = 2, .clients = 2, .loss = .5, .seconds_left = 3};
  metrics.asked = {{.id = 1, .steps = 10, .loss = .25},
                   {.id = 2, .missing = "client 2: the link is down"},
                   {.id = 4, .steps = 7}};
  const json line = round_line(metrics);
  CHECK(line["loss"] == .5);
  CHECK(line["seconds_left"] == 3);
  CHECK(
      json_text(line["asked"]) ==
      R"([{"client":1,"loss":0.25,"steps":10},{"client":2,"missing":"client 2: the link is down"},{"client":4,"steps":7}])");
  CHECK_FALSE(line.contains("given_up"));
  CHECK(round_line(read_round_line(line, "line")) == line);

  metrics.given_up = "too few";
  metrics.loss = std::numeric_limits<double>::quiet_NaN();
  const json none = round_line(metrics);
  CHECK(none["given_up"] == "too few");
  CHECK_FALSE(none.contains("loss"));
  CHECK(round_line(read_round_line(none, "line")) == none);
  CHECK(round_line(read_round_line(round_line({.round = 1}), "line")) == round_line({.round = 1}));
}

TEST_CASE("a line of another kind is refused by its place and member") {
  json line = round_line({.round = 1});
  line.erase("macro_f1");
  CHECK_THROWS_WITH(read_round_line(line, "rounds"), "[N004 format] rounds: no member 'macro_f1'");
  line = round_line({.round = 1});
  line["asked"] = 3;
  CHECK_THROWS_WITH(read_round_line(line, "rounds"), "[N004 format] rounds: asked is no list");
  line["asked"] = json::array({json{{"client", "one"}}});
  CHECK_THROWS_WITH(read_round_line(line, "rounds"),
                    "[N004 format] rounds: client: got string, expected integer");
}

TEST_CASE("participation counts who answered, and why the others did not") {
  std::vector<round_metrics> history(3);
  history[0].asked = {{.id = 1, .loss = .5},
                      {.id = 2, .missing = "[N009 message] client 2: gone (client 2)"}};
  history[1].asked = {{.id = 1}, {.id = 2, .missing = "client 2: gone"}};
  history[1].given_up = "too few";
  history[2].asked = {{.id = 2, .loss = .25}, {.id = 12, .missing = "client 1: late"}};
  const auto part = participation_of(history);
  REQUIRE(part.size() == 3);
  CHECK(part.at(1).asked == 2);
  CHECK(part.at(1).answered == 1);
  CHECK(part.at(1).loss == .5);
  CHECK(part.at(1).missed == std::map<std::string, std::size_t>{{"the round was given up", 1}});
  CHECK(part.at(2).answered == 1);
  CHECK(part.at(2).loss == .25);
  CHECK(part.at(2).missed == std::map<std::string, std::size_t>{{"gone", 2}});
  CHECK(part.at(12).missed.contains("client 1: late")); // of another client: it stays as it is
}

TEST_CASE("a client that makes up reasons is told of with as many as can be read") {
  std::vector<round_metrics> history(20);
  for (std::size_t r = 0; r < history.size(); ++r) {
    history[r].asked.resize(1);
    history[r].asked[0].id = 1;
    history[r].asked[0].missing = "reason " + std::to_string(r);
  }
  const auto part = participation_of(history);
  CHECK(part.at(1).missed.size() == participation::most_reasons + 1);
  CHECK(part.at(1).missed.at("other reasons") == history.size() - participation::most_reasons);
}

TEST_CASE("fairness is the mean of the lowest tenth, of one at least") {
  std::vector<double> twenty;
  for (int i = 20; i > 0; --i) twenty.push_back(i);
  twenty.push_back(std::numeric_limits<double>::quiet_NaN());
  const auto fair = fairness::of(twenty);
  CHECK(fair.mean == 10.5);
  CHECK(fair.worst_decile == 1.5);
  CHECK(fair.least == 1);
  CHECK(fairness::of({.5, .25}).worst_decile == .25);
  CHECK(fairness::of({1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.}).worst_decile == 1.5); // two of eleven
  CHECK(std::isnan(fairness::of({}).mean));
}

TEST_CASE("a run record with clients tells how each took part and was served") {
  run_record record = small_record();
  record.history = {{.round = 1}};
  record.history[0].asked = {{.id = 1, .loss = .5}, {.id = 2, .missing = "late"}};
  record.clients = {{.id = 1, .rows = 10, .accuracy = .75}, {.id = 2, .rows = 20, .accuracy = .5}};
  record.people = {{"person 3", .25}, {"person 4", .75}};
  const json run = to_json(record);
  CHECK(json_text(run["clients"][0]) ==
        R"({"accuracy":0.75,"answered":1,"asked":1,"client":1,"loss":0.5,"missed":{},"rows":10})");
  CHECK(json_text(run["clients"][1]) ==
        R"({"accuracy":0.5,"answered":0,"asked":1,"client":2,"missed":{"late":1},"rows":20})");
  CHECK(json_text(run["fairness"]["clients"]) == R"({"least":0.5,"mean":0.625,"worst_decile":0.5})");
  CHECK(json_text(run["fairness"]["people"]) == R"({"least":0.25,"mean":0.5,"worst_decile":0.25})");
  record.clients[0].accuracy = record.clients[1].accuracy = std::numeric_limits<double>::quiet_NaN();
  const json quiet = to_json(record);
  CHECK_FALSE(quiet["clients"][0].contains("accuracy"));
  CHECK_FALSE(quiet["fairness"].contains("clients"));
}
