#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/cifar.hpp>

#include <numeric>
#include <string>

using namespace privet;

namespace {

/// A record: the labels, then pixels that count up from `first`, modulo 256.
std::string record(std::initializer_list<int> labels, int first = 0) {
  std::string bytes;
  for (const int label : labels) bytes += static_cast<char>(label);
  for (int i = 0; i < 3072; ++i) bytes += static_cast<char>(first + i);
  return bytes;
}

error refused(const std::string& bytes, const cifar10::options& wanted = {}) {
  return cifar10::parse(bytes_of(bytes), wanted).error();
}

} // namespace

TEST_CASE("CIFAR-10 records become rows by channel, row and column") {
  std::string red_first(3072, '\0'); // red 255 at (0, 1), green 51 at (1, 0), blue 102 at (31, 31)
  red_first[1] = '\xff';
  red_first[1024 + 32] = '\x33';
  red_first[2048 + 1023] = '\x66';
  const auto d = cifar10::parse(bytes_of(record({9}) + '\0' + red_first)).value();
  d.check();
  CHECK(d.rows() == 2);
  CHECK(d.columns() == 3072);
  CHECK(d.schema.features[1] == "red1");
  CHECK(d.schema.features[1024 + 32] == "green32");
  CHECK(d.schema.features[3071] == "blue1023");
  CHECK(d.labels == std::vector<std::int32_t>{9, 0});
  CHECK(d.schema.classes[9] == "truck");
  CHECK(row(d.features, 0)[255] == 1);
  CHECK(row(d.features, 0)[256] == 0);
  const auto image = row(d.features, 1);
  CHECK(image[1] == 1);
  CHECK(image[1024 + 32] == 0.2f);
  CHECK(image[3071] == 0.4f);
  CHECK(std::accumulate(image.begin(), image.end(), 0.0) == Approx(1.6));
}

TEST_CASE("a choice of CIFAR classes keeps their rows and renames their labels") {
  const auto bytes = record({5}, 1) + record({0}) + record({3}, 7) + record({5}, 2);
  const auto d = cifar10::parse(bytes_of(bytes), {.classes = {"cat", "dog", "horse"}}).value();
  d.check();
  CHECK(d.schema.classes == std::vector<std::string>{"cat", "dog", "horse"});
  CHECK(d.labels == std::vector<std::int32_t>{1, 0, 1});
  CHECK(row(d.features, 1)[0] == 7 / 255.f);
  CHECK(row(d.features, 2)[0] == 2 / 255.f);
  CHECK(d.class_counts() == std::vector<std::size_t>{1, 2, 0});
  CHECK(cifar10::parse(bytes_of(record({0})), {.classes = {"cat"}}).value().rows() == 0);

  CHECK(refused(bytes, {.classes = {"cat", "lizard"}}).message ==
        "[N006 label] CIFAR-10: no class 'lizard' among its 10, such as 'airplane' and 'truck'");
  CHECK(refused(bytes, {.classes = {"cat", "cat"}}).kind == fault::argument);
}

TEST_CASE("CIFAR-100 has a coarse and a fine label") {
  const auto bytes = record({0, 4}) + record({19, 81}); // an aquatic mammal: beaver; vehicles 2: streetcar
  const auto fine = cifar100::parse(bytes_of(bytes)).value(),
             coarse = cifar100::parse(bytes_of(bytes), {.coarse = true}).value();
  CHECK(fine.classes() == 100);
  CHECK(fine.schema.classes[4] == "beaver");
  CHECK(fine.schema.classes[81] == "streetcar");
  CHECK(fine.labels == std::vector<std::int32_t>{4, 81});
  CHECK(coarse.labels == std::vector<std::int32_t>{0, 19});
  CHECK(coarse.schema.classes ==
        std::vector<std::string>(cifar100::coarse_classes.begin(), cifar100::coarse_classes.end()));
  CHECK(std::ranges::is_sorted(cifar100::classes));
  CHECK(row(coarse.features, 0)[255] == 1);
  CHECK(cifar100::parse(bytes_of(bytes), {.classes = {"streetcar"}}).value().labels ==
        std::vector<std::int32_t>{0});

  CHECK(cifar100::parse(bytes_of(record({20, 4}))).error().message ==
        "[N006 label] CIFAR-100, record 0, byte 0: label 20, expected 0 to 20 - 1");
  CHECK(cifar100::parse(bytes_of(record({0, 4}) + record({0, 100})), {.coarse = true}).error().message ==
        "[N006 label] CIFAR-100, record 1, byte 3075: label 100, expected 0 to 100 - 1");
}

