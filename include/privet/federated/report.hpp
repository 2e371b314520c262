#pragma once
// A run as one HTML page that needs nothing else: no script, no font, no image, no network.

#include <privet/core/text.hpp>
#include <privet/core/version.hpp>
#include <privet/federated/progress.hpp>
#include <privet/federated/run_record.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

namespace detail::page {

// Both themes keep WCAG AA contrast, 4.5 to 1, for all text. In the heat map `--heat` is the full colour
// and a level 1 to 7 its opacity; from level 5 on the text is drawn in the colour of the paper.
inline constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--paper:#fbfaf8;--ink:#1c2026;--soft:#59616c;--rule:#e2dfd9;--track:#c9cdd3;
--federated:#1a5fb4;--central:#59616c;--best:#a8480f;--right:18 76 152;--wrong:144 58 6}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e7e9ec;--soft:#9da5b0;--rule:#2c3138;--track:#464d57;
--federated:#7fb4ff;--central:#9da5b0;--best:#f0a06a;--right:127 180 255;--wrong:240 160 106}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,47.5rem) minmax(0,1fr);padding:3.5rem 1.25rem 2.5rem}
main>*{grid-column:2}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;margin:0 0 .75rem;overflow-wrap:anywhere}
h2{font-size:1.125rem;line-height:1.3;margin:3.25rem 0 .25rem}
p{margin:0;max-width:40rem;overflow-wrap:anywhere}
.note{color:var(--soft);font-size:.875rem;margin-bottom:1rem}
.key{display:flex;flex-wrap:wrap;gap:1rem 3rem;margin:2rem 0 0;padding:0}
.key div{display:flex;flex-direction:column-reverse;max-width:14rem}
.key dt{color:var(--soft);font-size:.875rem;line-height:1.35;overflow-wrap:anywhere}
.key dd{margin:0;font-size:2.25rem;line-height:1.2;font-weight:600;letter-spacing:-.02em}
.federated{--c:var(--federated)}.central{--c:var(--central)}.best{--c:var(--best)}.other{--c:var(--track)}
.key dd{color:var(--c)}
svg{display:block;width:100%;height:auto;font-size:14px;overflow:visible}
svg.narrow{display:none;max-width:30rem;font-size:13px}
text{fill:var(--ink)}.tick{fill:var(--soft);font-size:12.5px}.mid{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--rule);fill:none}
.line{stroke:var(--c);fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}.line.federated{stroke-width:2.75}
.level{stroke-dasharray:5 5;stroke-linecap:butt}.lead{stroke:var(--c);fill:none;opacity:.6}
.dot,.bar{fill:var(--c)}.say{fill:var(--c);font-weight:600}.say.other{fill:var(--ink)}.plain{font-weight:400}
.say,.plain{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.scroll{overflow-x:auto;max-width:100%;justify-self:start}
.scroll:focus-visible{outline:2px solid var(--federated);outline-offset:4px}
.broad{grid-column:1/-1;justify-self:center}
table{border-collapse:collapse;font-size:.875rem;line-height:1.4}
.facts{width:100%;border-collapse:separate;border-spacing:0}
.facts th,.facts td{padding:.45rem 0 .45rem 1.25rem;border-bottom:1px solid var(--rule);text-align:right;font-weight:400;vertical-align:baseline;white-space:nowrap}
.facts th:first-child{padding-left:0;text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7.5rem}
.scroll tbody th:first-child{position:sticky;left:0;background:var(--paper)}
.facts thead th,.facts thead th:first-child{color:var(--soft);vertical-align:bottom}
.facts td.long{text-align:left;white-space:normal;overflow-wrap:anywhere;width:62%}
.facts td.why{white-space:normal;min-width:13rem}
.facts .strong>*{font-weight:600}
.heat{border-collapse:separate;border-spacing:2px}
.heat td{min-width:2.5rem;height:2.1rem;padding:0 .3rem;text-align:center;border-radius:3px;background:rgb(var(--heat)/var(--a))}
.heat td:empty{background:none;box-shadow:inset 0 0 0 1px var(--rule)}
.heat th{font-weight:400;color:var(--soft);overflow:hidden;text-overflow:ellipsis}
.heat tbody th{text-align:right;padding-right:.5rem;white-space:nowrap;max-width:11rem;color:var(--ink)}
.heat thead th[scope=col]{vertical-align:bottom;padding-bottom:.35rem;line-height:1.2;font-size:.8125rem;min-width:4.25rem}
.heat thead th span{display:inline-block;max-width:7rem;overflow:hidden;text-overflow:ellipsis}
.heat thead th.axis{text-align:right;vertical-align:bottom;padding:0 .5rem .35rem 0}
.many{font-size:.75rem}.many td{min-width:1.75rem;height:1.6rem;padding:0 .2rem}
.many thead th[scope=col]{min-width:0;font-size:1em;padding-bottom:.2rem}
.many thead th span{max-width:none;max-height:9.5rem;writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}
.ok{--heat:var(--right)}td:not(.ok){--heat:var(--wrong)}
.l1{--a:.1}.l2{--a:.18}.l3{--a:.27}.l4{--a:.36}.l5{--a:.84}.l6{--a:.92}.l7{--a:1}.l5,.l6,.l7{color:var(--paper)}
ul{margin:0;padding-left:1.1rem;max-width:40rem;overflow-wrap:anywhere}li{margin:.25rem 0}
footer{color:var(--soft);font-size:.8125rem;margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--rule)}
@media (max-width:40rem){main{padding:2rem 1rem}h1{font-size:1.4rem}.key{gap:1rem 2rem}.key dd{font-size:1.75rem}
svg.wide{display:none}svg.narrow{display:block}
.facts{font-size:.8125rem}.facts th,.facts td{padding-left:.45rem}.facts th:first-child{min-width:5rem}
.heat tbody th{max-width:6.5rem}.heat td{min-width:2rem}.heat thead th[scope=col]{min-width:0}
.heat thead th span{max-width:none;max-height:9.5rem;writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap}}
@media print{main{padding:0}h2,svg,tr{break-inside:avoid}h2{break-after:avoid}.heat td{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

// Numbers as people read them -------------------------------------------------------------------

inline constexpr std::string_view unknown = "–";

inline std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return std::string(unknown);
  std::array<char, 400> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                       std::chars_format::fixed, decimals)
                             .ptr};
}
inline std::string percent(double part) {
  return std::isfinite(part) ? fixed(100 * part, 1) + "\u00a0%" : std::string(unknown);
}

