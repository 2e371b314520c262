#pragma once
// Whole files in and out (POSIX). A written file is there completely or not at all.

#include <privet/core/bytes.hpp>
#include <privet/core/result.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

namespace privet {

/// Files larger than this are refused unless the caller names another limit.
inline constexpr std::size_t file_limit = std::numeric_limits<std::uint32_t>::max();

namespace detail {

inline error file_error(const std::filesystem::path& path, std::string_view what, int reason) {
  return error::of(fault::file, path.string(), ": ", what, ": ", std::generic_category().message(reason));
}

/// An open file that closes itself.
class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { close(); }

  operator int() const noexcept { return number_; }
  /// False if the system reports a late write error.
  bool close() noexcept { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

/// Creates a new hidden file in the folder of `path` and leaves its name in `part`.
inline int create_beside(const std::filesystem::path& path, std::filesystem::path& part) {
  static std::atomic<std::uint64_t> count{0};
  for (;;) {
    part = path.parent_path() / concat(".privet-", ::getpid(), '-', count++, ".part");
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST) return file;
  }
}

inline status write_and_sync(int file, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const auto count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(path, "cannot write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  if (::fsync(file) != 0) return file_error(path, "cannot write", errno);
  return nothing{};
}

/// Makes a rename in this folder survive a power cut, where the file system can.
inline status sync_folder(const std::filesystem::path& folder) {
  const descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle < 0) return nothing{}; // writable but not readable: the rename itself stands
  if (::fsync(handle) != 0 && errno != EINVAL) return file_error(folder, "cannot sync", errno);
  return nothing{};
}

} // namespace detail

/// The bytes of a regular file.
///
/// Errors  N002: no such file, no permission, a folder or device, more than `limit` bytes
inline result<std::vector<std::byte>> read_file(const std::filesystem::path& path,
                                                std::size_t limit = file_limit) {
  // Without O_NONBLOCK opening a pipe would wait for somebody to write into it.
  const detail::descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file < 0) return detail::file_error(path, "cannot open", errno);
  struct stat facts {};
  if (::fstat(file, &facts) != 0) return detail::file_error(path, "cannot read", errno);
  if (S_ISDIR(facts.st_mode)) return detail::file_error(path, "cannot read", EISDIR);
  if (!S_ISREG(facts.st_mode)) return error::of(fault::file, path.string(), ": not a regular file");

  const auto too_large = [&](auto size) {
    return error::of(fault::file, path.string(), ": ", size, " bytes, at most ", limit, " are read");
  };
  if (std::cmp_greater(facts.st_size, limit)) return too_large(facts.st_size);

  // One byte more than expected shows whether the file grew meanwhile.
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size) + 1);
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size()) {
      if (filled > limit) return too_large(filled);
      bytes.resize(filled + std::max<std::size_t>(filled, 4096));
    }
    const auto count = ::read(file, bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return detail::file_error(path, "cannot read", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  if (filled > limit) return too_large(filled);
  bytes.resize(filled);
  return bytes;
}

/// The names of the entries of a folder that `keep(entry)` is true of, sorted.
///
/// Errors  N002: a folder that cannot be listed
template <class Keep>
result<std::vector<std::string>> names_in(const std::filesystem::path& folder, Keep&& keep) {
  std::error_code failure;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(folder, failure), last; !failure && entry != last;
       entry.increment(failure))
    if (keep(*entry)) names.push_back(entry->path().filename().string());
  if (failure) return error::of(fault::file, folder.string(), ": cannot list: ", failure.message());
  std::ranges::sort(names);
  return names;
}

/// A file as text, byte for byte: neither line ends nor encodings are touched.
inline result<std::string> read_text(const std::filesystem::path& path, std::size_t limit = file_limit) {
  const auto bytes = read_file(path, limit);
  if (!bytes) return bytes.error();
  return std::string(text_of(*bytes));
}

/// Replaces the file at `path` in one step: a reader, or a crash, sees the old or the new one.
///
/// The bytes go to a hidden file in the same folder, reach the disk, and are renamed; a symbolic
/// link is replaced, not followed.
/// Errors  N002: missing or unwritable folder, full disk, `path` is a folder or device. The old
///         file is then untouched and nothing is left behind.
inline status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind == std::filesystem::file_type::directory) return detail::file_error(path, "cannot write", EISDIR);
  if (path.filename().empty() || (std::filesystem::exists(std::filesystem::file_status(kind)) &&
                                  kind != std::filesystem::file_type::regular))
    return error::of(fault::file, path.string(), ": not a regular file");

  std::filesystem::path part;
  detail::descriptor file(detail::create_beside(path, part));
  if (file < 0) return detail::file_error(path, "cannot write", errno);
  status done = detail::write_and_sync(file, bytes, path);
  if (done && !file.close()) done = detail::file_error(path, "cannot write", errno);
  if (done && ::rename(part.c_str(), path.c_str()) != 0)
    done = detail::file_error(path, "cannot write", errno);
  if (!done) {
    ::unlink(part.c_str());
    return done;
  }
  return detail::sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

inline status write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  return write_file_atomically(path, bytes_of(text));
}

} // namespace privet