TEST_CASE("a damaged CIFAR file is an error with place and both sides") {
  CHECK(refused("").message == "[N004 format] CIFAR-10: 0 bytes, expected records of 3073");
  CHECK(refused(record({1}) + record({2}).substr(1)).message ==
        "[N003 shape] CIFAR-10: record 1 has 3072 bytes, expected 3073 as each record of CIFAR-10 has");
  CHECK(refused(record({1}) + "x").kind == fault::shape);
  CHECK(refused(record({1}) + record({10})).message ==
        "[N006 label] CIFAR-10, record 1, byte 3073: label 10, expected 0 to 10 - 1");
  // A label that is out of range is an error in a choice of classes, too.
  CHECK(refused(record({200}), {.classes = {"cat"}}).kind == fault::label);
}

TEST_CASE("a CIFAR folder has its test set apart") {
  const scratch_folder folder;
  folder.write("data_batch_2.bin", record({2}, 2));
  folder.write("data_batch_1.bin", record({1}, 1) + record({7}));
  folder.write("batches.meta.txt", "airplane\n");
  CHECK(cifar10::read_folder(folder.path()).error().message ==
        concat("[N002 file] ", folder.path().string(),
               ": 0 files test_batch*.bin, expected the 1 test set of CIFAR-10"));
  const auto test = folder.write("test_batch.bin", record({3}));
  const auto [train, held_out] = cifar10::read_folder(folder.path()).value();
  CHECK(train.labels == std::vector<std::int32_t>{1, 7, 2}); // in the order of the names
  CHECK(held_out.labels == std::vector<std::int32_t>{3});
  folder.write("test_batch_again.bin", record({3}));
  CHECK(cifar10::read_folder(folder.path()).error().kind == fault::file);

  CHECK(cifar10::read({test, test}).value().rows() == 2);
  CHECK(cifar10::read({folder.path() / "none"}).error().kind == fault::file);
  CHECK(cifar10::read({}).error().kind == fault::argument);
  CHECK(cifar10::read_folder(folder.path() / "none").error().kind == fault::file);
  CHECK(cifar10::read_folder(folder.path() / "test_batch.bin").error().kind == fault::file);
  CHECK(cifar100::read_folder(folder.path()).error().kind == fault::file);
}

TEST_CASE("the published CIFAR-10 batch has its published counts") {
  const auto folder = real_data("cifar10");
  SKIP_WITHOUT(folder);
  const auto all = cifar10::read({*folder / "data_batch_1.bin"}).value();
  CHECK(all.class_counts() ==
        std::vector<std::size_t>{1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981});
  CHECK(std::vector<std::int32_t>(all.labels.begin(), all.labels.begin() + 8) ==
        std::vector<std::int32_t>{6, 9, 9, 4, 1, 1, 2, 7});
  // The means that are printed everywhere are those of five batches; one comes near.
  constexpr double means[] = {0.4914, 0.4822, 0.4465};
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (std::size_t r = 0; r < all.rows(); ++r)
      for (std::size_t i = 0; i < 1024; ++i) sum += static_cast<double>(row(all.features, r)[c * 1024 + i]);
    CHECK(sum / (1024.0 * static_cast<double>(all.rows())) == Approx(means[c]).margin(0.005));
  }

  const auto [train, test] =
      cifar10::read_folder(*folder, {.classes = {"cat", "dog", "horse", "ship"}}).value();
  CHECK(train.class_counts() == std::vector<std::size_t>{1016, 937, 1001, 1025});
  CHECK(test.classes() == 4);
  CHECK(test.labels[0] == 0); // 3 8 8 0 6 6 1 6: a cat, two ships
  CHECK(test.labels[1] == 3);
  CHECK(test.labels[2] == 3);
}