inline std::string grouped(std::uint64_t number) {
  std::string digits = concat(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

inline std::string byte_count(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> units{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 999.5; size /= 1000) ++unit;
  return concat(fixed(size, unit == 0 || size >= 99.95 ? 0 : 1), "\u00a0", units[unit]);
}

inline std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds >= 1e9) return std::string(unknown);
  if (seconds < 59.95) return concat(fixed(seconds, seconds < 9.995 ? 2 : 1), "\u00a0s");
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  return whole < 3600 ? concat(whole / 60, "\u00a0min ", whole % 60, "\u00a0s")
                      : concat(whole / 3600, "\u00a0h ", whole / 60 % 60, "\u00a0min");
}

inline std::string_view name_or(const model_result& model, std::string_view otherwise) {
  return model.name.empty() ? otherwise : std::string_view(model.name);
}

// Scales ----------------------------------------------------------------------------------------

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
inline double nice_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (least <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

struct scale {
  double low, high, step; ///< percent
};
inline scale scale_around(double low, double high) {
  const double step = nice_step(std::max(high - low, 2.0) / 5);
  scale found{std::max(0.0, std::floor(low / step - 1e-9) * step),
              std::min(100.0, std::ceil(high / step + 1e-9) * step), step};
  if (found.low >= found.high) found.low = found.high - step;
  return found;
}

/// One drawing for wide pages and one for phones: text keeps its size, the space around it changes.
struct frame {
  std::string_view id;
  double width;
  bool wide;
};
inline constexpr frame frames[] = {{"wide", 760, true}, {"narrow", 350, false}};

inline std::string px(double value) {
  std::string digits = fixed(value, 1);
  return digits.ends_with(".0") ? digits.substr(0, digits.size() - 2) : digits;
}

inline std::string svg_open(const frame& f, std::string_view name, double height, std::string_view title,
                            std::string_view description) {
  const std::string id = concat(name, '-', f.id);
  return concat("<svg class=\"", f.id, "\" viewBox=\"0 0 ", px(f.width), ' ', px(height),
                "\" role=\"img\" aria-labelledby=\"", id, "-t ", id, "-d\">\n<title id=\"", id, "-t\">",
                title, "</title><desc id=\"", id, "-d\">", description, "</desc>\n");
}
inline std::string text_at(double x, double y, std::string_view kind, std::string_view content) {
  return concat("<text x=\"", px(x), "\" y=\"", px(y), "\" class=\"", kind, "\">", content, "</text>\n");
}

// Test accuracy per round -----------------------------------------------------------------------

/// A line of the chart: a value after each round, or one value that is drawn as a level.
struct series {
  std::string_view kind, name;
  std::vector<double> points; ///< percent; what was not measured is NaN
  bool level = false;
  double last = std::numeric_limits<double>::quiet_NaN();
  double label_y = 0;
};

inline const model_result* best_alone(const run_record& record) {
  const model_result* best = nullptr;
  for (const model_result& office : record.alone)
    if (std::isfinite(office.accuracy) && (!best || office.accuracy > best->accuracy)) best = &office;
  return best;
}

inline std::vector<series> lines_of(const run_record& record) {
  const std::size_t rounds = record.federated.curve.size();
  std::vector<series> lines;
  const auto add = [&](std::string_view kind, std::string_view name, const model_result& model) {
    series line{.kind = kind, .name = name, .points = model.curve};
    line.level = &model != &record.federated && (rounds == 1 || model.curve.size() != rounds);
    if (line.level) line.points = {model.accuracy};
    for (double& point : line.points) {
      point *= 100;
      if (std::isfinite(point)) line.last = point;
    }
    if (std::isfinite(line.last)) lines.push_back(std::move(line));
  };
  add("central", "Central", record.central);
  if (const auto* best = best_alone(record)) add("best", "Best alone", *best);
  add("federated", "Federated", record.federated);
  return lines;
}

inline std::string line_chart(const run_record& record, const frame& f) {
  std::vector<series> lines = lines_of(record);
  const std::size_t rounds = record.federated.curve.size();
  double lowest = 100, highest = 0;
  for (const series& line : lines)
    for (const double point : line.points)
      if (std::isfinite(point)) lowest = std::min(lowest, point), highest = std::max(highest, point);
  const scale y_scale = scale_around(lowest, highest);

  const double left = f.wide ? 48 : 46, right = f.width - (f.wide ? 164 : 106), top = 14,
               bottom = f.wide ? 290 : 250;
  const auto x_of = [&](std::size_t i) {
    return rounds > 1 ? left + (right - left) * static_cast<double>(i) / static_cast<double>(rounds - 1)
                      : (left + right) / 2;
  };
  const auto y_of = [&](double value) {
    return bottom - (bottom - top) * (value - y_scale.low) / (y_scale.high - y_scale.low);
  };

  std::string description = concat("After ", rounds, rounds == 1 ? " round: " : " rounds: ");
  for (const series& line : lines)
    description += concat(&line == lines.data() ? "" : ", ", line.name, ' ', fixed(line.last, 1), " %");
  std::string out = svg_open(f, "rounds", bottom + 34, "Test accuracy after each round", description + ".");

  for (int i = 0; y_scale.low + i * y_scale.step <= y_scale.high + 1e-9; ++i) {
    const double value = y_scale.low + i * y_scale.step;
    out += concat("<path class=\"grid\" d=\"M", px(left), ' ', px(y_of(value)), 'H', px(right), "\"/>\n");
    out +=
        text_at(left - 8, y_of(value) + 4, "tick end", concat(fixed(value, y_scale.step < 1 ? 1 : 0), '%'));
  }
  // 1, 2, 3, .. or 1, 5, 10, .. or 2, 4, 6, ..: a step of two leaves no room for the one.
  const auto step =
      static_cast<std::size_t>(std::max(1.0, nice_step(static_cast<double>(rounds) / (f.wide ? 9 : 6))));
  out += text_at(left - 10, bottom + 22, "tick end", "Round");
  if (step != 2) out += text_at(x_of(0), bottom + 22, "tick mid", "1");
  for (std::size_t round = std::max<std::size_t>(step, 2); round <= rounds; round += step)
    out += text_at(x_of(round - 1), bottom + 22, "tick mid", grouped(round));

  // Labels sit at the ends of their lines; where lines end close together the labels move apart.
  const double pitch = f.wide ? 20 : 36;
  std::vector<series*> order;
  for (series& line : lines) line.label_y = y_of(line.last), order.push_back(&line);
  std::ranges::stable_sort(order, {}, [](const series* line) { return line->label_y; });
  for (std::size_t i = 1; i < order.size(); ++i)
    order[i]->label_y = std::max(order[i]->label_y, order[i - 1]->label_y + pitch);
  double floor = bottom - (f.wide ? 0 : 14);
  for (std::size_t i = order.size(); i-- > 0; floor -= pitch)
    order[i]->label_y = std::min(order[i]->label_y, floor);

  for (const series& line : lines) {
    std::string path;
    if (line.level) {
      path = concat('M', px(left), ' ', px(y_of(line.last)), 'H', px(right));
    } else {
      bool drawing = false;
      for (std::size_t i = 0; i < rounds; ++i) {
        const bool known = std::isfinite(line.points[i]);
        if (known) path += concat(drawing ? 'L' : 'M', px(x_of(i)), ' ', px(y_of(line.points[i])));
        drawing = known;
      }
    }
    out += concat("<path class=\"line ", line.kind, line.level ? " level" : "", "\" d=\"", path, "\"/>\n");
    for (std::size_t i = 0; i < rounds && !line.level; ++i)
      if (std::isfinite(line.points[i]) && (i + 1 == rounds || (line.kind == "federated" && rounds <= 40)))
        out += concat("<circle class=\"dot ", line.kind, "\" cx=\"", px(x_of(i)), "\" cy=\"",
                      px(y_of(line.points[i])), "\" r=\"3\"><title>", line.name, ", round ", i + 1, ": ",
                      fixed(line.points[i], 1), " %</title></circle>\n");
    const double end = line.level ? right : x_of(rounds - 1);
    out += concat("<path class=\"lead ", line.kind, "\" d=\"M", px(end + 6), ' ', px(y_of(line.last)), 'L',
                  px(right + 18), ' ', px(line.label_y), "\"/>\n");
    const std::string kind = concat("say ", line.kind), value = concat(fixed(line.last, 1), "\u00a0%");
    if (f.wide) {
      out += text_at(right + 23, line.label_y + 5, kind, concat(line.name, ' ', value));
    } else {
      out += text_at(right + 22, line.label_y - 2, kind, line.name);
      out += text_at(right + 22, line.label_y + 14, kind, value);
    }
  }
  return out + "</svg>\n";
}

// Accuracy of every model -----------------------------------------------------------------------

struct bar {
  std::string_view kind, name;
  double part;
};

/// Whether there is something to compare the federation with.
inline bool compares(const run_record& record) {
  return record.privacy.empty() && (std::isfinite(record.central.accuracy) || !record.alone.empty());
}

inline std::vector<bar> bars_of(const run_record& record) {
  std::vector<bar> bars;
  if (compares(record))
    bars.push_back({"central", name_or(record.central, "Central"), record.central.accuracy});
  bars.push_back({"federated", name_or(record.federated, "Federated"), record.federated.accuracy});
  const auto* best = best_alone(record);
  for (const model_result& office : record.alone)
    bars.push_back({&office == best ? "best" : "other", name_or(office, "Office"), office.accuracy});
  return bars;
}

inline std::string bar_chart(const run_record& record, const frame& f) {
  const std::vector<bar> bars = bars_of(record);
  const double left = f.wide ? 190 : 0, right = f.width - (f.wide ? 70 : 62);
  const double pitch = f.wide ? 32 : 42, thick = f.wide ? 18 : 12, pause = 14;
  const auto x_of = [&](double part) {
    return left + (right - left) * (std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0.0);
  };
  const auto y_of = [&](std::size_t i) {
    return pitch * static_cast<double>(i) + (i > 1 ? pause : 0) + (f.wide ? 6 : 24);
  };
  const double bottom = y_of(bars.size() - 1) + thick + 8;

  std::string description;
  for (const bar& b : bars)
    description += concat(description.empty() ? "" : ", ", escaped(b.name), ' ', percent(b.part));
  std::string out = svg_open(f, "models", bottom + 26, "Test accuracy of every model", description + ".");

  for (int tick = 0; tick <= 100; tick += f.wide ? 20 : 50) {
    const double x = x_of(tick / 100.0);
    out += concat("<path class=\"grid\" d=\"M", px(x), " 0V", px(bottom), "\"/>\n");
    out += text_at(x, bottom + 18, tick == 0 && !f.wide ? "tick" : "tick mid", concat(tick, "%"));
  }
  if (bars.size() > 2 && std::isfinite(record.federated.accuracy)) {
    const double x = x_of(record.federated.accuracy);
    out += concat("<path class=\"lead federated level\" d=\"M", px(x), ' ', px(y_of(1) + thick), 'V',
                  px(bottom), "\"/>\n");
  }
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const bar& b = bars[i];
    const double y = y_of(i), end = x_of(b.part);
    out += concat("<g><title>", escaped(b.name), ": ", percent(b.part), "</title><rect class=\"bar ", b.kind,
                  "\" x=\"", px(left), "\" y=\"", px(y), "\" width=\"", px(std::max(end - left, 1.0)),
                  "\" height=\"", px(thick), "\" rx=\"2\"/>\n");
    const std::string name = escaped(fit_columns(b.name, f.wide ? 22 : 40).text),
                      kind = b.kind == "other" ? "plain" : "say";
    out += f.wide ? text_at(left - 12, y + 14, concat("end ", kind, ' ', b.kind), name)
                  : text_at(0, y - 6, concat(kind, ' ', b.kind), name);
    out += text_at(end + 8, y + (f.wide ? 14 : 11), concat("say ", b.kind), percent(b.part)) + "</g>\n";
  }
  return out + "</svg>\n";
}

