#pragma once
// Secrets at rest: a file that opens with a passphrase and no other way. POSIX.

#include <privet/core/file.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/sodium.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// What trying one passphrase costs whoever tries: Argon2id over `memory` bytes, `passes` times.
struct sealing_cost {
  std::uint32_t passes = 3;
  std::uint64_t memory = std::uint64_t{256} << 20; ///< bytes, a multiple of 1024

  friend bool operator==(const sealing_cost&, const sealing_cost&) = default;

  /// A file may ask no more of its reader than this, nor may it be made with less.
  static constexpr std::uint32_t most_passes = 8;
  static constexpr std::uint64_t least_memory = std::uint64_t{8} << 20,
                                 most_memory = std::uint64_t{512} << 20;

  /// Errors  N001 with the bound
  status check(std::string_view place = "sealing_cost") const {
    if (passes < 1 || passes > most_passes)
      return error::of(fault::argument, place, ": got ", passes, " passes, expected 1 to ", most_passes);
    if (memory < least_memory || memory > most_memory || memory % 1024 != 0)
      return error::of(fault::argument, place, ": got ", memory,
                       " bytes of memory, expected a multiple of 1024 from ", least_memory, " to ",
                       most_memory);
    return nothing{};
  }
};

/// What somebody types to open a file: 1 to 1024 bytes, compared byte for byte.
class passphrase {
 public:
  static constexpr std::size_t longest = 1024;

  /// Copies the bytes; wiping the caller's is the caller's.
  ///
  /// Errors  N001: none, or too many
  static result<passphrase> of(std::span<const std::byte> text, std::string_view place = "passphrase") {
    if (text.empty() || text.size() > longest)
      return error::of(fault::argument, place, ": got ", text.size(), " bytes, expected 1 to ", longest);
    return passphrase(secret_bytes(text));
  }
  static result<passphrase> of(std::string_view text, std::string_view place = "passphrase") {
    return of(bytes_of(text), place);
  }

  std::span<const std::byte> bytes() const noexcept { return text_.bytes(); }
  friend bool operator==(const passphrase&, const passphrase&) = default;

 private:
  explicit passphrase(secret_bytes text) : text_(std::move(text)) {}
  secret_bytes text_;
};

