#pragma once
// A ledger on disk, written ahead: what `debit` has returned for survives a power cut. POSIX.

#include <privet/core/file.hpp>
#include <privet/core/sha256.hpp>
#include <privet/privacy/ledger.hpp>
#include <privet/privacy/ledger_text.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace privet {

/// What a ledger on disk says, without opening it for debits; a writer may be at work meanwhile.
///
/// Errors  as `parse_ledger`; N002 when it cannot be read
inline result<ledger_log> read_ledger(const std::filesystem::path& path) {
  const auto text = read_text(path, detail::longest_ledger);
  if (!text) return text.error();
  return parse_ledger(*text, path.string());
}

/// Where a ledger is opened, what must be in it.
struct ledger_opening {
  std::optional<ledger_head> contains{}; ///< as a checkpoint stored it
  /// A file that follows the head, best on another disk; empty for none. A ledger that lacks what the file
  /// names is refused. Each debit then takes twice as long.
  std::filesystem::path anchor{};
};

/// Writes a head as an anchor: one line of text, replaced in one step.
inline status save_head(const std::filesystem::path& path, const ledger_head& head) {
  return write_file_atomically(path, head.text() + '\n');
}
inline result<ledger_head> load_head(const std::filesystem::path& path) {
  const auto text = read_text(path, 200);
  if (!text) return text.error();
  return read_head(std::string_view(*text).substr(0, text->find('\n')), path.string());
}

namespace detail {

/// The open, locked file.
class ledger_file final : public ledger_journal {
 public:
  /// `size` bytes of it are complete lines.
  ledger_file(std::unique_ptr<descriptor> file, std::filesystem::path path, std::filesystem::path anchor,
              ledger_head head, std::size_t size)
      : file_(std::move(file)),
        path_(std::move(path)),
        anchor_(std::move(anchor)),
        head_(head),
        size_(size),
        length_(size) {}

  ledger_head head() const override { return head_; }
  std::string place() const override { return path_.string(); }

  status append(const ledger_entry& e) override {
    const std::string body = ledger_text(e, head_.last);
    if (auto done = put(body + '\n'); !done) return done;
    head_ = {e.index, sha256(std::string_view(body).substr(0, body.size() - seal_length))};
    return anchored();
  }
  status finish_line() { return put("\n"); }
  status anchored() const {
    if (anchor_.empty()) return nothing{};
    return save_head(anchor_, head_);
  }
  /// Bytes of a torn line after the complete ones.
  void overwrites(std::size_t torn) { length_ = size_ + torn; }

  /// That the path still leads to this file, and nobody else wrote to it.
  status undisturbed() const {
    struct stat open {
    }, named{};
    if (::fstat(*file_, &open) != 0) return file_error(path_, "cannot read", errno);
    if (::lstat(path_.c_str(), &named) != 0) return file_error(path_, "is gone while it was open", errno);
    if (open.st_ino != named.st_ino || open.st_dev != named.st_dev)
      return error::of(fault::file, path_.string(), ": was replaced by another file while it was open");
    if (!std::cmp_equal(open.st_size, length_))
      return error::of(fault::file, path_.string(), ": changed while it was open: got ", open.st_size,
                       " bytes, expected ", length_);
    return nothing{};
  }

 private:
  status put(const std::string& text) {
    if (auto fine = undisturbed(); !fine) return fine;
    if (::lseek(*file_, static_cast<off_t>(size_), SEEK_SET) < 0)
      return file_error(path_, "cannot write", errno);
    if (auto done = write_and_sync(*file_, bytes_of(text), path_); !done) return done;
    size_ += text.size();
    length_ = size_;
    return nothing{};
  }

  std::unique_ptr<descriptor> file_;
  std::filesystem::path path_, anchor_;
  ledger_head head_;
  std::size_t size_, length_;
};

inline status lock_ledger(int file, const std::filesystem::path& path) {
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return error::of(fault::file, path.string(),
                       ": is open for debits elsewhere; one process at a time may debit");
    if (errno != EINTR) return file_error(path, "cannot lock", errno);
  }
  return nothing{};
}

inline status contains(const ledger_log& log, const ledger_head& head, std::string_view place,
                       std::string_view who) {
  if (head.count >= log.digests.size())
    return error::of(fault::state, place, ": an older copy: got ", log.digests.size() - 1, " entries, but ",
                     who, " knows of ", head.count);
  const digest& found = log.digests[static_cast<std::size_t>(head.count)];
  if (found != head.last)
    return error::of(fault::state, place, ':', head.count + 1, ": another history: got the digest ",
                     hex(found), ", but ", who, " knows ", hex(head.last));
  return nothing{};
}

} // namespace detail

