#include "support/catch.hpp"
#include "support/refused.hpp"

#include <privet/crypto/sealed_file.hpp>
#include <privet/random/system.hpp>

#include <cstdlib>
#include <type_traits>

using namespace privet;
using test::refused;
namespace fs = std::filesystem;

namespace {

constexpr sealing_cost cheap{.passes = 1, .memory = sealing_cost::least_memory};

passphrase phrase(std::string_view text) { return passphrase::of(text).value(); }

/// A folder that is gone after the test.
struct scratch {
  fs::path folder;
  scratch() {
    std::string name = (fs::temp_directory_path() / "privet-sealed-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
  }
  ~scratch() { fs::remove_all(folder); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
  }
};

} // namespace

TEST_CASE("a file sealed without libsodium opens") {
  const auto file = std::string(PRIVET_PROJECT_ROOT) + "/tests/fixtures/sealed/secret.sealed";
  const auto secret = load_sealed(file, "test-secret", phrase("кактус and horse"));
  REQUIRE(secret.has_value());
  CHECK(text_of(secret->bytes()) == "what only the owner knows");
  CHECK_FALSE(load_sealed(file, "test-secret", phrase("кактус and house")).has_value());
}

TEST_CASE("what was sealed opens with its passphrase and kind alone") {
  system_random source;
  const auto right = phrase("correct horse"), wrong = phrase("correct hors");
  for (const std::size_t size : {0u, 1u, 100u, 70'000u}) {
    CAPTURE(size);
    secret_bytes secret(size);
    detail::fill_bytes(source, secret.bytes());
    const auto bytes = seal_secret("key", secret.bytes(), right, source, cheap);
    CHECK(is_sealed_file(bytes));
    CHECK(open_secret("key", bytes, right).value() == secret);
    CHECK_THAT(refused(open_secret("key", bytes, wrong, "k.sealed"), fault::format),
               Catch::Contains("k.sealed: wrong passphrase"));
    CHECK_THAT(refused(open_secret("share", bytes, right), fault::state),
               Catch::Contains("'key'") && Catch::Contains("'share'"));
    // The secret itself is nowhere in the file.
    if (size >= 100)
      CHECK(std::search(bytes.begin(), bytes.end(), secret.data(), secret.data() + 16) == bytes.end());
  }
}

TEST_CASE("two files of one secret share neither salt nor nonce nor text") {
  system_random source;
  const auto secret = bytes_of("the same secret twice");
  const auto a = seal_secret("key", secret, phrase("p"), source, cheap),
             b = seal_secret("key", secret, phrase("p"), source, cheap);
  const auto ha = detail::read_sealed_header(a, "").value(), hb = detail::read_sealed_header(b, "").value();
  CHECK_FALSE(std::ranges::equal(ha.salt, hb.salt));
  CHECK_FALSE(std::ranges::equal(ha.nonce, hb.nonce));
  CHECK_FALSE(std::ranges::equal(ha.sealed, hb.sealed));
}

TEST_CASE("no changed, cut or longer file opens") {
  system_random source;
  const auto right = phrase("p");
  const auto bytes = seal_secret("k", bytes_of("secret"), right, source, cheap);
  // One bit of every byte; costs that a changed header may ask for are tried below.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i >= 12 && i < 24) continue;
    auto other = bytes;
    other[i] ^= std::byte{1} << i % 8;
    CHECK_FALSE(open_secret("k", other, right).has_value());
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(open_secret("k", std::span(bytes).first(size), right).has_value());
  auto longer = bytes;
  longer.push_back({});
  refused(open_secret("k", longer, right), fault::format);

  auto newer = bytes;
  newer[8] = std::byte{2};
  refused(open_secret("k", newer, right), fault::unsupported);
  CHECK_THAT(refused(open_secret("k", bytes_of("-----BEGIN PRIVATE KEY-----"), right), fault::format),
             Catch::Contains("not a file sealed"));
}

TEST_CASE("a file cannot ask for more than the stated costs") {
  system_random source;
  const auto right = phrase("p");
  const auto bytes = seal_secret("k", bytes_of("secret"), right, source, cheap);
  const auto asking = [&](std::uint32_t passes, std::uint64_t memory) {
    auto other = bytes;
    store_little(passes, other.data() + 12);
    store_little(memory, other.data() + 16);
    return open_secret("k", other, right);
  };
  REQUIRE(asking(1, sealing_cost::least_memory).has_value());
  for (const std::uint32_t passes : {0u, 9u, 1u << 31, ~0u})
    CHECK_THAT(refused(asking(passes, sealing_cost::least_memory), fault::format), Catch::Contains("passes"));
  for (const std::uint64_t memory :
       {std::uint64_t{0}, sealing_cost::least_memory - 1024, sealing_cost::most_memory + 1024,
        sealing_cost::least_memory + 1, std::uint64_t{1} << 40, ~std::uint64_t{0}})
    CHECK_THAT(refused(asking(1, memory), fault::format), Catch::Contains("memory"));
  // Costs within bounds, but not those it was made with.
  CHECK_THAT(refused(asking(2, sealing_cost::least_memory), fault::format),
             Catch::Contains("wrong passphrase"));
  CHECK_THAT(refused(asking(1, 2 * sealing_cost::least_memory), fault::format),
             Catch::Contains("wrong passphrase"));

  CHECK_THROWS_AS(seal_secret("k", {}, right, source, {.passes = 0}), exception);
  CHECK_THROWS_AS(seal_secret("k", {}, right, source, {.memory = 1 << 20}), exception);
  CHECK_THROWS_AS(seal_secret("", {}, right, source, cheap), exception);
  CHECK_THROWS_AS(seal_secret(std::string(33, 'k'), {}, right, source, cheap), exception);
  CHECK_THROWS_AS(seal_secret("k", std::vector<std::byte>((1 << 20) + 1), right, source, cheap), exception);
}

TEST_CASE("a passphrase has 1 to 1024 bytes and is not copied") {
  static_assert(!std::is_copy_constructible_v<passphrase>);
  CHECK_FALSE(passphrase::of("").has_value());
  CHECK_FALSE(passphrase::of(std::string(1025, 'x')).has_value());
  CHECK(passphrase::of(std::string(1024, 'x')).has_value());
  CHECK(phrase("a") == phrase("a"));
  CHECK(phrase("a") != phrase("b"));
}

TEST_CASE("a secret file is for its owner alone, under any umask, and replaces nothing") {
  const scratch s;
  const auto path = s.folder / "key";
  for (const mode_t mask : {0u, 022u, 077u, 0777u}) {
    const mode_t before = ::umask(mask);
    const auto done = write_secret_file(path, bytes_of("one"));
    ::umask(before);
    REQUIRE(done.has_value());
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    CHECK(s.files() == 1);
    CHECK(read_text(path).value() == "one");

    CHECK_THAT(refused(write_secret_file(path, bytes_of("two")), fault::file), Catch::Contains("exists"));
    CHECK(read_text(path).value() == "one");
    CHECK(s.files() == 1);
    fs::remove(path);
  }
  refused(write_secret_file(s.folder / "none" / "key", {}), fault::file);
  refused(write_secret_file(s.folder / "", {}), fault::file);
  fs::create_symlink("elsewhere", path); // a dangling link is not followed
  refused(write_secret_file(path, bytes_of("x")), fault::file);
  CHECK_FALSE(fs::exists(s.folder / "elsewhere"));
  CHECK(s.files() == 1);
}

TEST_CASE("sealed files are saved and loaded") {
  const scratch s;
  system_random source;
  const auto path = s.folder / "office.key";
  REQUIRE(save_sealed(path, "signing-key", bytes_of("seed"), phrase("p"), source, cheap).has_value());
  CHECK(text_of(load_sealed(path, "signing-key", phrase("p")).value().bytes()) == "seed");
  CHECK_THAT(refused(load_sealed(path, "signing-key", phrase("q")), fault::format),
             Catch::Contains(path.string()));
  refused(load_sealed(s.folder / "none", "signing-key", phrase("p")), fault::file);
  CHECK_FALSE(save_sealed(path, "signing-key", {}, phrase("p"), source, cheap).has_value());
}

TEST_CASE("the default cost is what the page says") {
  CHECK(sealing_cost{}.passes == 3);
  CHECK(sealing_cost{}.memory == 256u << 20);
  CHECK(sealing_cost{}.check().has_value());
}
