#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/heart_disease.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>

#include <algorithm>
#include <cmath>
#include <string>

using namespace privet;

namespace {

constexpr std::string_view patient = "63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0\n";

std::string message(std::string_view text) {
  const auto data = heart_disease::parse(text, 0, "h.data");
  return data ? "" : data.error().message;
}

std::size_t column_of(const dataset<>& data, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(data.schema.features, name) -
                                  data.schema.features.begin());
}

} // namespace

TEST_CASE(
    "heart disease: 63.0 and 63 are the same, num becomes yes or no, a zero that nobody has is missing") {
  const auto d =
      heart_disease::parse(
          concat(patient, "63,1,1,145,233,1,2,150,0,2.3,3,0,6,4\r\n", "35,0,4,0,0,?,0,127,0,.7,1,?,?,1\n"), 2)
          .value();
  d.check();
  REQUIRE(d.rows() == 3);
  CHECK(d.schema == heart_disease::schema());
  CHECK(std::ranges::equal(row(d.features, 0), row(d.features, 1)));
  CHECK(d.labels == std::vector<std::int32_t>{0, 1, 1});
  CHECK(d.groups == std::vector<std::int32_t>{2, 2, 2});
  CHECK(d.features(2, 9) == 0.7f);
  CHECK(d.features(2, 1) == 0); // a woman is not a missing value
  CHECK(std::isnan(d.features(2, 3)));
  CHECK(std::isnan(d.features(2, 4)));
  CHECK(d.missing() == 5); // trestbps, chol, fbs, ca, thal
}

TEST_CASE("a damaged heart disease file is an error that names the place and both sides") {
  CHECK(message("") == "[N004 format] h.data: no rows");
  CHECK(message("63,1,1\n") == "[N003 shape] h.data:1: 3 values, expected 14");
  CHECK(message(concat(patient, "\n", "63,1,1,145,233,1,2,150,0,2.3,3,0,6,0,9\n")) ==
        "[N003 shape] h.data:3: 15 values, expected 14");
  CHECK(message(concat(patient, "63,1,1,high,233,1,2,150,0,2.3,3,0,6,0\n")) ==
        "[N004 format] h.data:2, column 4 'trestbps': 'high', expected a finite number or '?'");
  CHECK(message("nan,1,1,145,233,1,2,150,0,2.3,3,0,6,0\n")
            .starts_with("[N004 format] h.data:1, column 1 'age': 'nan'"));
  CHECK(message("63,1,5,145,233,1,2,150,0,2.3,3,0,6,0\n") ==
        "[N004 format] h.data:1, column 3 'cp': '5', expected one of the codes 1234");
  CHECK(message("63,1,1,145,233,1,2,150,0,2.3,3,0,6.5,0\n")
            .starts_with("[N004 format] h.data:1, column 13 'thal': '6.5', expected one of the codes 367"));
  CHECK(message("63,1,1,145,233,1,2,150,0,2.3,3,0,6,?\n") ==
        "[N006 label] h.data:1, column 14 'num': '?', expected a diagnosis from 0 to 4");
  CHECK(heart_disease::parse("63,1,1,145,233,1,2,150,0,2.3,3,0,6,5\n", 0, "h.data").error().kind ==
        fault::label);
  CHECK(message("63,1,1,145,233,1,2,150,0,2.3,3,0,6,5\n") ==
        "[N006 label] h.data:1, column 14 'num': '5', expected one of the codes 01234");
  CHECK(heart_disease::parse(patient, 4).error().message.starts_with("[N001 argument] heart: site 4"));
  CHECK(heart_disease::read("no/such/folder").error().kind == fault::file);
}