// Tables ----------------------------------------------------------------------------------------

/// A box that scrolls sideways, by keyboard too, when the page is narrower than its table.
inline std::string scrolling(std::string_view kind, std::string_view label, std::string_view table) {
  return concat("<div class=\"scroll ", kind, "\" role=\"region\" tabindex=\"0\" aria-label=\"", label,
                "\">\n", table, "</div>\n");
}

inline std::string head_row(std::initializer_list<std::string_view> titles) {
  std::string out = "<thead><tr>";
  for (const auto title : titles) out += concat("<th scope=\"col\">", title, "</th>");
  return out + "</tr></thead>\n<tbody>\n";
}
inline std::string data_row(std::string_view kind, std::string_view name,
                            std::initializer_list<std::string> cells) {
  std::string out = concat("<tr class=\"", kind, "\"><th scope=\"row\">", escaped(name), "</th>");
  for (const auto& cell : cells) out += concat("<td>", cell, "</td>");
  return out + "</tr>\n";
}

inline std::string models_table(const run_record& record) {
  const auto row = [](std::string_view kind, std::string_view otherwise, const model_result& m) {
    return data_row(kind, name_or(m, otherwise),
                    {percent(m.accuracy), percent(m.macro_f1), fixed(m.log_loss, 3), byte_count(m.bytes_up),
                     byte_count(m.bytes_down), duration(m.seconds)});
  };
  std::string table = "<table class=\"facts\">\n" +
                      head_row({"Model", "Accuracy", "Macro-F1", "Log loss", "Sent", "Received", "Time"});
  if (compares(record)) table += row("", "Central", record.central);
  table += row("strong", "Federated", record.federated);
  for (const auto& office : record.alone) table += row("", "Office", office);
  return scrolling("", "Numbers of every model", table + "</tbody></table>\n");
}

