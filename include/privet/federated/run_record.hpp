#pragma once
// What a run was told to do and what came of it, as plain data and as JSON.

#include <privet/core/json.hpp>
#include <privet/train/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// One trained model on the common test set. A ratio that was not measured is NaN.
struct model_result {
  std::string name{};
  double accuracy = 0, macro_f1 = 0;          ///< in [0, 1]
  double log_loss = 0;                        ///< nats per example
  std::uint64_t bytes_up = 0, bytes_down = 0; ///< of all offices together, over all rounds
  double seconds = 0;
  confusion_matrix confusion{}; ///< empty, or as many classes as the record
  std::vector<double> curve{};  ///< test accuracy after each round, or after as much work as a round
};

/// What one round had of one client that it asked.
struct client_metrics {
  std::uint32_t id = 0; ///< from 1
  std::uint64_t steps = 0;
  double loss = std::numeric_limits<double>::quiet_NaN(); ///< mean over its rows; NaN if it tells none
  std::string missing{}; ///< why nothing of it is in the round; empty if its update is
};

/// What a federation knows after a round; bytes and seconds are those of the round.
struct round_metrics {
  std::size_t round = 0; ///< from 1
  double accuracy = 0, macro_f1 = 0, log_loss = 0;
  std::size_t clients = 0; ///< whose updates are in it
  std::uint64_t bytes_up = 0, bytes_down = 0;
  double seconds = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();         ///< mean of the clients', by rows
  double seconds_left = std::numeric_limits<double>::quiet_NaN(); ///< of all rounds, at the pace so far
  std::vector<client_metrics> asked{};
  std::string given_up{}; ///< why the round came to nothing; empty if it did not
};

/// One client over a whole run.
struct client_record {
  std::uint32_t id = 0;   ///< from 1
  std::uint64_t rows = 0; ///< or persons, where these are protected
  /// Of the last model, on the client's own rows; NaN if nobody looked.
  double accuracy = std::numeric_limits<double>::quiet_NaN();
};

/// How often a client took part, by the rounds of a run.
struct participation {
  std::size_t asked = 0, answered = 0;
  double loss = std::numeric_limits<double>::quiet_NaN(); ///< the last that it told
  std::map<std::string, std::size_t> missed{};            ///< why, and how often

  /// A peer may make up reasons: those behind so many count as "other reasons".
  static constexpr std::size_t most_reasons = 8;
};

/// How far values of clients or persons lie apart; NaN ones do not count. All NaN when there are none.
struct fairness {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double worst_decile = mean; ///< mean of the lowest tenth, at least of one
  double least = mean;

  /// Test  tests/federated/run_record.test.cpp
  static fairness of(std::vector<double> values) {
    std::erase_if(values, [](double x) { return !std::isfinite(x); });
    if (values.empty()) return {};
    std::ranges::sort(values);
    const auto mean_of = [&](std::size_t count) {
      return std::accumulate(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count), 0.0) /
             static_cast<double>(count);
    };
    return {mean_of(values.size()), mean_of((values.size() + 9) / 10), values.front()};
  }
};

namespace detail {

/// "[N009 message] client 3: the link is down (client 3)" is "the link is down", so that clients can be compared.
inline std::string plain_reason(std::string_view text, std::uint32_t id) {
  if (text.starts_with('['))
    if (const auto end = text.find("] "); end != text.npos) text.remove_prefix(end + 2);
  for (const std::string_view who : {"client ", "office "})
    if (const auto named = concat(who, id, ": "); text.starts_with(named)) text.remove_prefix(named.size());
  if (const auto behind = concat(" (client ", id, ')'); text.ends_with(behind))
    text.remove_suffix(behind.size());
  return std::string(text);
}

} // namespace detail

/// Who took part, by number of the client. Of a round that came to nothing nobody's update counts.
///
/// Test      tests/federated/run_record.test.cpp
inline std::map<std::uint32_t, participation> participation_of(std::span<const round_metrics> history) {
  std::map<std::uint32_t, participation> all;
  for (const auto& round : history)
    for (const auto& c : round.asked) {
      auto& one = all[c.id];
      ++one.asked;
      if (std::isfinite(c.loss)) one.loss = c.loss;
      if (!c.missing.empty()) {
        const auto why = detail::plain_reason(c.missing, c.id);
        const bool told = one.missed.contains(why) || one.missed.size() < participation::most_reasons;
        ++one.missed[told ? why : "other reasons"];
      } else if (!round.given_up.empty())
        ++one.missed["the round was given up"];
      else
        ++one.answered;
    }
  return all;
}

