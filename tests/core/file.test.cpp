#include "support/catch.hpp"

#include <privet/core/file.hpp>

#include <cstdlib>
#include <thread>

using namespace privet;
namespace fs = std::filesystem;

namespace {

/// A folder that is gone after the test.
struct scratch {
  fs::path folder;
  scratch() {
    std::string name = (fs::temp_directory_path() / "privet-file-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
  }
  ~scratch() {
    fs::permissions(folder, fs::perms::owner_all);
    fs::remove_all(folder);
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
  }
};

template <class T>
std::string complaint(const result<T>& outcome) {
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().kind == fault::file);
  return outcome.error().message;
}

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != text.npos; }

} // namespace

TEST_CASE("bytes: numbers survive a writer and a reader, little end first") {
  byte_writer out;
  out.put<std::uint32_t>(0x01020304)
      .put<std::int8_t>(-2)
      .put(1.5f)
      .put(-0.25)
      .put<std::uint64_t>(~0ull)
      .put("tail");
  CHECK(std::to_integer<int>(out.view()[0]) == 4);
  CHECK(std::to_integer<int>(out.view()[3]) == 1);

  byte_reader in(out.view());
  CHECK(in.take<std::uint32_t>().value() == 0x01020304);
  CHECK(in.take<std::int8_t>().value() == -2);
  CHECK(in.take<float>().value() == 1.5f);
  CHECK(in.take<double>().value() == -0.25);
  CHECK(in.take<std::uint64_t>().value() == ~0ull);
  CHECK_FALSE(in.expect_end().has_value());
  CHECK(text_of(in.take_bytes(4).value()) == "tail");
  CHECK(in.expect_end().has_value());
}

TEST_CASE("bytes: a reader that runs short says where and moves nothing") {
  const std::vector<std::byte> three(3);
  byte_reader in(three, "letter");
  CHECK(in.take<std::uint16_t>().has_value());
  CHECK(in.take<std::uint16_t>().error().message ==
        "[N004 format] letter: cut short at byte 2: 1 left, 2 needed");
  CHECK_FALSE(in.take_bytes(static_cast<std::size_t>(-1)).has_value());
  CHECK(in.left() == 1);
  CHECK(in.take<std::uint8_t>().has_value());
}

TEST_CASE("file: what was written is read, and replaced in one step") {
  const scratch here;
  const fs::path path = here.folder / "a.bin";
  for (const std::string& text :
       {std::string("first"), std::string(), std::string("a\0b\r\n", 5), std::string(100'000, 'x')}) {
    REQUIRE(write_file_atomically(path, text).has_value());
    CHECK(read_text(path).value() == text);
    CHECK(text_of(read_file(path).value()) == text);
  }
  CHECK(here.files() == 1);
}

TEST_CASE("file: a name without a folder is written where the program stands") {
  const scratch here;
  const fs::path before = fs::current_path();
  fs::current_path(here.folder);
  const auto written = write_file_atomically("plain", std::string_view("text"));
  const auto text = read_text("plain");
  fs::current_path(before);
  CHECK(written.has_value());
  CHECK(text.value() == "text");
}

TEST_CASE("file: what cannot be read is named with the reason") {
  const scratch here;
  CHECK(contains(complaint(read_file(here.folder / "none")), "none: cannot open: No such file or directory"));
  CHECK(contains(complaint(read_file(here.folder)), "cannot read: Is a directory"));
  CHECK(contains(complaint(read_file("/dev/zero")), "/dev/zero: not a regular file"));
  CHECK(contains(complaint(read_text("")), "cannot open"));

  const fs::path pipe = here.folder / "pipe"; // opening it to read must not wait
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(contains(complaint(read_file(pipe)), "not a regular file"));

  if (::geteuid() != 0) { // root reads everything
    const fs::path secret = here.folder / "secret";
    REQUIRE(write_file_atomically(secret, std::string_view("x")).has_value());
    fs::permissions(secret, fs::perms::none);
    CHECK(contains(complaint(read_file(secret)), "Permission denied"));
  }
}

TEST_CASE("file: the names in a folder are sorted, and some are left out") {
  const scratch here;
  for (const char* name : {"b.txt", "a.txt", "c.bin"})
    REQUIRE(write_file_atomically(here.folder / name, std::string_view("x")));
  fs::create_directory(here.folder / "d.txt");
  const auto texts = [](const fs::directory_entry& entry) {
    return !entry.is_directory() && entry.path().extension() == ".txt";
  };
  CHECK(names_in(here.folder, texts).value() == std::vector<std::string>{"a.txt", "b.txt"});
  CHECK(contains(complaint(names_in(here.folder / "none", texts)),
                 "none: cannot list: No such file or directory"));
}

TEST_CASE("file: the limit is a limit") {
  const scratch here;
  const fs::path path = here.folder / "ten";
  REQUIRE(write_file_atomically(path, std::string_view("0123456789")).has_value());
  CHECK(read_file(path, 10).has_value());
  CHECK(contains(complaint(read_file(path, 9)), "10 bytes, at most 9 are read"));
  CHECK(contains(complaint(read_file(path, 0)), "10 bytes, at most 0 are read"));
  // A file whose size the system does not know beforehand.
  CHECK(read_text("/proc/self/status").value().starts_with("Name:"));
  CHECK_FALSE(read_file("/proc/self/status", 16).has_value());
}

TEST_CASE("file: a write that fails leaves the old file and nothing else") {
  const scratch here;
  CHECK(contains(complaint(write_file_atomically(here.folder / "no" / "a", std::string_view("x"))),
                 "cannot write: No such file or directory"));
  CHECK(contains(complaint(write_file_atomically(here.folder, std::string_view("x"))), "Is a directory"));
  CHECK(contains(complaint(write_file_atomically(here.folder.string() + "/", std::string_view("x"))),
                 "Is a directory"));
  CHECK(contains(complaint(write_file_atomically("", std::string_view("x"))), "not a regular file"));
  CHECK(contains(complaint(write_file_atomically("/dev/null", std::string_view("x"))), "not a regular file"));
  CHECK(contains(complaint(write_file_atomically(here.folder / std::string(300, 'n'), std::string_view("x"))),
                 "File name too long"));
  CHECK(here.files() == 0);

  const fs::path path = here.folder / "old";
  REQUIRE(write_file_atomically(path, std::string_view("old")).has_value());
  if (::geteuid() != 0) {
    fs::permissions(here.folder, fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(contains(complaint(write_file_atomically(path, std::string_view("new"))), "Permission denied"));
    CHECK(read_text(path).value() == "old");
    CHECK(here.files() == 1);
  }
}

TEST_CASE("file: a reader beside two writers never sees half a file") {
  const scratch here;
  const fs::path path = here.folder / "shared";
  const std::string a(20'000, 'a'), b(30'000, 'b');
  REQUIRE(write_file_atomically(path, a).has_value());
  bool all_written = true;
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) all_written = write_file_atomically(path, b).has_value() && all_written;
  });
  for (int i = 0; i < 50; ++i) {
    CHECK(write_file_atomically(path, a).has_value());
    const auto seen = read_text(path).value();
    CHECK((seen == a || seen == b));
  }
  writer.join();
  CHECK(all_written);
  CHECK(here.files() == 1);
}