// Who took part --------------------------------------------------------------------------------

/// Clients that fit a drawing or a table; of more, those that answered least.
inline constexpr std::size_t most_clients = 24;

struct client_line {
  const client_record* client;
  participation part;
};
inline std::vector<client_line> clients_of(const run_record& record) {
  const auto took_part = participation_of(record.history);
  std::vector<client_line> all;
  for (const auto& client : record.clients) {
    const auto found = took_part.find(client.id);
    all.push_back({&client, found == took_part.end() ? participation{} : found->second});
  }
  if (all.size() > most_clients) {
    const auto share = [](const client_line& c) {
      return c.part.asked ? static_cast<double>(c.part.answered) / static_cast<double>(c.part.asked) : 1;
    };
    std::ranges::stable_sort(all, {}, share);
    all.resize(most_clients);
  }
  return all;
}

/// A row for each client, a column for each round.
inline std::string strips(const run_record& record, const std::vector<client_line>& lines, const frame& f) {
  const std::size_t rounds = record.history.size();
  const double left = f.wide ? 96 : 62, right = f.width - 8, pitch = f.wide ? 20 : 17, thick = pitch - 6;
  const double cell = (right - left) / static_cast<double>(rounds), gap = cell > 4 ? 1 : 0;
  const double bottom = pitch * static_cast<double>(lines.size()) + 4;
  std::string description;
  for (const auto& line : lines)
    description += concat(description.empty() ? "" : ", ", "client ", line.client->id, ": ",
                          line.part.answered, " of ", line.part.asked);
  std::string out = svg_open(f, "clients", bottom + 26, "Rounds in which each client took part",
                             concat("Updates of the rounds that asked for one: ", description, "."));
  for (std::size_t k = 0; k < lines.size(); ++k) {
    const double y = pitch * static_cast<double>(k) + 4;
    out +=
        text_at(left - 10, y + thick - 2, "end plain", concat(f.wide ? "Client " : "", lines[k].client->id));
    std::string answered, missing, none;
    for (std::size_t r = 0; r < rounds; ++r) {
      const auto& round = record.history[r];
      const auto said = std::ranges::find(round.asked, lines[k].client->id, &client_metrics::id);
      if (said == round.asked.end()) continue;
      std::string& into = !said->missing.empty() ? missing : round.given_up.empty() ? answered : none;
      const std::string wide = px(std::max(cell - gap, 0.5));
      into += concat('M', px(left + cell * static_cast<double>(r)), ' ', px(y), 'h', wide, 'v', px(thick),
                     "h-", wide, 'z');
    }
    const auto draw = [&](std::string_view kind, std::string_view says, const std::string& path) {
      if (!path.empty())
        out += concat("<path class=\"bar ", kind, "\" d=\"", path, "\"><title>Client ", lines[k].client->id,
                      ": ", says, "</title></path>\n");
    };
    draw("federated", concat("answered ", lines[k].part.answered, " of ", lines[k].part.asked), answered);
    draw("best", "missing", missing);
    draw("other", "the round was given up", none);
  }
  const auto step =
      static_cast<std::size_t>(std::max(1.0, nice_step(static_cast<double>(rounds) / (f.wide ? 9 : 5))));
  for (std::size_t round = step; round <= rounds; round += step)
    out += text_at(left + cell * (static_cast<double>(round) - 0.5), bottom + 18, "tick mid", grouped(round));
  out += text_at(left - 10, bottom + 18, "tick end", "Round");
  return out + "</svg>\n";
}

