#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/uci_har.hpp>

using namespace privet;

namespace {

/// Two rows for training and one for testing, two columns, subjects 1 and 2.
void write_small(const scratch_folder& folder) {
  folder.write("train/X_train.txt", "  2.8858451e-001 -2.0294171e-002\n  1.0000000e+000  0.0000000e+000\n");
  folder.write("train/y_train.txt", "5\n1\n");
  folder.write("train/subject_train.txt", "1\n1\n");
  folder.write("test/X_test.txt", " -1.0000000e+000  5.0000000e-001");
  folder.write("test/y_test.txt", "6\n");
  folder.write("test/subject_test.txt", "2");
}

std::string bytes_of_npy(const npy_array& array) { return std::string(text_of(write_npy(array))); }

/// The same three rows as arrays.
void write_arrays(const scratch_folder& folder) {
  const std::vector<float> x{0.28858451f, -0.020294171f, 1, 0, -1, 0.5f};
  const std::vector<std::uint8_t> y{5, 1, 6}, subject{1, 1, 2};
  folder.write("features561_f32.npy", bytes_of_npy(npy_array::of<float>({3, 2}, x)));
  folder.write("y_u8.npy", bytes_of_npy(npy_array::of<std::uint8_t>({3}, y)));
  folder.write("subject_u8.npy", bytes_of_npy(npy_array::of<std::uint8_t>({3}, subject)));
}

/// The message without the folder in front of file names.
std::string message(const scratch_folder& folder) {
  const auto data = uci_har::read(folder.path());
  if (data) return "";
  std::string text = data.error().message;
  for (const auto prefix = folder.path().string() + '/'; text.find(prefix) != text.npos;)
    text.erase(text.find(prefix), prefix.size());
  return text;
}

} // namespace

TEST_CASE("the text layout and the arrays of uci har give the same data") {
  const scratch_folder text, arrays;
  write_small(text);
  write_arrays(arrays);
  for (const auto* folder : {&text, &arrays}) {
    const auto d = uci_har::read(folder->path()).value();
    d.check();
    CHECK(d.rows() == 3);
    CHECK(d.schema.features == std::vector<std::string>{"feature1", "feature2"});
    CHECK(d.schema.classes == uci_har::activities());
    CHECK(d.labels == std::vector<std::int32_t>{4, 0, 5});
    CHECK(d.groups == std::vector<std::int32_t>{1, 1, 2});
    CHECK(d.features(0, 0) == 0.28858451f);
    CHECK(d.features(0, 1) == -0.020294171f);
    CHECK(d.features(2, 1) == 0.5f);
  }
}

TEST_CASE("names of columns and activities come from the description files") {
  const scratch_folder folder;
  write_small(folder);
  folder.write("features.txt", "1 tBodyAcc-mean()-X\n2 tBodyAcc-mean()-Y\n");
  folder.write("activity_labels.txt", "1 A\n2 B\n3 C\n4 D\n5 E\n6 F\n");
  const auto d = uci_har::read(folder.path()).value();
  CHECK(d.schema.features == std::vector<std::string>{"tBodyAcc-mean()-X", "tBodyAcc-mean()-Y"});
  CHECK(d.schema.classes == std::vector<std::string>{"A", "B", "C", "D", "E", "F"});
  folder.write("features.txt", "1 a\n3 b\n");
  CHECK(message(folder) == "[N004 format] features.txt:2: '3 b', expected '2' and a name");
  folder.write("features.txt", "1 a\n2 b\n3 c\n");
  CHECK(message(folder) == "[N003 shape] train/X_train.txt:1: the row ends after 2 values, expected 3");
}

