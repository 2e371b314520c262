#pragma once
// What a run leaves behind: a record of every seed, and the days as a drawing.

#include "../support/chart.hpp"
#include "study.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace photo_study {

/// One way to go on, over all seeds.
struct line {
  std::string name;
  way how;
  std::vector<course> by_seed;

  double final(std::size_t seed) const { return by_seed[seed].accuracy.back(); }
  double mean(std::size_t day) const {
    double sum = 0;
    for (const auto& one : by_seed) sum += one.accuracy[day] / static_cast<double>(by_seed.size());
    return sum;
  }
  double last() const { return mean(by_seed.front().accuracy.size() - 1); }
  /// The least of how far it ends above another, over the seeds.
  double least_above(const line& other) const {
    double least = 1;
    for (std::size_t i = 0; i < by_seed.size(); ++i) least = std::min(least, final(i) - other.final(i));
    return least;
  }
};

struct initial_line {
  std::string optimizer;
  double validated = 0, tested = 0; ///< means over the seeds
};

/// What all seeds have in common.
struct facts {
  std::string source;
  std::vector<std::string> classes;
  std::size_t open = 0, users_photos = 0, test = 0, columns = 0, weights = 0;
  std::vector<std::string> chosen; ///< optimiser of the initial model, by seed
};

inline std::string record_of(const settings& s, const facts& f, const std::vector<initial_line>& initial,
                             const std::vector<line>& lines) {
  json first = json::array(), courses = json::array();
  for (const auto& one : initial)
    first.push_back({{"optimizer", one.optimizer}, {"validated", one.validated}, {"tested", one.tested}});
  for (const auto& one : lines) {
    json accuracy = json::array();
    for (const auto& c : one.by_seed) accuracy.push_back(c.accuracy);
    json entry = {{"name", one.name},
                  {"accuracy", one.last()},
                  {"by_seed", std::move(accuracy)},
                  {"bytes_a_day", one.by_seed.front().bytes}};
    if (!one.how.selection.empty()) {
      const auto pace = s.pace_of(one.how.selection);
      entry["share"] = one.how.share, entry["selection"] = one.how.selection;
      entry["lr"] = pace.lr, entry["server_momentum"] = pace.server_momentum;
    }
    if (const auto& c = one.by_seed.front(); !c.promise.empty())
      entry["privacy"] = {{"epsilon", c.epsilon},
                          {"delta", s.delta},
                          {"unit", "user"},
                          {"noise", c.noise},
                          {"clip", one.how.selection == "sum" ? s.sum_clip : s.clip},
                          {"total_over_days", s.days},
                          {"sentence", c.promise}};
    courses.push_back(std::move(entry));
  }
  return json_text(json{{"data", f.source},
                        {"classes", f.classes},
                        {"public_photos", f.open},
                        {"users_photos", f.users_photos},
                        {"test_photos", f.test},
                        {"columns", f.columns},
                        {"weights", f.weights},
                        {"chosen", f.chosen},
                        {"settings",
                         {{"seeds", s.seeds},
                          {"public", s.open},
                          {"held_out", s.held_out},
                          {"validate", s.validate},
                          {"users", s.users},
                          {"partition", s.partition},
                          {"days", s.days},
                          {"epochs", s.epochs},
                          {"batch", s.batch},
                          {"central_lr", s.central_lr},
                          {"cells", s.cells}}},
                        {"initial", std::move(first)},
                        {"lines", std::move(courses)}}) +
         "\n";
}

/// Accuracy after each day, mean over the seeds.
inline std::string curve_of(const settings& s, const std::vector<line>& lines) {
  constexpr std::array colours = {"#6b6b6b", "#0072b2", "#56b4e9", "#009e73",
                                  "#d55e00", "#e69f00", "#cc79a7"};
  double low = 1, high = 0;
  for (const auto& one : lines)
    for (std::size_t d = 0; d <= s.days; ++d)
      low = std::min(low, one.mean(d)), high = std::max(high, one.mean(d));
  low = std::floor(20 * low) / 20, high = std::max(low + 0.05, std::ceil(20 * high) / 20);
  apps::chart out("Accuracy after each day", fmt::format("on test photos, mean of {} seeds", s.seeds), "day",
                  {0, static_cast<double>(s.days)}, {low, high});
  const auto marks = static_cast<int>(std::lround((high - low) * 20));
  for (int i = 0; i <= marks; ++i) out.level(low + i / 20.0, fmt::format("{:.0f} %", 100 * (low + i / 20.0)));
  for (std::size_t day = 0; day <= s.days; day += std::max<std::size_t>(1, s.days / 6))
    out.tick(static_cast<double>(day), std::to_string(day));
  std::vector<std::size_t> order(lines.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return lines[i].last(); });
  for (const std::size_t i : order) {
    std::vector<apps::chart::point> days;
    for (std::size_t d = 0; d <= s.days; ++d) days.push_back({static_cast<double>(d), lines[i].mean(d)});
    out.curve(colours[i % colours.size()], days,
              fmt::format("{} {:.1f} %", lines[i].name, 100 * lines[i].last()));
  }
  return out.svg();
}

} // namespace photo_study