inline std::string clients_table(const std::vector<client_line>& lines) {
  std::string table = "<table class=\"facts\">\n" + head_row({"Client", "Rows", "Took part", "Last loss",
                                                              "Accuracy on its rows", "Missing because"});
  for (const auto& [client, part] : lines) {
    std::string why;
    for (const auto& [reason, count] : part.missed)
      why += concat(why.empty() ? "" : "; ", escaped(reason), " (", count, ")");
    table += concat("<tr><th scope=\"row\">", client->id, "</th><td>", grouped(client->rows), "</td><td>",
                    part.answered, "\u00a0of\u00a0", part.asked, "</td><td>", fixed(part.loss, 3),
                    "</td><td>", percent(client->accuracy), "</td><td class=\"why\">",
                    why.empty() ? unknown : why, "</td></tr>\n");
  }
  return scrolling("", "How often each client took part", table + "</tbody></table>\n");
}

inline std::string fairness_table(const run_record& record) {
  std::vector<double> clients, people;
  for (const auto& client : record.clients) clients.push_back(client.accuracy);
  for (const auto& [name, accuracy] : record.people) people.push_back(accuracy);
  std::string rows;
  const auto add = [&](std::string_view name, std::vector<double> values) {
    const auto fair = fairness::of(std::move(values));
    if (std::isfinite(fair.mean))
      rows += data_row("", name, {percent(fair.mean), percent(fair.worst_decile), percent(fair.least)});
  };
  add("Clients, on their own rows", std::move(clients));
  add("Persons of the test examples", std::move(people));
  if (rows.empty()) return {};
  return scrolling("", "Accuracy among clients and among persons",
                   "<table class=\"facts\">\n" + head_row({"Among", "Mean", "Worst tenth", "Lowest"}) + rows +
                       "</tbody></table>\n");
}

