#include "support/data.hpp"
#include "support/images.hpp"

#include <privet/data/image_folder.hpp>

using namespace privet;

TEST_CASE("a folder for each class becomes rows of one size") {
  const scratch_folder folder;
  folder.write("dog/2.pgm", "P5 2 2 255\nabcd");
  folder.write("dog/1.PGM", "P5 1 1 255\nz");
  folder.write("cat/x.ppm", "P6 1 1 255\n\x01\x02\x03");
  folder.write("cat/notes.txt", "no image");
  folder.write("cat/.hidden.pgm", "no image");
  folder.write("cat/deeper/x.pgm", "no image");
  folder.write("readme.pgm", "no image");

  const auto gray = image_folder::read(folder.path(), {.shape = {1, 2, 2}}).value();
  gray.check();
  CHECK(gray.schema.classes == std::vector<std::string>{"cat", "dog"});
  CHECK(gray.schema.features == std::vector<std::string>{"pixel0", "pixel1", "pixel2", "pixel3"});
  CHECK(gray.labels == std::vector<std::int32_t>{0, 1, 1});
  CHECK(row(gray.features, 0)[3] == 2 / 255.f); // 0.299 + 0.587 * 2 + 0.114 * 3 = 1.8
  CHECK(row(gray.features, 1)[0] == 'z' / 255.f);
  CHECK(row(gray.features, 2)[3] == 'd' / 255.f);

  const auto colour =
      image_folder::read(folder.path(), {.shape = {3, 1, 1}, .classes = {"dog", "cat"}}).value();
  CHECK(colour.schema.classes == std::vector<std::string>{"dog", "cat"});
  CHECK(colour.labels == std::vector<std::int32_t>{0, 0, 1});
  CHECK(row(colour.features, 2)[1] == 2 / 255.f);

  const auto files = image_folder::list(folder.path()).value();
  CHECK(files.files ==
        std::vector{folder.path() / "cat/x.ppm", folder.path() / "dog/1.PGM", folder.path() / "dog/2.pgm"});
}

TEST_CASE("rows of a folder do not depend on the number of threads, nor does the error") {
  const scratch_folder folder;
  for (int i = 0; i < 20; ++i)
    folder.write(concat("class", i % 3, "/", i, ".pgm"),
                 concat("P5 2 1 255\n", static_cast<char>('a' + i), "x"));
  const image_folder::options one{.shape = {1, 4, 4}, .fit = image_fit::stretch};
  auto many = one;
  many.threads = 4;
  const auto a = image_folder::read(folder.path(), one).value(),
             b = image_folder::read(folder.path(), many).value();
  CHECK(a.labels == b.labels);
  CHECK(std::ranges::equal(as_span(a.features), as_span(b.features)));

  folder.write("class1/1.pgm", "P5 2 1 255\nx");
  folder.write("class2/2.pgm", "");
  const auto why = image_folder::read(folder.path(), one).error().message;
  CHECK(why == concat("[N004 format] ", (folder.path() / "class1/1.pgm").string(),
                      ": 1 bytes of pixels, expected 2 for 2 x 1 of 1"));
  CHECK(image_folder::read(folder.path(), many).error().message == why);
}

TEST_CASE("what a folder lacks is an error with its name") {
  const scratch_folder folder;
  CHECK(image_folder::read(folder.path() / "none").error().kind == fault::file);
  CHECK(image_folder::read(folder.path()).error().message ==
        concat("[N006 label] ", folder.path().string(), ": no folders, expected one for each class"));
  folder.write("cat/readme.txt", "");
  CHECK(image_folder::read(folder.path()).error().message ==
        concat("[N006 label] ", (folder.path() / "cat").string(), ": no images, expected at least 1"));
  folder.write("cat/a.pgm", "P5 1 1 255\na");
  CHECK(image_folder::read(folder.path(), {.classes = {"dog"}}).error().message ==
        concat("[N006 label] ", folder.path().string(), ": no folder 'dog' among its 1, such as 'cat'"));
  CHECK(image_folder::read(folder.path(), {.shape = {2, 8, 8}}).error().kind == fault::argument);
  CHECK(image_folder::read(folder.path(), {.shape = {1, 0, 8}}).error().kind == fault::argument);
  // Without the gateway a PNG is known, but not read.
  folder.write("cat/b.png", "\x89PNG\r\n\x1a\n");
  CHECK(image_folder::read(folder.path()).error().message ==
        concat("[N011 unsupported] ", (folder.path() / "cat/b.png").string(),
               ": a file in PNG, expected PGM or PPM in bytes (P5, P6)"));
}
