#include "support/catch.hpp"

#include <privet/federated/report.hpp>

#include <cctype>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace privet;

namespace {

constexpr double unmeasured = std::numeric_limits<double>::quiet_NaN();

run_record small_record() {
  confusion_matrix counts(3);
  counts.add(0, 0, 30);
  counts.add(0, 1, 10);
  counts.add(1, 1, 1234);
  counts.add(2, 0, 5);
  run_record record{.title = "Three offices",
                    .settings = {{"seed", "1"}, {"rounds", "3"}},
                    .classes = {"still", "walking", "running"}};
  record.central = {.name = "central", .accuracy = .97};
  record.federated = {.name = "federated",
                      .accuracy = 1,
                      .bytes_up = 221391200,
                      .seconds = 75,
                      .confusion = counts,
                      .curve = {0, .5, 1}};
  record.alone = {{.name = "office 1", .accuracy = .5},
                  {.name = "office 2", .accuracy = .75},
                  {.name = "office 3", .accuracy = .25}};
  record.parameters = 553478;
  record.seconds = 3700;
  record.notes = {"2 missing values"};
  return record;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
  return found;
}
bool holds(std::string_view text, std::string_view part) { return count(text, part) > 0; }

/// The page with plain spaces between numbers and their units.
std::string page_of(const run_record& record) {
  std::string page = html_report(record);
  for (auto at = page.find("\u00a0"); at != page.npos; at = page.find("\u00a0", at)) page.replace(at, 2, " ");
  return page;
}

/// The first element that is left open or closed out of turn; empty when there is none.
std::string unbalanced(std::string_view page) {
  const std::set<std::string, std::less<>> alone{"meta", "br", "!doctype"};
  std::vector<std::string> open;
  for (auto at = page.find('<'); at != page.npos; at = page.find('<', at + 1)) {
    const auto end = page.find('>', at);
    if (end == page.npos) return "unfinished tag";
    const bool closing = page[at + 1] == '/';
    std::string name;
    for (auto i = at + 1 + closing; i < end && page[i] != ' ' && page[i] != '/'; ++i) name += page[i];
    if (alone.contains(name) || page[end - 1] == '/') continue;
    if (!closing) {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != name) return name;
      open.pop_back();
    }
  }
  return open.empty() ? "" : open.back();
}

} // namespace

TEST_CASE("a report is one page that needs nothing else") {
  const std::string page = page_of(small_record());
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(unbalanced(page) == "");
  for (const auto outside : {"<script", "<link", "<img", "<iframe",
                             "http:", "https:", "src=", "href=", "url(", "@import", "onload"})
    CHECK_FALSE(holds(page, outside));
  CHECK(holds(page, "default-src 'none'"));
  CHECK(holds(page, "prefers-color-scheme:dark"));
  CHECK(holds(page, "width=device-width"));
}

TEST_CASE("a report says first how the federated model compares") {
  run_record record = small_record();
  record.federated.accuracy = .96;
  const std::string page = page_of(record);
  CHECK(holds(page,
              "3 offices trained one model together. It names 96.0 % of the test examples correctly, "
              "1.0 point below "
              "one model trained on all data in one place and 21.0 points above the best office alone."));
  record.central.accuracy = .96;
  CHECK(holds(page_of(record), "level with one model trained on all data"));
  CHECK(holds(page, "<bdi>office 2</bdi>"));
  record.alone.resize(1);
  CHECK(holds(page_of(record), "<p>1 office trained a model. It names 96.0 %"));
}

TEST_CASE("the accuracy of every round is a point of the curve") {
  const std::string page = page_of(small_record());
  CHECK(holds(page, R"(class="line federated" d="M48 290L322 152L596 14")"));
  CHECK(holds(page, R"(class="line central level" d="M48 22.3H596")")); // 97 % without a curve: a level
  CHECK(holds(page, "<title>Federated, round 2: 50.0 %</title>"));
  CHECK(holds(page, "After 3 rounds: Central 97.0 %, Best alone 75.0 %, Federated 100.0 %."));

  run_record record = small_record();
  record.central.curve = {.5, .75, .5};
  record.alone[1].curve = {.5, .75}; // not a point per round
  const std::string curves = page_of(record);
  CHECK(holds(curves, R"(class="line central" d="M48 152L322 83L596 152")"));
  CHECK(holds(curves, R"(class="line best level")"));
}