inline int heat_level(double share) {
  constexpr std::array<double, 6> from{.02, .06, .15, .4, .7, .9};
  return 1 + static_cast<int>(std::ranges::count_if(from, [share](double edge) { return share >= edge; }));
}

inline std::string heat_map(const run_record& record) {
  const confusion_matrix& counts = record.federated.confusion;
  const std::size_t n = counts.classes();
  const bool many = n > 8;
  std::string table = concat("<table class=\"heat", many ? " many" : "",
                             "\">\n<thead><tr><th class=\"axis\">predicted →<br>true ↓</th>");
  for (const auto& name : record.classes)
    table += concat("<th scope=\"col\" title=\"", escaped(name), "\"><span>", escaped(name), "</span></th>");
  table += "</tr></thead>\n<tbody>\n";
  for (std::size_t t = 0; t < n; ++t) {
    std::uint64_t total = 0;
    for (std::size_t p = 0; p < n; ++p) total += counts.count(t, p);
    table += concat("<tr><th scope=\"row\" title=\"", escaped(record.classes[t]), "\">",
                    escaped(record.classes[t]), "</th>");
    for (std::size_t p = 0; p < n; ++p) {
      const std::uint64_t count = counts.count(t, p);
      if (count == 0) {
        table += "<td></td>";
        continue;
      }
      const double share = static_cast<double>(count) / static_cast<double>(total);
      table += concat("<td class=\"l", heat_level(share), t == p ? " ok" : "", "\" title=\"",
                      escaped(record.classes[t]), " → ", escaped(record.classes[p]), ": ", percent(share),
                      "\">", grouped(count), "</td>");
    }
    table += "</tr>\n";
  }
  return scrolling(n > 14 ? "broad" : "", "Confusion matrix of the federated model",
                   table + "</tbody></table>\n");
}