namespace detail {

inline constexpr std::string_view sealed_magic = "PRIVETSF";
inline constexpr std::uint32_t sealed_version = 1;
inline constexpr std::size_t longest_secret = std::size_t{1} << 20, longest_kind = 32;
inline constexpr std::size_t salt_size = crypto_pwhash_argon2id_SALTBYTES,
                             nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
                             tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;

/// The key of one file. Errors: N011 when the memory is not there.
inline result<secret_bytes> sealing_key(const passphrase& phrase, std::span<const std::byte> salt,
                                        const sealing_cost& cost, std::string_view place) {
  start_sodium();
  secret_bytes key(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  if (::crypto_pwhash_argon2id(sodium_bytes(key.data()), key.size(),
                               reinterpret_cast<const char*>(phrase.bytes().data()), phrase.bytes().size(),
                               sodium_bytes(salt.data()), cost.passes, static_cast<std::size_t>(cost.memory),
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
    return error::of(fault::unsupported, place, ": no ", cost.memory, " bytes of memory for Argon2id");
  return key;
}

/// The front of a sealed file, as it was read.
struct sealed_header {
  std::string_view kind;
  sealing_cost cost;
  std::span<const std::byte> salt, nonce;
  std::span<const std::byte> whole;  ///< all of the above: authenticated with the secret
  std::span<const std::byte> sealed; ///< what follows: the secret, encrypted, and its tag
};

/// Every bound is checked here, before anything is spent on the file.
inline result<sealed_header> read_sealed_header(std::span<const std::byte> bytes, std::string_view place) {
  byte_reader in(bytes, place);
  const auto magic = in.take_bytes(sealed_magic.size());
  if (!magic || text_of(*magic) != sealed_magic)
    return error::of(fault::format, place, ": is not a file sealed under a passphrase");
  const auto version = in.take<std::uint32_t>();
  if (!version) return version.error();
  if (*version != sealed_version)
    return error::of(fault::unsupported, place, ": version ", *version, ", this build reads ",
                     sealed_version);

  sealed_header head;
  const auto passes = in.take<std::uint32_t>();
  if (!passes) return passes.error();
  const auto memory = in.take<std::uint64_t>();
  if (!memory) return memory.error();
  head.cost = {*passes, *memory};
  if (const auto bounded = head.cost.check(place); !bounded)
    return error{fault::format, bounded.error().message};
  for (auto [part, size] : {std::pair{&head.salt, salt_size}, {&head.nonce, nonce_size}}) {
    const auto piece = in.take_bytes(size);
    if (!piece) return piece.error();
    *part = *piece;
  }
  const auto length = in.take<std::uint8_t>();
  if (!length) return length.error();
  if (*length < 1 || *length > longest_kind)
    return error::of(fault::format, place, ": a kind of ", unsigned{*length}, " bytes, expected 1 to ",
                     longest_kind);
  const auto kind = in.take_bytes(*length);
  if (!kind) return kind.error();
  head.kind = text_of(*kind);
  head.whole = bytes.first(in.offset());
  head.sealed = bytes.subspan(in.offset());
  if (head.sealed.size() < tag_size || head.sealed.size() > longest_secret + tag_size)
    return error::of(fault::format, place, ": cut short or too long: ", head.sealed.size(),
                     " bytes after the header, expected ", tag_size, " to ", longest_secret + tag_size);
  return head;
}

} // namespace detail

/// A secret, encrypted under a passphrase.
///
/// Requires  `kind` says what the secret is, in at most 32 bytes: a file opens as this kind only
/// Ensures   every byte of the file is authenticated, the header too
/// Cost      Argon2id as `cost` says: by default about a second and 256 MiB, for the owner and for each guess
/// Errors    N001: `kind`, `cost` or the secret's size out of range. N011: no memory
/// Source    Argon2id: RFC 9106; XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03; both libsodium's
/// Test      tests/crypto/sealed_file.test.cpp
template <class Source>
std::vector<std::byte> seal_secret(std::string_view kind, std::span<const std::byte> secret,
                                   const passphrase& phrase, Source& source, const sealing_cost& cost = {}) {
  static_assert(
      SecretRandomSource<Source>,
      "[P003 replayable-key] a salt and nonce that come again open files to each other: draw them from "
      "a system_random. docs/errors/P003.md");
  require(!kind.empty() && kind.size() <= detail::longest_kind, fault::argument,
          "seal_secret: got a kind of ", kind.size(), " bytes, expected 1 to ", detail::longest_kind);
  require(secret.size() <= detail::longest_secret, fault::argument, "seal_secret: got ", secret.size(),
          " bytes, expected at most ", detail::longest_secret);
  if (const auto bounded = cost.check("seal_secret"); !bounded) throw exception(bounded.error());

  std::array<std::byte, detail::salt_size> salt;
  std::array<std::byte, detail::nonce_size> nonce;
  detail::fill_bytes(source, salt);
  detail::fill_bytes(source, nonce);
  byte_writer out;
  out.put(detail::sealed_magic).put(detail::sealed_version).put(cost.passes).put(cost.memory);
  out.put(salt).put(nonce).put(static_cast<std::uint8_t>(kind.size())).put(kind);
  const auto key = detail::sealing_key(phrase, salt, cost, "seal_secret").value();

  const std::size_t front = out.size();
  auto bytes = std::move(out).take();
  bytes.resize(front + secret.size() + detail::tag_size);
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(
      detail::sodium_bytes(bytes.data() + front), nullptr, detail::sodium_bytes(secret.data()), secret.size(),
      detail::sodium_bytes(bytes.data()), front, nullptr, detail::sodium_bytes(nonce.data()),
      detail::sodium_bytes(key.data()));
  return bytes;
}

/// What a sealed file holds. Nothing of it is handed out unless all of it is authentic.
///
/// Errors  N004: not a sealed file, cut short, costs out of range; the wrong passphrase or a changed byte,
///         which cannot be told apart. N010: a secret of another kind. N011: another version, no memory
inline result<secret_bytes> open_secret(std::string_view kind, std::span<const std::byte> bytes,
                                        const passphrase& phrase, std::string_view place = "sealed file") {
  const auto head = detail::read_sealed_header(bytes, place);
  if (!head) return head.error();
  if (head->kind != kind)
    return error::of(fault::state, place, ": holds a ", in_quotes(head->kind), ", expected a ",
                     in_quotes(kind));
  const auto key = detail::sealing_key(phrase, head->salt, head->cost, place);
  if (!key) return key.error();
  secret_bytes secret(head->sealed.size() - detail::tag_size);
  std::byte none{}; // an empty secret still has its tag checked
  if (::crypto_aead_xchacha20poly1305_ietf_decrypt(
          detail::sodium_bytes(secret.empty() ? &none : secret.data()), nullptr, nullptr,
          detail::sodium_bytes(head->sealed.data()), head->sealed.size(),
          detail::sodium_bytes(head->whole.data()), head->whole.size(),
          detail::sodium_bytes(head->nonce.data()), detail::sodium_bytes(key->data())) != 0)
    return error::of(fault::format, place, ": wrong passphrase, or the file was changed");
  return secret;
}

/// Whether bytes begin as a sealed file does.
inline bool is_sealed_file(std::span<const std::byte> bytes) noexcept {
  return text_of(bytes.first(std::min(bytes.size(), detail::sealed_magic.size()))) == detail::sealed_magic;
}

/// Writes a file that only its owner may read, from its first byte on. What is there already stays: a key
/// that was overwritten is a key lost.
///
/// Ensures  mode 0600; there completely or not at all; survives a power cut
/// Errors   N002: there is a file of this name, no such folder, no space. Nothing is left behind.
inline status write_secret_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  if (path.filename().empty()) return error::of(fault::file, path.string(), ": not a regular file");
  // Not the name of a hidden part that others could have opened before: O_EXCL makes it ours.
  static std::atomic<std::uint64_t> count{0};
  const std::filesystem::path part =
      path.parent_path() / concat(".privet-secret-", ::getpid(), '-', count++, ".part");
  ::unlink(part.c_str()); // of a process that had our number and crashed
  detail::descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file < 0) return detail::file_error(path, "cannot create", errno);
  status done = nothing{};
  if (::fchmod(file, 0600) != 0) done = detail::file_error(path, "cannot create", errno); // a narrow umask
  if (done) done = detail::write_and_sync(file, bytes, path);
  if (done && !file.close()) done = detail::file_error(path, "cannot write", errno);
  // A link, unlike a rename, never replaces what is there.
  if (done && ::link(part.c_str(), path.c_str()) != 0)
    done = detail::file_error(path, "cannot create", errno);
  ::unlink(part.c_str());
  if (!done) return done;
  return detail::sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

/// `seal_secret` into a file, as `write_secret_file` makes it.
template <class Source>
status save_sealed(const std::filesystem::path& path, std::string_view kind,
                   std::span<const std::byte> secret, const passphrase& phrase, Source& source,
                   const sealing_cost& cost = {}) {
  return write_secret_file(path, seal_secret(kind, secret, phrase, source, cost));
}

/// Errors  those of `open_secret`; N002 when the file cannot be read
inline result<secret_bytes> load_sealed(const std::filesystem::path& path, std::string_view kind,
                                        const passphrase& phrase) {
  const auto bytes = read_file(path, 2 * detail::longest_secret);
  if (!bytes) return bytes.error();
  return open_secret(kind, *bytes, phrase, path.string());
}

} // namespace privet
