#pragma once
// What a run leaves behind: a record of every user, and the curve as a drawing.

#include "../support/chart.hpp"
#include "study.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace personal_study {

inline std::string record_of(const settings& s, double shared, const std::vector<summary>& means,
                             const std::vector<user_result>& users) {
  json curve = json::array(), each = json::array();
  for (std::size_t i = 0; i < means.size(); ++i)
    curve.push_back({{"own", s.own[i]},
                     {"own_mean", means[i].own},
                     {"shared", means[i].shared},
                     {"local", means[i].local},
                     {"personal", means[i].personal},
                     {"ungated", means[i].ungated},
                     {"kept", means[i].kept},
                     {"losers", means[i].losers},
                     {"most_losers", means[i].most_losers}});
  for (const auto& user : users) {
    json measured = json::array();
    for (const auto& m : user.measurements)
      measured.push_back({{"own", m.own},
                          {"tested", m.tested},
                          {"shared", m.shared},
                          {"local", m.local},
                          {"personal", m.personal},
                          {"ungated", m.ungated},
                          {"kept", m.kept},
                          {"steps", m.steps},
                          {"wins", m.gate.wins},
                          {"losses", m.gate.losses}});
    each.push_back({{"user", user.user},
                    {"windows", user.windows},
                    {"shared", user.shared},
                    {"measured", std::move(measured)}});
  }
  return json_text(json{{"split", s.split},
                        {"seed", s.seed},
                        {"repeats", s.repeats},
                        {"epochs", s.epochs},
                        {"prior", s.recipe.how.prior},
                        {"learning_rate", s.recipe.how.learning_rate},
                        {"steps", s.recipe.how.steps},
                        {"folds", s.recipe.folds},
                        {"level", s.recipe.level},
                        {"smoothing", s.own_smoothing},
                        {"shared", shared},
                        {"curve", std::move(curve)},
                        {"users", std::move(each)}}) +
         "\n";
}

/// Accuracy against own windows, on a logarithmic axis.
inline std::string curve_of(const settings& s, const std::vector<summary>& means) {
  struct line {
    const char *name, *colour;
    double summary::*value;
  };
  std::vector<line> lines = {{"personal", "#0072b2", &summary::personal},
                             {"shared", "#6b6b6b", &summary::shared},
                             {"local only", "#d55e00", &summary::local}};
  std::ranges::stable_sort(lines, std::ranges::greater(),
                           [&](const line& l) { return means.back().*l.value; });
  const auto [least, most] = std::ranges::minmax(s.own);
  const auto along = [](std::size_t windows) { return std::log(static_cast<double>(windows)); };
  apps::chart out("Accuracy against own windows",
                  fmt::format("mean over users, tested on a fifth of their windows ({})",
                              s.split == "time" ? "the last of each activity" : "any"),
                  "own windows", {along(least), along(most)}, {0, 1});
  for (int i = 0; i <= 5; ++i) out.level(i / 5.0, fmt::format("{} %", 20 * i));
  for (const std::size_t n : s.own) out.tick(along(n), std::to_string(n));
  for (const auto& [name, colour, value] : lines) {
    std::vector<apps::chart::point> points;
    for (std::size_t i = 0; i < means.size(); ++i) {
      points.push_back({along(s.own[i]), means[i].*value});
      out.dot(colour, points.back());
    }
    out.curve(colour, points, fmt::format("{} {:.1f} %", name, 100 * means.back().*value));
  }
  return out.svg();
}

} // namespace personal_study