TEST_CASE("heart disease: four files in a folder become one data set with a site per row") {
  const scratch_folder folder;
  for (const auto name : heart_disease::file_names) folder.write(name, patient);
  const auto d = heart_disease::read(folder.path()).value();
  d.check();
  CHECK(d.groups == std::vector<std::int32_t>{0, 1, 2, 3});
  folder.write(heart_disease::file_names[2], "63,1\n");
  CHECK(heart_disease::read(folder.path()).error().message.find("processed.switzerland.data:1: 2 values") !=
        std::string::npos);
}

TEST_CASE("heart disease: codes become columns of 0 and 1, and what is missing can be seen") {
  const auto d = heart_disease::parse(concat(patient, "35,0,4,0,0,?,0,127,0,.7,1,?,?,1\n"), 0).value();
  const auto e = heart_disease::expanded(d);
  e.check();
  CHECK(e.columns() == 31); // 9 as they are, 13 codes, 9 signs of a missing value
  const auto at = [&](std::size_t r, std::string_view name) { return e.features(r, column_of(e, name)); };
  CHECK(at(0, "age") == 63);
  CHECK(at(0, "cp=1") == 1);
  CHECK(at(0, "cp=4") == 0);
  CHECK(at(1, "cp=4") == 1);
  CHECK(at(0, "thal=6") == 1);
  CHECK(at(1, "thal=3") + at(1, "thal=6") + at(1, "thal=7") == 0);
  CHECK(at(1, "thal missing") == 1);
  CHECK(at(0, "thal missing") == 0);
  CHECK(at(1, "chol missing") == 1);
  CHECK(std::isnan(at(1, "chol")));
  CHECK(e.labels == d.labels);
  CHECK_THROWS_WITH(heart_disease::expanded(e),
                    Catch::Contains("[N005") && Catch::Contains("'cp=1' here, 'cp' there"));
}

TEST_CASE("heart disease: public ranges bound every value and leave none missing") {
  const auto d = heart_disease::parse(concat(patient, "95,0,4,0,999,?,0,127,0,-60,1,?,?,1\n"), 0).value();
  const auto p = heart_disease::by_public_ranges(d);
  p.check();
  CHECK(p.missing() == 0);
  for (const float x : as_span(p.features)) CHECK(std::abs(x) <= 2.5f);
  const auto at = [&](std::size_t r, std::string_view name) { return p.features(r, column_of(p, name)); };
  CHECK(at(0, "age") == Approx(0.8));
  CHECK(at(1, "age") == 2.5f);
  CHECK(at(1, "oldpeak") == -2.5f);
  CHECK(at(0, "sex") == 1);
  CHECK(at(1, "sex") == -1);
  CHECK(at(1, "fbs") == 0);
  CHECK(at(1, "fbs missing") == 1);
  CHECK(at(1, "trestbps") == 0);
  CHECK_FALSE(p.schema.scaling.empty()); // so that no standardiser scales it again
  CHECK_THROWS(standardiser::fit(p).apply(p));
}

TEST_CASE("the published heart disease files have their published counts") {
  const auto path = real_data("heart_disease");
  SKIP_WITHOUT(path);
  const auto d = heart_disease::read(*path).value();
  d.check();
  CHECK(d.rows() == 920);
  const std::vector<std::vector<std::size_t>> healthy_and_ill{{164, 139}, {188, 106}, {8, 115}, {51, 149}};
  const std::size_t question_marks[]{6, 782, 273, 698};
  // and the zeros: a cholesterol in Switzerland (123) and Long Beach (49), one blood pressure there
  const std::size_t zeros[]{0, 0, 123, 50};
  for (std::size_t s = 0; s < heart_disease::site_names.size(); ++s) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t r = 0; r < d.rows(); ++r)
      if (d.groups[r] == static_cast<std::int32_t>(s)) rows.push_back(r);
    const auto site = d.select(rows);
    CHECK(site.class_counts() == healthy_and_ill[s]);
    CHECK(site.missing() == question_marks[s] + zeros[s]);
  }
  CHECK(heart_disease::by_public_ranges(d).missing() == 0);
}