TEST_CASE("a round that was not measured leaves a gap in the curve") {
  run_record record = small_record();
  record.federated.curve = {0, .5, unmeasured, 1, 1};
  CHECK(holds(page_of(record), R"(class="line federated" d="M48 290L185 152M459 14L596 14")"));
}

TEST_CASE("labels at the ends of lines keep apart") {
  run_record record = small_record();
  record.central.accuracy = record.federated.curve.back() = record.alone[1].accuracy = .5;
  const std::string page = page_of(record);
  const auto y_of = [&](std::string_view name) {
    const auto label = page.find(concat("\">", name, " 50.0")), y = page.rfind("y=\"", label);
    return std::stod(page.substr(y + 3));
  };
  const double central = y_of("Central"), best = y_of("Best alone"), federated = y_of("Federated");
  CHECK(std::abs(central - best) >= 20);
  CHECK(std::abs(central - federated) >= 20);
  CHECK(std::abs(best - federated) >= 20);
}

TEST_CASE("every model has a bar in both drawings") {
  const std::string page = page_of(small_record());
  CHECK(count(page, "<rect class=\"bar") == 2 * 5);
  CHECK(count(page, "<rect class=\"bar best\"") == 2);
  CHECK(holds(page, R"(<title>office 2: 75.0 %</title><rect class="bar best" x="190" y="116" width="375")"));
}

TEST_CASE("the confusion matrix shows counts and leaves zeros empty") {
  const std::string page = page_of(small_record());
  CHECK(holds(
      page,
      R"(<td class="l6 ok" title="still → still: 75.0 %">30</td><td class="l4" title="still → walking: 25.0 %">10</td><td></td>)"));
  CHECK(holds(page, R"(<td class="l7 ok" title="walking → walking: 100.0 %">1,234</td>)"));
  CHECK(count(page, "<td></td>") == 5);
}

TEST_CASE("every class has its precision, recall and F1") {
  CHECK(holds(page_of(small_record()),
              "<th scope=\"row\">still</th><td>40</td><td>85.7 %</td><td>75.0 %</td><td>80.0 %</td>"));
}