inline std::string classes_table(const run_record& record) {
  const confusion_matrix& counts = record.federated.confusion;
  std::string table =
      "<table class=\"facts\">\n" + head_row({"Class", "Examples", "Precision", "Recall", "F1"});
  for (std::size_t c = 0; c < counts.classes(); ++c) {
    std::uint64_t examples = 0;
    for (std::size_t p = 0; p < counts.classes(); ++p) examples += counts.count(c, p);
    table += data_row(
        "", record.classes[c],
        {grouped(examples), percent(counts.precision(c)), percent(counts.recall(c)), percent(counts.f1(c))});
  }
  return scrolling("", "Precision, recall and F1 of every class", table + "</tbody></table>\n");
}

// The page --------------------------------------------------------------------------------------

/// "0.4 points below", for two ratios that are both known.
inline std::string compared(double ours, double theirs) {
  const std::string points = fixed(100 * std::abs(ours - theirs), 1);
  if (points == "0.0") return "level with";
  return concat(points, points == "1.0" ? " point " : " points ", ours > theirs ? "above" : "below");
}

inline std::string opening(const run_record& record) {
  const double ours = record.federated.accuracy;
  const auto* best = best_alone(record);
  std::string out;
  if (!record.progress.empty()) out += concat("<p class=\"note\">", escaped(record.progress), "</p>\n");
  out += "<p>";
  if (record.alone.size() == 1) out += "1 office trained a model. ";
  if (record.alone.size() > 1) out += concat(record.alone.size(), " offices trained one model together. ");
  if (std::isfinite(ours)) {
    out += concat("It names ", percent(ours), " of the test examples correctly");
    if (std::isfinite(record.central.accuracy))
      out += concat(", ", compared(ours, record.central.accuracy),
                    " one model trained on all data in one place");
    if (best)
      out += concat(std::isfinite(record.central.accuracy) ? " and " : ", ", compared(ours, best->accuracy),
                    " the best office alone");
    out += '.';
  }
  out += "</p>\n<dl class=\"key\">\n";
  const auto tile = [&](std::string_view kind, double value, std::string_view label) {
    out += concat("<div class=\"", kind, "\"><dt>", label, "</dt><dd>", percent(value), "</dd></div>\n");
  };
  tile("federated", ours, "Federated");
  if (compares(record)) tile("central", record.central.accuracy, "Central: all data in one place");
  if (best)
    tile("best", best->accuracy,
         concat("Best office alone: <bdi>", escaped(name_or(*best, "Office")), "</bdi>"));
  return out + "</dl>\n";
}

/// Names and values, one in a row.
inline std::string facts(const std::vector<std::pair<std::string, std::string>>& all) {
  std::string out = "<table class=\"facts\">\n<tbody>\n";
  for (const auto& [name, value] : all)
    out += concat("<tr><th scope=\"row\">", escaped(name), "</th><td class=\"long\">", escaped(value),
                  "</td></tr>\n");
  return out + "</tbody></table>\n";
}

