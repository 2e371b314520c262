// A survey in which nobody gives a true answer away: each row of a table answers through a local
// randomiser, and the answers together tell the frequencies. `survey --help` lists what can be chosen.

#include "support/chart.hpp"
#include "support/command_line.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/data/csv.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/system.hpp>

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

namespace {

using namespace privet;

const std::vector<std::string> oracles = {"randomised-response", "symmetric-unary", "optimised-unary",
                                          "local-hashing",       "hadamard",        "subset"};

struct options {
  std::string data, column, oracle = "optimised-unary", svg, json;
  double epsilon = 1;
};

struct result_of_survey {
  std::vector<frequency_estimate> estimates;
  std::vector<double> distribution;
};

/// Every person answers once, through `oracle`; what comes back is all that is counted.
template <FrequencyOracle Oracle>
result_of_survey ask(const Oracle& oracle, std::span<const std::int32_t> answers) {
  system_random source;
  std::vector<std::uint64_t> counted(oracle.counters());
  typename Oracle::report report{};
  for (const auto answer : answers) {
    oracle.randomise(static_cast<std::uint32_t>(answer), source, report);
    oracle.count(report, counted);
  }
  auto estimates = oracle.estimate(counted, answers.size());
  auto distribution = project_to_simplex(estimates);
  return {std::move(estimates), std::move(distribution)};
}

result_of_survey ask(const std::string& oracle, double epsilon, std::uint32_t categories,
                     std::span<const std::int32_t> answers) {
  if (oracle == "randomised-response") return ask(randomised_response(epsilon, categories), answers);
  if (oracle == "symmetric-unary") return ask(unary_encoding::symmetric(epsilon, categories), answers);
  if (oracle == "optimised-unary") return ask(unary_encoding::optimised(epsilon, categories), answers);
  if (oracle == "local-hashing") return ask(local_hashing(epsilon, categories), answers);
  if (oracle == "hadamard") return ask(hadamard_response(epsilon, categories), answers);
  return ask(subset_selection(epsilon, categories), answers);
}

/// Estimates of the most frequent categories against epsilon, with their intervals and the truth.
std::string plot(const options& o, const std::vector<std::string>& names, const std::vector<double>& truth,
                 std::span<const std::int32_t> answers) {
  constexpr double epsilons[] = {0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8};
  constexpr std::size_t shown_most = 4;
  const char* const colours[shown_most] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7"};
  std::vector<std::size_t> order(truth.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return truth[a] > truth[b]; });
  order.resize(std::min(order.size(), shown_most));

  const double highest = std::min(1.0, std::ceil((truth[order[0]] * 1.25 + 0.02) * 10) / 10);
  apps::chart out(fmt::format("{}: estimated shares by {}", o.column, o.oracle),
                  fmt::format("{} answers; bars: 95 % intervals; dashed: the truth", answers.size()),
                  "epsilon of one answer", {std::log(epsilons[0]), std::log(std::end(epsilons)[-1])},
                  {0, highest});
  for (int i = 0; i <= 4; ++i) out.level(highest * i / 4, fmt::format("{:.3g} %", 100 * highest * i / 4));
  for (const double e : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0}) out.tick(std::log(e), fmt::format("{}", e));
  std::vector<std::vector<apps::chart::point>> points(order.size());
  for (const double e : epsilons) {
    const auto found = ask(o.oracle, e, static_cast<std::uint32_t>(truth.size()), answers);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& f = found.estimates[order[i]];
      points[i].push_back({std::log(e), f.frequency});
      out.interval(colours[i], std::log(e), {f.low(), f.high()});
      out.dot(colours[i], points[i].back());
    }
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    out.dashed(colours[i], truth[order[i]]);
    out.curve(colours[i], points[i], names[order[i]]);
  }
  return out.svg();
}

int run(const options& o) {
  const auto table = csv::read(o.data, {.label_column = o.column}).value();
  const auto categories = static_cast<std::uint32_t>(table.classes());
  require(categories >= 2, fault::argument, o.data, ": column ", o.column, " has ", categories,
          " categories, a survey needs at least 2");
  const std::span<const std::int32_t> answers(table.labels);
  std::vector<double> truth(categories);
  for (const auto answer : answers)
    truth[static_cast<std::size_t>(answer)] += 1.0 / static_cast<double>(answers.size());

  const auto found = ask(o.oracle, o.epsilon, categories, answers);
  fmt::print("{} answers to {}, each with epsilon {} for itself ({}, replace-one)\n\n", answers.size(),
             o.column, o.epsilon, o.oracle);
  fmt::print("{:<24} {:>9} {:>21} {:>9} {:>9}\n", "category", "estimate", "95 % interval", "nearest",
             "truth");
  double distance = 0;
  for (std::uint32_t v = 0; v < categories; ++v) {
    const auto& f = found.estimates[v];
    distance += std::abs(found.distribution[v] - truth[v]) / 2;
    fmt::print("{:<24.24} {:>8.2f}% {:>9.2f}% to {:>6.2f}% {:>8.2f}% {:>8.2f}%\n", table.schema.classes[v],
               100 * f.frequency, 100 * f.low(), 100 * f.high(), 100 * found.distribution[v], 100 * truth[v]);
  }
  fmt::print(
      "\n'nearest' is the distribution nearest to the estimates; it is {:.2f} % away from the truth (total "
      "variation).\nThe truth is known here because the table is; a real survey would not have it.\n",
      100 * distance);
  if (!o.json.empty()) {
    json values = json::array();
    for (std::uint32_t v = 0; v < categories; ++v)
      values.push_back({{"category", table.schema.classes[v]},
                        {"estimate", found.estimates[v].frequency},
                        {"low", found.estimates[v].low()},
                        {"high", found.estimates[v].high()},
                        {"nearest", found.distribution[v]},
                        {"truth", truth[v]}});
    write_file_atomically(o.json, json_text(json{{"epsilon", o.epsilon},
                                                 {"oracle", o.oracle},
                                                 {"relation", "replace-one"},
                                                 {"answers", answers.size()},
                                                 {"values", std::move(values)}}) +
                                      "\n")
        .value();
  }
  if (!o.svg.empty()) {
    write_file_atomically(o.svg, plot(o, table.schema.classes, truth, answers)).value();
    fmt::print("written: {}\n", o.svg);
  }
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{
      "Asks every row of a table for one column through a local randomiser and estimates the shares."};
  app.add_option("--data", o.data, "a CSV file")->required();
  app.add_option("--column", o.column, "the question: a column's name, or column4 in a file without a header")
      ->required();
  app.add_option("--oracle", o.oracle, "how answers are randomised")
      ->check(apps::one_of(oracles))
      ->capture_default_str();
  app.add_option("--epsilon", o.epsilon,
                 "privacy of one answer; every further answer of a person adds as much")
      ->check(apps::number_from(1e-6, 16))
      ->capture_default_str();
  app.add_option("--svg", o.svg, "also draw the estimates against epsilon into this file");
  app.add_option("--json", o.json, "also write everything to this file");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("survey", [&] { return run(o); });
}
