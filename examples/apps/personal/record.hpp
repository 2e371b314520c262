#pragma once
// What a run leaves behind: a record of every user, and the curve as a drawing.

#include "study.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>

#include <fmt/format.h>

#include <cmath>
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
  constexpr double left = 56, right = 560, top = 56, bottom = 330;
  struct line {
    const char *name, *colour;
    double summary::*value;
  };
  constexpr line lines[] = {{"personal", "#0072b2", &summary::personal},
                            {"shared", "#6b6b6b", &summary::shared},
                            {"local only", "#d55e00", &summary::local}};
  const auto [least, most] = std::ranges::minmax(s.own);
  const double from = std::log(static_cast<double>(least)),
               span = std::max(1e-9, std::log(static_cast<double>(most)) - from);
  const auto x = [&](std::size_t n) {
    return left + (right - left) * (std::log(static_cast<double>(n)) - from) / span;
  };
  const auto y = [&](double part) { return bottom - (bottom - top) * part; };
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 390\" font-family=\"sans-serif\" "
      "font-size=\"13\" role=\"img\"><title>Accuracy against own windows</title>"
      "<style>svg{{background:#fff;fill:#222}}.line{{fill:none;stroke-width:2.5}}.grid{{stroke:#ccc}}"
      "@media(prefers-color-scheme:dark){{svg{{background:#16181c;fill:#ddd}}.grid{{stroke:#444}}}}</style>\n"
      "<text x=\"{0}\" y=\"24\" font-size=\"16\">Accuracy against own windows</text>\n"
      "<text x=\"{0}\" y=\"42\">mean over users, tested on a fifth of their windows ({1})</text>\n",
      left, s.split == "time" ? "the last of each activity" : "any");
  for (int i = 0; i <= 5; ++i)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5} %</text>\n",
        left, right, y(i / 5.0), left - 6, y(i / 5.0) + 4, 20 * i);
  for (const std::size_t n : s.own)
    out +=
        fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x(n), bottom + 18, n);
  out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">own windows</text>\n",
                     (left + right) / 2, bottom + 40);
  double below = top; // labels keep their distance
  for (const auto& [name, colour, value] : lines) {
    std::string path;
    for (std::size_t i = 0; i < means.size(); ++i) {
      const double at = x(s.own[i]), height = y(means[i].*value);
      path += fmt::format("{}{:.1f} {:.1f}", i ? " L" : "M", at, height);
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", at, height, colour);
    }
    below = std::max(below + 18, y(means.back().*value) + 4);
    out += fmt::format(
        "<path class=\"line\" stroke=\"{0}\" d=\"{1}\"/>"
        "<text x=\"{2}\" y=\"{3:.1f}\" fill=\"{0}\">{4} {5:.1f} %</text>\n",
        colour, path, right + 12, below, name, 100 * means.back().*value);
  }
  return out + "</svg>\n";
}

} // namespace personal_study