/// Opens a ledger for more debits.
///
/// Requires  `data`, `unit`, `relation`: what the caller is about to use
/// Errors    N010: another data set, unit or relation, with both; a copy older than `how` allows; an anchor
///           that is missing (`save_head` makes one). N002: no such file, open elsewhere, writable by others,
///           a link, no space. Those of `parse_ledger`.
/// Privacy   a line that a crash left torn counts as `parse_ledger` says, and is completed or overwritten by
///           one of kind torn; reservations that were not settled stay spent
inline result<ledger> open_ledger(const std::filesystem::path& path, const digest& data, privacy_unit unit,
                                  neighbours relation, const ledger_opening& how = {}) {
  const std::string place = path.string();
  auto file = std::make_unique<detail::descriptor>(
      ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (*file < 0) return detail::file_error(path, "cannot open", errno);
  struct stat facts {};
  if (::fstat(*file, &facts) != 0) return detail::file_error(path, "cannot read", errno);
  if (!S_ISREG(facts.st_mode)) return error::of(fault::file, place, ": not a regular file");
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return error::of(fault::file, place, ": others than its owner may write to it, expected mode 0600");
  if (auto locked = detail::lock_ledger(*file, path); !locked) return locked.error();

  const auto text = read_text(path, detail::longest_ledger);
  if (!text) return text.error();
  auto log = parse_ledger(*text, place);
  if (!log) return log.error();
  const ledger_terms& t = log->state.terms();
  const auto other = [&](std::string_view what, std::string_view got, std::string_view expected) {
    return error::of(fault::state, place, ":1: got the ", what, ' ', got, ", expected ", expected);
  };
  if (t.data != data) return other("data fingerprint", hex(t.data), hex(data));
  if (t.unit != unit) return other("unit", name_of(t.unit), name_of(unit));
  if (t.relation != relation) return other("relation", name_of(t.relation), name_of(relation));
  if (how.contains)
    if (auto held = detail::contains(*log, *how.contains, place, "the checkpoint"); !held)
      return held.error();
  // A crash between making a ledger and its anchor leaves an empty ledger alone.
  std::error_code ignored;
  const bool fresh = log->digests.size() == 1 && log->torn == 0 && !how.anchor.empty() &&
                     !std::filesystem::exists(how.anchor, ignored);
  if (!how.anchor.empty() && !fresh) {
    const auto head = load_head(how.anchor);
    if (!head) return head.error();
    if (auto held = detail::contains(*log, *head, place, how.anchor.string()); !held) return held.error();
  }

  auto journal =
      std::make_unique<detail::ledger_file>(std::move(file), path, how.anchor, log->head(), log->whole);
  journal->overwrites(log->torn);
  if (auto fine = journal->undisturbed(); !fine) return fine.error();
  status mended = log->newline_is_missing ? journal->finish_line()
                  : log->torn             ? journal->append(log->state.entries().back())
                                          : journal->anchored();
  if (!mended) return mended.error();
  return ledger(std::move(log->state), std::move(journal));
}

/// Starts a ledger.
///
/// Ensures  the file has mode 0600, is there completely or not at all, and survives a power cut
/// Errors   N002: it or its anchor is there already, no such folder, no space. Throws as
///          `ledger_terms::check`.
inline result<ledger> create_ledger(const std::filesystem::path& path, const ledger_terms& terms,
                                    const ledger_opening& how = {}) {
  terms.check();
  const std::string line = detail::ledger_text(terms);
  require(line.size() <= detail::longest_ledger_terms, fault::argument, "ledger: got terms of ", line.size(),
          " bytes, expected at most ", detail::longest_ledger_terms);
  std::error_code ignored;
  if (!how.anchor.empty() && std::filesystem::exists(how.anchor, ignored))
    return error::of(fault::file, how.anchor.string(), ": an anchor is there already; its ledger is missing");

  std::filesystem::path part;
  auto file = std::make_unique<detail::descriptor>(detail::create_beside(path, part));
  if (*file < 0) return detail::file_error(path, "cannot create", errno);
  status done = nothing{};
  if (::fchmod(*file, 0600) != 0) done = detail::file_error(path, "cannot create", errno);
  if (done) done = detail::lock_ledger(*file, path);
  if (done) done = detail::write_and_sync(*file, bytes_of(line + '\n'), path);
  // A link, unlike a rename, never replaces what is there.
  if (done && ::link(part.c_str(), path.c_str()) != 0)
    done = detail::file_error(path, "cannot create", errno);
  ::unlink(part.c_str());
  if (done) done = detail::sync_folder(path.has_parent_path() ? path.parent_path() : ".");
  if (!done) return done.error();
  auto journal = std::make_unique<detail::ledger_file>(
      std::move(file), path, how.anchor,
      ledger_head{0, sha256(std::string_view(line).substr(0, line.size() - detail::seal_length))},
      line.size() + 1);
  if (auto anchored = journal->anchored(); !anchored) return anchored.error();
  return ledger(ledger_state(terms), std::move(journal));
}

/// Opens the ledger of a run: makes it if there is none, or continues one that has exactly these terms.
///
/// Errors  N010: the file has other terms, with both lines. Those of `open_ledger` and `create_ledger`.
inline result<ledger> open_or_create_ledger(const std::filesystem::path& path, const ledger_terms& terms,
                                            const ledger_opening& how = {}) {
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    if (how.contains && how.contains->count > 0)
      return error::of(fault::state, path.string(), ": no such ledger, but the checkpoint knows of ",
                       how.contains->count, " entries");
    return create_ledger(path, terms, how);
  }
  auto opened = open_ledger(path, terms.data, terms.unit, terms.relation, how);
  if (!opened) return opened;
  const std::string got = detail::ledger_text(opened->terms()), expected = detail::ledger_text(terms);
  if (got != expected)
    return error::of(fault::state, path.string(), ":1: got the terms ", got, ", expected ", expected);
  return opened;
}

} // namespace privet
