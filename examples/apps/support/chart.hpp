#pragma once
// A line chart as one SVG file that is readable on a light and on a dark page.

#include <privet/core/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

/// Coordinates are the caller's: what a logarithmic axis shows comes as a logarithm. Numbers beyond the axes are drawn at
/// their ends.
class chart {
 public:
  struct range {
    double from, to;
  };
  struct point {
    double x, y;
  };

  chart(std::string_view title, std::string_view what, std::string_view along, range x, range y)
      : x_(x), y_(y) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 780 390\" font-family=\"sans-serif\" "
        "font-size=\"13\" role=\"img\"><title>{0}</title>"
        "<style>svg{{background:#fff;fill:#222}}.line{{fill:none;stroke-width:2.5}}.grid{{stroke:#ccc}}"
        "@media(prefers-color-scheme:dark){{svg{{background:#16181c;fill:#ddd}}.grid{{stroke:#444}}}}</"
        "style>\n"
        "<text x=\"{1}\" y=\"24\" font-size=\"16\">{0}</text>\n<text x=\"{1}\" y=\"42\">{2}</text>\n"
        "<text x=\"{3}\" y=\"{4}\" text-anchor=\"middle\">{5}</text>\n",
        privet::escaped(title), left, privet::escaped(what), (left + right) / 2, bottom + 40,
        privet::escaped(along));
  }

  /// A mark on the axis along the bottom.
  void tick(double x, std::string_view name) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", across(x),
                        bottom + 18, privet::escaped(name));
  }
  /// A line of the grid.
  void level(double y, std::string_view name) {
    out_ += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        left, right, up(y), left - 6, up(y) + 4, privet::escaped(name));
  }
  /// A curve and, at its end, its name. Curves that end higher come first, so that names keep their distance.
  void curve(std::string_view colour, const std::vector<point>& points, std::string_view name) {
    std::string path;
    for (const auto& [x, y] : points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", across(x), up(y));
    lowest_name_ = std::max(lowest_name_ + 18, up(points.back().y) + 4);
    out_ += fmt::format(
        "<path class=\"line\" stroke=\"{0}\" d=\"{1}\"/><text x=\"{2}\" y=\"{3:.1f}\" "
        "fill=\"{0}\">{4}</text>\n",
        colour, path, right + 12, lowest_name_, privet::escaped(name));
  }
  void dot(std::string_view colour, point at) {
    out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", across(at.x),
                        up(at.y), colour);
  }
  void interval(std::string_view colour, double x, range y) {
    out_ +=
        fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\"/>\n",
                    across(x), up(y.from), up(y.to), colour);
  }
  /// What a curve ought to reach.
  void dashed(std::string_view colour, double y) {
    out_ += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\" "
        "stroke-dasharray=\"5 4\"/>\n",
        left, right, up(y), colour);
  }

  std::string svg() const { return out_ + "</svg>\n"; }

 private:
  static constexpr double left = 60, right = 560, top = 56, bottom = 330;

  double across(double x) const {
    return left + (right - left) * std::clamp((x - x_.from) / std::max(1e-9, x_.to - x_.from), 0.0, 1.0);
  }
  double up(double y) const {
    return bottom - (bottom - top) * std::clamp((y - y_.from) / std::max(1e-9, y_.to - y_.from), 0.0, 1.0);
  }

  range x_, y_;
  double lowest_name_ = top - 18;
  std::string out_;
};

} // namespace apps
