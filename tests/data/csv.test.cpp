#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/csv.hpp>

#include <cmath>

using namespace privet;

namespace {

std::vector<float> values(const dataset<>& d) {
  return {as_span(d.features).begin(), as_span(d.features).end()};
}

std::string message(std::string_view text, const csv::options& how = {}) {
  const auto data = csv::parse(text, how, "t.csv");
  if (data) data->check();
  return data ? "" : data.error().message;
}

} // namespace

TEST_CASE("a table is read with its header and without") {
  for (const std::string head : {"", "a,b,y\n"}) {
    const auto d = csv::parse(head + "1,2.5,no\n-3,4e1,yes\n").value();
    d.check();
    CHECK(values(d) == std::vector<float>{1, 2.5f, -3, 40});
    CHECK(d.labels == std::vector<std::int32_t>{0, 1});
    CHECK(d.schema.classes == std::vector<std::string>{"no", "yes"});
    CHECK(d.schema.features == (head.empty() ? std::vector<std::string>{"column1", "column2"}
                                             : std::vector<std::string>{"a", "b"}));
    CHECK(d.groups.empty());
  }
  CHECK(csv::parse("1,x\n2,y\n", {.header = csv::header::yes}).value().schema.features ==
        std::vector<std::string>{"1"});
  CHECK(csv::parse("1,x\n2,y\n", {.names = {"age", "who"}}).value().schema.features ==
        std::vector<std::string>{"age"});
  CHECK(csv::parse("a,b\nc,d\n").value().rows() == 2);
}

TEST_CASE("separators, line ends, blanks, a byte order mark and quotes are understood") {
  for (const std::string text :
       {"a,b,y\n1,2,p\n3,4,q\n", "a;b;y\r\n1;2;p\r\n3;4;q\r\n", "a\tb\ty\n1\t2\tp\n3\t4\tq",
        "\xEF\xBB\xBF a , b, y\n\n 1, 2 ,p\n3 ,4, q \n  \n",
        "\"a\",\"b\",\"y\"\n\"1\",2,\"p\"\r\n3,\"4\",q\r"}) {
    INFO(text);
    const auto d = csv::parse(text).value();
    CHECK(values(d) == std::vector<float>{1, 2, 3, 4});
    CHECK(d.schema.features == std::vector<std::string>{"a", "b"});
    CHECK(d.schema.classes == std::vector<std::string>{"p", "q"});
  }
  const auto d = csv::parse("x,y\n1,\"say \"\"hi, you\"\"\"\n2,\"two\nlines\"\n3, \" kept \" \n").value();
  CHECK(d.schema.classes == std::vector<std::string>{" kept ", "say \"hi, you\"", "two\nlines"});
  CHECK(message("x,y\n1,\"two\nlines\"\nz,b\n").starts_with("[N004 format] t.csv:4, column 1 'x': 'z'"));
}

TEST_CASE("text columns become one column per category, sorted, and numbers that are names can too") {
  const auto d =
      csv::parse("kind,code,y\nwool,10,a\nflax,9,a\n?,10,b\nwool,9,b\n", {.nominal = {"code"}}).value();
  CHECK(d.schema.features == std::vector<std::string>{"kind=flax", "kind=wool", "code=9", "code=10"});
  CHECK(row(d.features, 0)[0] == 0);
  CHECK(row(d.features, 0)[1] == 1);
  CHECK(row(d.features, 0)[3] == 1);
  CHECK(row(d.features, 1)[2] == 1);
  CHECK(std::isnan(row(d.features, 2)[0]));
  CHECK(std::isnan(row(d.features, 2)[1]));
  CHECK(d.missing() == 2);
}

TEST_CASE("label, group and dropped columns are chosen by name") {
  const csv::options how{.label_column = "y", .group_column = "who", .drop = {"id"}};
  const auto d = csv::parse("id,y,a,who\n1,10,5,-3\n2,9,6,44\n", how).value();
  CHECK(values(d) == std::vector<float>{5, 6});
  CHECK(d.groups == std::vector<std::int32_t>{-3, 44});
  CHECK(d.schema.classes == std::vector<std::string>{"9", "10"}); // by value
  CHECK(d.labels == std::vector<std::int32_t>{1, 0});
  CHECK(message("id,y,a,who\n1,10,5,bob\n", how).ends_with("'bob', expected a whole number for a group"));
  CHECK(message("id,y,a\n1,10,5\n", how).starts_with("[N005 schema] t.csv: no column 'who' among 3"));
  CHECK(message("1,2\n", {.drop = {"column1"}}).ends_with("no columns of features are left"));
}