/// A comparison on the same data: all of it in one place, each office alone, and the federation.
struct run_record {
  std::string title{};
  std::vector<std::pair<std::string, std::string>> settings{}; ///< name and value, as they are shown
  std::vector<std::string> classes{};
  model_result central{};
  std::vector<model_result> alone{};
  model_result federated{};
  std::size_t parameters = 0; ///< of the network
  double seconds = 0;         ///< the whole run
  std::string progress{};     ///< how far a run is that goes on; empty when it is done
  std::vector<std::string> notes{};
  /// Of a private run: what is guaranteed, name and value, as they are shown.
  std::vector<std::pair<std::string, std::string>> privacy{};
  std::vector<round_metrics> history{}; ///< every round, if they are kept
  std::vector<client_record> clients{}; ///< those of the history, by number
  std::vector<std::pair<std::string, double>>
      people{}; ///< accuracy of the federated model on each test person
  /// Of an encrypted run: who could read what, and what it cost.
  std::vector<std::pair<std::string, std::string>> encryption{};
};

namespace detail {

/// Names come from data files; a byte that is not UTF-8 must not cost a finished run its record.
inline std::string valid_utf8(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

inline void check_classes(const run_record& record, const model_result& model) {
  const std::size_t found = model.confusion.classes();
  require(found == 0 || found == record.classes.size(), fault::shape, "run_record: ", in_quotes(model.name),
          " has a confusion matrix of ", found, " classes, the record names ", record.classes.size());
}

inline json to_json(const run_record& record, const model_result& model) {
  check_classes(record, model);
  json classes = json::array();
  for (std::size_t c = 0; c < model.confusion.classes(); ++c)
    classes.push_back({{"name", valid_utf8(record.classes[c])},
                       {"precision", model.confusion.precision(c)},
                       {"recall", model.confusion.recall(c)},
                       {"f1", model.confusion.f1(c)}});
  return {{"name", valid_utf8(model.name)}, {"accuracy", model.accuracy}, {"macro_f1", model.macro_f1},
          {"log_loss", model.log_loss},     {"seconds", model.seconds},   {"classes", std::move(classes)}};
}

inline json to_json(const fairness& f) {
  return {{"mean", f.mean}, {"worst_decile", f.worst_decile}, {"least", f.least}};
}

} // namespace detail

/// The record as one object: `settings`, `rounds` (test accuracy of the federated model after each),
/// `central`, `alone` (a list), `federated`, `parameters`, `bytes_up`, `bytes_down` (of the federation),
/// `seconds` (of the whole run); of an encrypted run also `encryption`; of a private run also `privacy`, and no
/// `central` or `alone`. Each model has
/// `name`, `accuracy`, `macro_f1`, `log_loss`, `seconds` (of its training) and `classes`, a list of `name`,
/// `precision`, `recall` and `f1`. With clients also `clients`, a list of `client`, `rows`, `asked`, `answered`, `missed`
/// (why, how often), the last `loss` it told and `accuracy` on its own rows, and `fairness` of `clients` and of `people`: `mean`,
/// `worst_decile` and `least` accuracy.
///
/// Ensures   valid UTF-8 whatever the names hold; NaN and infinity are written as null
/// Errors    N003: a confusion matrix with another number of classes than the record
/// Test      tests/federated/run_record.test.cpp
inline json to_json(const run_record& record) {
  const auto shown = [](const auto& pairs) {
    json all = json::object();
    for (const auto& [name, value] : pairs) all[detail::valid_utf8(name)] = detail::valid_utf8(value);
    return all;
  };
  json whole = {{"settings", shown(record.settings)},        {"rounds", record.federated.curve},
                {"parameters", record.parameters},           {"bytes_up", record.federated.bytes_up},
                {"bytes_down", record.federated.bytes_down}, {"seconds", record.seconds}};
  if (record.privacy.empty()) {
    whole["central"] = detail::to_json(record, record.central);
    whole["alone"] = json::array();
    for (const model_result& office : record.alone) whole["alone"].push_back(detail::to_json(record, office));
  } else { // models that were trained on the rows without noise are not part of a private run
    whole["privacy"] = shown(record.privacy);
  }
  if (!record.encryption.empty()) whole["encryption"] = shown(record.encryption);
  whole["federated"] = detail::to_json(record, record.federated);
  if (!record.clients.empty()) {
    auto took_part = participation_of(record.history);
    whole["clients"] = json::array();
    std::vector<double> each;
    for (const auto& client : record.clients) {
      auto& part = took_part[client.id];
      json missed = json::object();
      for (const auto& [why, count] : part.missed) missed[detail::valid_utf8(why)] = count;
      json one = {{"client", client.id},
                  {"rows", client.rows},
                  {"asked", part.asked},
                  {"answered", part.answered},
                  {"missed", std::move(missed)}};
      if (std::isfinite(part.loss)) one["loss"] = part.loss;
      if (std::isfinite(client.accuracy)) one["accuracy"] = client.accuracy;
      each.push_back(client.accuracy);
      whole["clients"].push_back(std::move(one));
    }
    if (const auto fair = fairness::of(std::move(each)); std::isfinite(fair.mean))
      whole["fairness"]["clients"] = detail::to_json(fair);
  }
  if (!record.people.empty()) {
    std::vector<double> each;
    for (const auto& [name, accuracy] : record.people) each.push_back(accuracy);
    whole["fairness"]["people"] = detail::to_json(fairness::of(std::move(each)));
  }
  return whole;
}

/// A line of `run.jsonl`: `json_text(round_line(metrics))` and a line feed. What is not known is left out: `loss`,
/// `seconds_left`, `given_up`, and `asked`, a list of `client` and either `steps` and `loss` or why it is `missing`.
inline json round_line(const round_metrics& metrics) {
  json line = {{"round", metrics.round},           {"accuracy", metrics.accuracy},
               {"macro_f1", metrics.macro_f1},     {"log_loss", metrics.log_loss},
               {"clients", metrics.clients},       {"bytes_up", metrics.bytes_up},
               {"bytes_down", metrics.bytes_down}, {"seconds", metrics.seconds}};
  if (std::isfinite(metrics.loss)) line["loss"] = metrics.loss;
  if (std::isfinite(metrics.seconds_left)) line["seconds_left"] = metrics.seconds_left;
  if (!metrics.given_up.empty()) line["given_up"] = detail::valid_utf8(metrics.given_up);
  for (const auto& c : metrics.asked) {
    json one = {{"client", c.id}};
    if (!c.missing.empty())
      one["missing"] = detail::valid_utf8(c.missing);
    else
      one["steps"] = c.steps;
    if (std::isfinite(c.loss)) one["loss"] = c.loss;
    line["asked"].push_back(std::move(one));
  }
  return line;
}

/// The metrics of such a line. Throws N004 for a member that is missing, or of another type.
inline round_metrics read_round_line(const json& line, std::string_view place) {
  round_metrics m;
  const auto read = [&]<class T>(const json& from, const char* name, T& into) {
    into = read_member<T>(from, name, place).value();
  };
  const auto read_known = [&]<class T>(const json& from, const char* name, T& into) {
    if (from.contains(name)) into = read_member<T>(from, name, place).value();
  };
  read(line, "round", m.round), read(line, "accuracy", m.accuracy), read(line, "macro_f1", m.macro_f1),
      read(line, "log_loss", m.log_loss);
  read(line, "clients", m.clients), read(line, "bytes_up", m.bytes_up),
      read(line, "bytes_down", m.bytes_down), read(line, "seconds", m.seconds);
  read_known(line, "loss", m.loss), read_known(line, "seconds_left", m.seconds_left),
      read_known(line, "given_up", m.given_up);
  if (!line.contains("asked")) return m;
  const json& all = line["asked"];
  require(all.is_array(), fault::format, place, ": asked is no list");
  for (const json& one : all) {
    auto& c = m.asked.emplace_back();
    read(one, "client", c.id), read_known(one, "steps", c.steps), read_known(one, "loss", c.loss),
        read_known(one, "missing", c.missing);
  }
  return m;
}

} // namespace privet
