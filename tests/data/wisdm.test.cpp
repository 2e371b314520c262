#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/wisdm.hpp>

using namespace privet;

namespace {

/// A small file in the form of the published one, with two users.
std::string small_file(std::string_view rows) {
  std::string text =
      "@relation activity\r\n\r\n@attribute \"UNIQUE_ID\" numeric\r\n@attribute \"user\" {\"33\" , \"7\"} "
      "\r\n";
  for (const auto& name : wisdm_feature_names) text += concat("@attribute \"", name, "\" numeric\r\n");
  text +=
      "@attribute class{ \"Walking\" , \"Jogging\" , \"Upstairs\" , \"Downstairs\" , \"Sitting\" , "
      "\"Standing\" }\r\n\r\n@data\r\n";
  return text.append(rows);
}

/// A row whose 43 features are `fill` but for the last.
std::string line(std::string_view user, std::string_view fill, std::string_view last,
                 std::string_view label) {
  std::string text = concat("1,", user);
  for (int i = 0; i < 42; ++i) text += concat(',', fill);
  return text + concat(',', last, ',', label, "\r\n");
}

std::string message(std::string_view text) {
  const auto data = wisdm::parse(text, "w.arff");
  return data ? "" : data.error().message;
}

} // namespace

TEST_CASE("wisdm rows lose the row number and the user, who becomes the group") {
  const auto d =
      wisdm::parse(small_file(line("7", "0.5", "?", "Sitting") + line("33", "2", "-3", "Walking"))).value();
  d.check();
  REQUIRE(d.rows() == 2);
  CHECK(d.schema == wisdm::schema());
  CHECK(d.groups == std::vector<std::int32_t>{7, 33});
  CHECK(d.labels == std::vector<std::int32_t>{4, 0});
  CHECK(d.features(0, 0) == 0.5f);
  CHECK(std::isnan(d.features(0, 42)));
  CHECK(d.features(1, 42) == -3);
  CHECK(d.missing() == 1);
}

TEST_CASE("a damaged wisdm file is an error that names the place") {
  CHECK(message("").starts_with("[N004 format] w.arff"));
  CHECK(message(small_file("")).starts_with("[N004 format] w.arff: no rows"));
  CHECK(message(small_file(line("7", "0", "1", "Flying")))
            .starts_with("[N006 label] w.arff:51, column 46 'class': 'Flying'"));
  CHECK(message(small_file(line("8", "0", "1", "Walking")))
            .starts_with("[N006 label] w.arff:51, column 2 'user': '8'"));
  CHECK(message(small_file(line("?", "0", "1", "Walking")))
            .starts_with("[N006 label] w.arff:51, column 2 'user': '?'"));
  CHECK(
      message(small_file(line("7", "0", "1", "?"))).starts_with("[N006 label] w.arff:51, column 46 'class'"));
  CHECK(message(small_file(line("7", "0", "nan", "Walking")))
            .starts_with("[N004 format] w.arff:51, column 45 'RESULTANT': 'nan'"));
  CHECK(message(small_file("1,7,0.5\r\n"))
            .starts_with("[N003 shape] w.arff:51: the row ends after 3 values, expected 46"));
  CHECK(
      message(small_file(line("7", "0", "1,1", "Walking"))).starts_with("[N006 label] w.arff:51, column 46"));
  CHECK(message("@attribute x real\n@data\n1\n").starts_with("[N005 schema] w.arff: no attribute 'user'"));
  CHECK(
      message("@attribute user {1}\n@attribute Y0 real\n@attribute class {Walking}\n@data\n1,1,Walking\n") ==
      "[N005 schema] w.arff against WISDM v1.1: column 1: 'Y0' here, 'X0' there");
  CHECK(wisdm::read("no/such/file.arff").error().kind == fault::file);
  CHECK(wisdm::read(scratch_folder().path()).error().kind == fault::file);
}

TEST_CASE("the published wisdm file has its published counts") {
  const auto path = real_data("wisdm/WISDM_ar_v1.1_transformed.arff");
  SKIP_WITHOUT(path);
  const auto d = wisdm::read(*path).value();
  d.check();
  CHECK(d.rows() == 5418);
  CHECK(d.columns() == 43);
  CHECK(d.class_counts() == std::vector<std::size_t>{2081, 1625, 632, 528, 306, 246});
  const auto users = groups_of(d);
  CHECK(users.size() == 36);
  CHECK(users.front() == 1);
  CHECK(users.back() == 36);
  const auto missing = missing_by_column(d);
  CHECK(missing[33] == 381); // XPEAK
  CHECK(missing[34] == 131); // YPEAK
  CHECK(missing[35] == 103); // ZPEAK
  CHECK(d.missing() == 615);
  for (std::size_t i = 0; i < d.rows(); ++i) REQUIRE(d.features(i, 30) == 0); // XAVG

  // python3: the sum of float32 values of the 43 columns, '?' left out
  double sum = 0;
  for (const float x : as_span(d.features)) sum += std::isnan(x) ? 0 : x;
  CHECK(sum == Approx(26005292.160691634).epsilon(1e-12));
}