TEST_CASE("an office without some class or category agrees with the others through a given schema") {
  const auto first = csv::parse("kind,n,y\nwool,1,a\nflax,2,b\n").value();
  const csv::options like{.like = first.schema};
  const auto second = csv::parse("kind,n,y\nwool,?,b\n", like).value();
  CHECK(second.schema == first.schema);
  CHECK(second.class_counts() == std::vector<std::size_t>{0, 1});
  CHECK(row(second.features, 0)[0] == 0);
  CHECK(row(second.features, 0)[1] == 1);
  CHECK(message("kind,n,y\nsilk,1,a\n", like)
            .starts_with("[N005 schema] t.csv:2, column 1 'kind': 'silk' is none of the 2"));
  CHECK(message("kind,n,y\nwool,1,c\n", like)
            .starts_with("[N006 label] t.csv:2, column 3 'y': 'c' is none of the 2 classes"));
  CHECK(message("kind,m,y\nwool,1,a\n", like) ==
        "[N005 schema] t.csv against the given schema: column 3: 'm' here, 'n' there");
  CHECK(message("kind,n,y\nwool,x,a\n", {.header = csv::header::yes, .like = first.schema})
            .starts_with("[N004 format]"));

  const csv::options classes{.classes = {"b", "a"}};
  CHECK(csv::parse("1,a\n", classes).value().labels == std::vector<std::int32_t>{1});
  CHECK(message("1,c\n", classes).starts_with("[N006 label] t.csv:1, column 2"));
}

TEST_CASE("a damaged table is an error that names file, line, column and both sides") {
  CHECK(message("") == "[N004 format] t.csv: no rows in it");
  CHECK(message("\n \n") == "[N004 format] t.csv: no rows in it");
  CHECK(message("a,y\n", {.header = csv::header::yes}) == "[N004 format] t.csv: no rows below the header");
  CHECK(message("a,b,y\n1,2,p\n1,2\n") == "[N003 shape] t.csv:3: the row ends after 2 values, expected 3");
  CHECK(message("a,b,y\n1,2,p,9\n") == "[N003 shape] t.csv:2, column 4: a value too many, expected 3");
  CHECK(message("a,y\n1,p\nx,p\n") ==
        "[N004 format] t.csv:3, column 1 'a': 'x', expected a finite number as in line 2");
  for (const std::string bad : {"nan", "inf", "-inf", "1e39"})
    CHECK(message("a,y\n1,p\n" + bad + ",p\n").starts_with("[N004 format] t.csv:3, column 1 'a': '" + bad));
  CHECK(message("a,y\n1,?\n").starts_with("[N006 label] t.csv:2, column 2 'y': '?', expected a class"));
  CHECK(message("a,a,y\n1,2,p\n").starts_with("[N004 format] t.csv:1, column 2 'a': the name is used twice"));
  CHECK(message("a,y\n1,\"p\n") == "[N004 format] t.csv:2, column 2: the quote is never closed");
  CHECK(message("a,y\n1,\"p\"q\n") ==
        "[N004 format] t.csv:2, column 2: 'q' after a closing quote, expected ','");
  CHECK(message("1,2,3\n", {.names = {"a"}}).starts_with("[N003 shape] t.csv:1: 3 columns, but 1 names"));
  CHECK(
      message("u,p\nv,p\nw,p\n", {.most_categories = 2}).starts_with("[N011 unsupported] t.csv:3, column 1"));
  CHECK(csv::read("no/such/file.csv").error().kind == fault::file);
}

TEST_CASE("the published tables have their published counts") {
  const auto adult = real_data("adult"), heart = real_data("heart_disease"),
             breast = real_data("breast_cancer/wdbc.data");
  SKIP_WITHOUT(adult);
  SKIP_WITHOUT(heart);
  SKIP_WITHOUT(breast);

  const auto train = csv::read(*adult / "adult.data").value();
  CHECK(train.rows() == 32561);
  CHECK(train.columns() == 6 + 99); // six numeric columns, eight nominal ones
  CHECK(train.schema.classes == std::vector<std::string>{"<=50K", ">50K"});
  CHECK(train.class_counts() == std::vector<std::size_t>{24720, 7841});
  const csv::options as_train{.like = train.schema, .skip_lines = 1, .trim_label = "."};
  const auto test = csv::read(*adult / "adult.test", as_train).value();
  CHECK(test.schema == train.schema);
  CHECK(test.class_counts() == std::vector<std::size_t>{12435, 3846});
  const auto rows_with_missing = [](const dataset<>& d) {
    std::size_t count = 0;
    for (std::size_t r = 0; r < d.rows(); ++r) {
      const auto x = row(d.features, r);
      count += std::any_of(x.begin(), x.end(), [](float v) { return std::isnan(v); });
    }
    return count;
  };
  CHECK(rows_with_missing(train) == 2399);
  CHECK(rows_with_missing(test) == 1221);

  const csv::options five{.classes = {"0", "1", "2", "3", "4"}};
  const auto hospital = [&](const char* name) {
    return csv::read(*heart / concat("processed.", name, ".data"), five).value();
  };
  CHECK(hospital("cleveland").class_counts() == std::vector<std::size_t>{164, 55, 36, 35, 13});
  CHECK(hospital("hungarian").class_counts() == std::vector<std::size_t>{188, 106, 0, 0, 0});
  CHECK(hospital("switzerland").missing() == 273);
  CHECK(hospital("va").missing() == 698);
  CHECK(first_difference(hospital("cleveland").schema, hospital("va").schema) == std::nullopt);

  const auto cells = csv::read(*breast, {.label_column = "column2", .drop = {"column1"}}).value();
  CHECK(cells.columns() == 30);
  CHECK(cells.class_counts() == std::vector<std::size_t>{357, 212});
}
