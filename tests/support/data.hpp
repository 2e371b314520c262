#pragma once
// Where the real data sets lie, and scratch folders for files that tests write.

#include "support/catch.hpp"

#include <privet/core/bytes.hpp>
#include <privet/core/file.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

/// A file or folder of the real data: below $PRIVET_DATA, by default ../shared/data beside the project.
inline std::optional<std::filesystem::path> real_data(std::string_view file) {
  const char* folder = std::getenv("PRIVET_DATA");
  const auto path = (folder ? std::filesystem::path(folder)
                            : std::filesystem::path(PRIVET_PROJECT_ROOT) / "../shared/data") /
                    file;
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? std::optional(path) : std::nullopt;
}

/// Ends a test case, with a warning, when its optional path is empty.
#define SKIP_WITHOUT(path)                               \
  do {                                                   \
    if (!(path)) {                                       \
      WARN("skipped: " #path " is not on this machine"); \
      return;                                            \
    }                                                    \
  } while (false)

/// A new empty folder that goes away with everything in it.
class scratch_folder {
 public:
  scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "privet-test-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::filesystem::filesystem_error("mkdtemp", name,
                                              std::error_code(errno, std::generic_category()));
    path_ = name;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }

  /// Writes a file, with the folders above it, and returns its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    (void)privet::write_file_atomically(path, text).value();
    return path;
  }

 private:
  std::filesystem::path path_;
};
