#pragma once
// What a run was told to do and what came of it, as plain data and as JSON.

#include <privet/core/json.hpp>
#include <privet/train/metrics.hpp>

#include <cstddef>
#include <cstdint>
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
  std::vector<std::string> notes{};
  /// Of a private run: what is guaranteed, name and value, as they are shown.
  std::vector<std::pair<std::string, std::string>> privacy{};
  /// Of an encrypted run: who could read what, and what it cost.
  std::vector<std::pair<std::string, std::string>> encryption{};
};

/// What a federation knows after a round; bytes and seconds are those of the round.
struct round_metrics {
  std::size_t round = 0; ///< from 1
  double accuracy = 0, macro_f1 = 0, log_loss = 0;
  std::size_t clients = 0;
  std::uint64_t bytes_up = 0, bytes_down = 0;
  double seconds = 0;
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

} // namespace detail

/// The record as one object: `settings`, `rounds` (test accuracy of the federated model after each),
/// `central`, `alone` (a list), `federated`, `parameters`, `bytes_up`, `bytes_down` (of the federation),
/// `seconds` (of the whole run); of an encrypted run also `encryption`; of a private run also `privacy`, and no
/// `central` or `alone`. Each model has
/// `name`, `accuracy`, `macro_f1`, `log_loss`, `seconds` (of its training) and `classes`, a list of `name`,
/// `precision`, `recall` and `f1`.
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
  return whole;
}

/// A line of `run.jsonl`: `json_text(round_line(metrics))` and a line feed.
inline json round_line(const round_metrics& metrics) {
  return {{"round", metrics.round},           {"accuracy", metrics.accuracy}, {"macro_f1", metrics.macro_f1},
          {"log_loss", metrics.log_loss},     {"clients", metrics.clients},   {"bytes_up", metrics.bytes_up},
          {"bytes_down", metrics.bytes_down}, {"seconds", metrics.seconds}};
}

} // namespace privet