inline std::string section(std::string_view title, std::string_view note) {
  return concat("<h2>", title, "</h2>\n<p class=\"note\">", note, "</p>\n");
}

/// The sections on clients; empty when nothing is known of them.
inline std::string who_took_part(const run_record& record) {
  std::string out;
  if (!record.clients.empty() && !record.history.empty()) {
    const auto lines = clients_of(record);
    std::size_t given_up = 0;
    for (const auto& round : record.history) given_up += !round.given_up.empty();
    std::string note =
        "A row is a client, a column a round: blue where its update counted, orange where it is missing.";
    if (given_up)
      note += concat(" Grey: ", given_up, given_up == 1 ? " round that was" : " rounds that were",
                     " given up, as too few answered.");
    if (record.clients.size() > lines.size())
      note += concat(" Of ", grouped(record.clients.size()), " clients those ", lines.size(),
                     " that answered least.");
    out += section("Who took part", note);
    for (const frame& f : frames) out += strips(record, lines, f);
    out += clients_table(lines);
  }
  if (const auto table = fairness_table(record); !table.empty())
    out += section("How far it serves everybody",
                   "Accuracy of the federated model. The worst tenth is the mean of the lowest tenth, of one "
                   "at least.") +
           table;
  return out;
}

} // namespace detail::page

/// The run as one self-contained HTML file: accuracy per round, a bar per office, the confusion matrix
/// of the federated model, all numbers, who took part and how far clients and persons are served alike, settings and
/// notes; light or dark as the reader prefers.
///
/// Central and the best office are curves when they have a point per round, else level lines.
/// Ensures   valid UTF-8; names and values from outside are escaped, and the page's own policy lets no
///           script run and nothing load
/// Errors    N003: a confusion matrix with another number of classes than the record
/// Example   docs/federated/report.md      Test  tests/federated/report.test.cpp
inline std::string html_report(const run_record& record) {
  using namespace detail::page;
  detail::check_classes(record, record.federated);
  const std::string title = escaped(record.title.empty() ? "Federated training" : record.title);
  std::string out = concat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      title, "</title>\n<style>", style, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>", title,
      "</h1>\n", opening(record), "</header>\n");

  if (!record.federated.curve.empty() && !lines_of(record).empty()) {
    out += section("Test accuracy after each round", "Part of the test examples that are named correctly.");
    for (const frame& f : frames) out += line_chart(record, f);
  }
  out += section("Test accuracy of every model", "All models answer the same test examples.");
  for (const frame& f : frames) out += bar_chart(record, f);
  if (record.federated.confusion.classes() > 0) {
    out += section(
        "What the federated model takes for what",
        "A row is a true class, a column what the model said. Right answers are blue, mistakes orange, "
        "the stronger the larger their share of the row. Empty cells are zero.");
    out += heat_map(record);
    out += section("Every class of the federated model",
                   "Precision: of the examples given this name, the part that has it. "
                   "Recall: of the examples of this class, the part that was found.");
    out += classes_table(record);
  }
  out += section("Every model in numbers", "Bytes are those of all offices together, over all rounds.");
  out += models_table(record);
  out += who_took_part(record);
  if (!record.privacy.empty()) {
    out += section("What is promised",
                   "Models that were trained on the same rows without noise would tell what the noise hides: "
                   "there are none to compare with.");
    out += facts(record.privacy);
  }
  if (!record.encryption.empty()) {
    out += section(
        "What was encrypted",
        "The server passed on ciphertexts. What the offices opened are sums, which say something of "
        "their rows all the same: encryption hides who contributed what, not what all have in common.");
    out += facts(record.encryption);
  }
  if (!record.settings.empty()) {
    out += section("Settings", "What the run was told to do.");
    out += facts(record.settings);
  }
  if (!record.notes.empty()) {
    out += "<h2>Notes</h2>\n<ul>\n";
    for (const auto& note : record.notes) out += concat("<li>", escaped(note), "</li>\n");
    out += "</ul>\n";
  }
  out += concat("<footer>", grouped(record.parameters), " parameters, ", duration(record.seconds),
                " in all, privet ", PRIVET_VERSION_MAJOR, '.', PRIVET_VERSION_MINOR, '.',
                PRIVET_VERSION_PATCH, "</footer>\n</main>\n</body>\n</html>\n");
  return out;
}

} // namespace privet