TEST_CASE("numbers carry units that people read") {
  const std::string page = page_of(small_record());
  CHECK(holds(page, "<td>221 MB</td><td>0 B</td><td>1 min 15 s</td>"));
  CHECK(holds(page, "553,478 parameters, 1 h 1 min in all, privet "));

  using namespace detail::page;
  CHECK(byte_count(999) == "999\u00a0B");
  CHECK(byte_count(999'499) == "999\u00a0kB");
  CHECK(byte_count(999'500) == "1.0\u00a0MB");
  CHECK(byte_count(std::numeric_limits<std::uint64_t>::max()) == "18.4\u00a0EB");
  CHECK(duration(.05) == "0.05\u00a0s");
  CHECK(duration(59.96) == "1\u00a0min 0\u00a0s");
  CHECK(duration(unmeasured) == "–");
  CHECK(grouped(0) == "0");
  CHECK(grouped(123) == "123");
  CHECK(grouped(1234567) == "1,234,567");
}

TEST_CASE("axis steps are 1, 2 or 5 times a power of ten") {
  using detail::page::nice_step, detail::page::scale_around;
  CHECK(nice_step(.3) == Approx(.5));
  CHECK(nice_step(1) == 1);
  CHECK(nice_step(1.1) == 2);
  CHECK(nice_step(7) == 10);
  for (double low = 0; low <= 100; low += 3.7)
    for (double high = low; high <= 100; high += 1.3) {
      const auto scale = scale_around(low, high);
      CHECK((scale.low <= low && high <= scale.high && scale.low < scale.high));
      CHECK((scale.low >= 0 && scale.high <= 100));
      CHECK((scale.high - scale.low) / scale.step <= 7.001);
    }
}

TEST_CASE("names from outside stay text") {
  const std::string attack = "<script>alert(1)</script>\"' onload='x' & \xff\u202e";
  const std::string harmless =
      "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=&#39;x&#39; &amp; \ufffd\ufffd";
  run_record record = small_record();
  record.title = record.classes[1] = record.central.name = record.federated.name = record.alone[1].name =
      attack;
  record.settings.push_back({attack, attack});
  record.notes = {attack};
  const std::string page = page_of(record);
  CHECK(count(page, harmless) > 10);
  CHECK_FALSE(holds(page, "<script"));
  CHECK_FALSE(holds(page, "onload='"));
  CHECK_FALSE(holds(page, "\u202e"));
  CHECK(unbalanced(page) == "");
  CHECK_NOTHROW(json_text(json(page))); // throws unless UTF-8
}

TEST_CASE("a report is written whatever was not measured") {
  run_record record;
  CHECK(unbalanced(page_of(record)) == "");
  CHECK(holds(page_of(record), "Federated training"));

  record = small_record();
  record.central.accuracy = record.federated.accuracy = unmeasured;
  record.federated.curve = {unmeasured};
  for (auto& office : record.alone) office.accuracy = unmeasured;
  const std::string page = page_of(record);
  CHECK(unbalanced(page) == "");
  CHECK_FALSE(holds(page, "nan"));
  CHECK_FALSE(holds(page, "class=\"line"));

  for (const std::size_t rounds : {1u, 2u, 3u, 9u, 10u, 18u, 19u, 45u, 1000u}) {
    record = small_record();
    record.federated.curve.assign(rounds, .5);
    record.central.curve.assign(rounds, .5);
    CHECK_FALSE(holds(page_of(record), "nan"));
    CHECK(unbalanced(page_of(record)) == "");
  }
}

TEST_CASE("a report refuses a confusion matrix of other classes") {
  run_record record = small_record();
  record.classes.pop_back();
  CHECK_THROWS_AS(html_report(record), exception);
}

TEST_CASE("a report shows who took part, and whom the model serves least") {
  run_record record = small_record();
  CHECK_FALSE(holds(page_of(record), "Who took part"));
  record.history.resize(3);
  for (auto& round : record.history) round.asked = {{.id = 1, .loss = .5}, {.id = 2}, {.id = 3}};
  record.history[1].asked[1].missing = "[N009 message] client 2: <gone> (client 2)";
  record.history[2].given_up = "too few";
  record.clients = {{.id = 1, .rows = 1000, .accuracy = .9}, {.id = 2, .rows = 20}, {.id = 3, .rows = 5}};
  record.people = {{"person 1", .5}, {"person 2", .7}};
  const std::string page = page_of(record);
  CHECK(unbalanced(page) == "");
  CHECK(holds(page, "<td>1,000</td><td>2 of 3</td><td>0.500</td><td>90.0 %</td>"));
  CHECK(holds(page, "&lt;gone&gt; (1); the round was given up (1)"));
  CHECK(holds(page, "<title>Client 2: answered 1 of 3</title>"));
  CHECK(holds(page, "<title>Client 2: missing</title>"));
  CHECK(holds(page, "Grey: 1 round that was given up"));
  CHECK(holds(page, "Persons of the test examples</th><td>60.0 %</td><td>50.0 %</td><td>50.0 %</td>"));
  CHECK_FALSE(holds(page, "nan"));
}

TEST_CASE("of many clients a report names those that answered least") {
  run_record record = small_record();
  record.history.resize(2);
  for (std::uint32_t id = 1; id <= 100; ++id) {
    record.clients.push_back({.id = id, .rows = 1});
    for (auto& round : record.history) round.asked.push_back({.id = id});
  }
  record.history[1].asked[76].missing = "late";
  const std::string page = page_of(record);
  CHECK(holds(page, "Of 100 clients those 24 that answered least."));
  CHECK(holds(page, "<title>Client 77: missing</title>"));
  CHECK_FALSE(holds(page, "Client 78:"));
  CHECK(unbalanced(page) == "");
}

TEST_CASE("a report of a run that goes on says how far it is") {
  run_record record = small_record();
  record.progress = progress_text("Round", 7, 50, 41.5);
  CHECK(holds(page_of(record), "Round 7 of 50, 0:42 left."));
  CHECK(progress_text("Round", 7, 50, unmeasured) == "Round 7 of 50.");
}

TEST_CASE("a federation that is compared with nothing has no line for it") {
  run_record record = small_record();
  record.central = {.accuracy = unmeasured};
  record.alone.clear();
  const std::string page = page_of(record);
  CHECK_FALSE(holds(page, "Central"));
  CHECK(holds(page, "Federated"));
}
