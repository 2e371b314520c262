#pragma once
// A passphrase from a file, the environment or the terminal; never from an argument, which every user of the
// machine could read.

#include <privet/core/file.hpp>
#include <privet/crypto/sealed_file.hpp>

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace apps {

inline constexpr const char* passphrase_variable = "PRIVET_PASSPHRASE";

/// The first line of a file that only its owner may read.
inline privet::passphrase passphrase_from_file(const std::filesystem::path& path) {
  using namespace privet;
  struct stat facts {};
  require(::stat(path.c_str(), &facts) == 0, fault::file, path.string(), ": cannot open");
  require((facts.st_mode & 077) == 0, fault::file, path.string(),
          ": others than its owner may read it, expected mode 0600");
  auto bytes = read_file(path, 2 * passphrase::longest).value();
  const std::string_view text = text_of(bytes);
  auto line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto made = passphrase::of(line, path.string());
  wipe(std::span(bytes));
  return std::move(made).value();
}

/// Asks on the terminal, without echo; nothing if there is none or nothing was typed.
inline std::optional<privet::passphrase> passphrase_from_terminal(std::string_view question) {
  using namespace privet;
  if (!::isatty(STDIN_FILENO)) return std::nullopt; // a script that would wait for ever
  const detail::descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (terminal < 0) return std::nullopt;

  struct silence { // the echo comes back whatever happens
    int terminal;
    termios before{};
    explicit silence(int t) : terminal(t) {
      require(::tcgetattr(t, &before) == 0, fault::file, "terminal: its echo cannot be switched off");
      termios quiet = before;
      quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
      quiet.c_lflag |= ICANON | ECHONL;
      require(::tcsetattr(t, TCSAFLUSH, &quiet) == 0, fault::file,
              "terminal: its echo cannot be switched off");
    }
    silence(const silence&) = delete;
    silence& operator=(const silence&) = delete;
    ~silence() { ::tcsetattr(terminal, TCSAFLUSH, &before); }
  };
  const silence quiet(terminal);
  if (::write(terminal, question.data(), question.size()) < 0) return std::nullopt;
  std::array<std::byte, passphrase::longest + 2> typed;
  std::size_t filled = 0;
  while (filled < typed.size()) {
    const auto count = ::read(terminal, typed.data() + filled, typed.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += static_cast<std::size_t>(count);
    if (typed[filled - 1] == std::byte{'\n'}) {
      --filled;
      break;
    }
  }
  std::optional<passphrase> made;
  if (filled > 0) made = passphrase::of(std::span<const std::byte>(typed).first(filled)).value();
  wipe(std::span(typed));
  return made;
}

/// A passphrase that is there already: of the file if one is named, else of the environment.
inline std::optional<privet::passphrase> given_passphrase(const std::string& file) {
  if (!file.empty()) return passphrase_from_file(file);
  if (const char* text = std::getenv(passphrase_variable); text && *text)
    return privet::passphrase::of(std::string_view(text), passphrase_variable).value();
  return std::nullopt;
}

/// For a file that is about to be sealed: the given one, or one typed twice, or none.
inline std::optional<privet::passphrase> new_passphrase(const std::string& file, std::string_view what) {
  if (auto given = given_passphrase(file)) return given;
  auto first = passphrase_from_terminal(privet::concat("Passphrase for ", what, " (empty for none): "));
  if (!first) return first;
  const auto second = passphrase_from_terminal("The same again: ");
  privet::require(second && *first == *second, privet::fault::argument, "the two passphrases differ");
  return first;
}

/// For a file that is sealed.
inline privet::passphrase known_passphrase(const std::string& file, std::string_view what) {
  if (auto given = given_passphrase(file)) return std::move(*given);
  auto typed = passphrase_from_terminal(privet::concat("Passphrase of ", what, ": "));
  privet::require(typed.has_value(), privet::fault::argument, what,
                  ": is sealed under a passphrase; name a file with --passphrase-file, or set ",
                  passphrase_variable);
  return std::move(*typed);
}

} // namespace apps