TEST_CASE("a damaged uci har folder is an error that names the place") {
  const scratch_folder folder;
  CHECK(message(folder).find("[N002 file]") == 0);
  write_small(folder);
  SECTION("empty file") {
    folder.write("test/X_test.txt", "");
    CHECK(message(folder) == "[N004 format] test/X_test.txt: no rows in it");
  }
  SECTION("truncated row") {
    folder.write("train/X_train.txt", "1 2\n3\n");
    CHECK(message(folder) == "[N003 shape] train/X_train.txt:2: the row ends after 1 values, expected 2");
  }
  SECTION("extra column") {
    folder.write("test/X_test.txt", "1 2 3\n");
    CHECK(message(folder) == "[N003 shape] test/X_test.txt:1, column 3: a value too many, expected 2");
  }
  SECTION("NaN and infinity") {
    for (const auto bad : {"nan", "inf", "1e+999", "x"}) {
      folder.write("train/X_train.txt", concat("1 2\n3 ", bad, "\n"));
      CHECK(message(folder) ==
            concat("[N004 format] train/X_train.txt:2, column 2: '", bad, "', expected a finite number"));
    }
  }
  SECTION("labels out of range") {
    for (const int bad : {0, 7, -1}) {
      folder.write("train/y_train.txt", concat("5\n", bad, "\n"));
      CHECK(message(folder) ==
            concat("[N006 label] train/y_train.txt:2: activity ", bad, ", expected 1 to 6"));
    }
  }
  SECTION("too few labels") {
    folder.write("train/y_train.txt", "5\n");
    CHECK(message(folder) == "[N003 shape] train/y_train.txt: 1 rows, but train/X_train.txt has 2");
  }
  SECTION("missing file") {
    std::filesystem::remove(folder.path() / "test/subject_test.txt");
    CHECK(message(folder).find("[N002 file] test/subject_test.txt: cannot open") == 0);
  }
}

TEST_CASE("damaged arrays of uci har are errors") {
  const scratch_folder folder;
  write_arrays(folder);
  SECTION("wrong magic") {
    folder.write("y_u8.npy", "not numpy at all");
    CHECK(message(folder).find("[N004 format] y_u8.npy") == 0);
  }
  SECTION("label out of range") {
    const std::vector<std::uint8_t> y{5, 7, 6};
    folder.write("y_u8.npy", bytes_of_npy(npy_array::of<std::uint8_t>({3}, y)));
    CHECK(message(folder) == "[N006 label] y_u8.npy, element 1: activity 7, expected 1 to 6");
  }
  SECTION("NaN") {
    const std::vector<float> x{0, 0, 0, std::nanf(""), 0, 0};
    folder.write("features561_f32.npy", bytes_of_npy(npy_array::of<float>({3, 2}, x)));
    CHECK(message(folder) == "[N004 format] features561_f32.npy, row 1, column 2: not a finite number");
  }
  SECTION("other sizes") {
    const std::vector<std::uint8_t> subject{1, 1};
    folder.write("subject_u8.npy", bytes_of_npy(npy_array::of<std::uint8_t>({2}, subject)));
    CHECK(message(folder) == "[N003 shape] subject_u8.npy: 2 rows, but features561_f32.npy has 3");
    folder.write("subject_u8.npy", bytes_of_npy(npy_array::of<std::uint8_t>({2, 1}, subject)));
    CHECK(message(folder) == "[N003 shape] subject_u8.npy: 2 dimensions, expected 1");
  }
}

TEST_CASE("the real uci har data has its published counts") {
  const auto folder = real_data("uci_har");
  SKIP_WITHOUT(folder);
  const auto d = uci_har::read(*folder).value();
  d.check();
  CHECK(d.rows() == 10299);
  CHECK(d.columns() == 561);
  CHECK(d.schema.features.front() == "tBodyAcc-mean()-X");
  CHECK(d.schema.features.back() == "angle(Z,gravityMean)");
  CHECK(d.missing() == 0);
  const auto [train, test] = uci_har::split_as_published(d);
  CHECK(train.class_counts() == std::vector<std::size_t>{1226, 1073, 986, 1286, 1374, 1407});
  CHECK(test.class_counts() == std::vector<std::size_t>{496, 471, 420, 491, 532, 537});
  CHECK(groups_of(train).size() == 21);
  CHECK_NOTHROW(refuse_overlap(train, test));

  const auto excerpt = uci_har::read(*folder / "excerpt100").value();
  CHECK(excerpt.rows() == 200);
  CHECK(excerpt.schema == d.schema);
  // python3: numpy.loadtxt of both X files, rounded to float32, summed in double
  double sum = 0;
  for (const float x : as_span(excerpt.features)) sum += x;
  CHECK(sum == Approx(-63161.61590844902).epsilon(1e-12));
}
