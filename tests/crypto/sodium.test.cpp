#include "support/catch.hpp"

#include <privet/crypto/sodium.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <type_traits>

using namespace privet;

TEST_CASE("secret_bytes begins with zeros, is aligned, moves and never copies") {
  static_assert(!std::is_copy_constructible_v<secret_bytes> && !std::is_copy_assignable_v<secret_bytes>);
  static_assert(std::is_nothrow_move_constructible_v<secret_bytes>);
  for (const std::size_t size : {1u, 15u, 16u, 17u, 32u, 4095u, 4096u, 4097u, 100'000u}) {
    CAPTURE(size);
    secret_bytes s(size);
    REQUIRE(s.size() == size);
    CHECK(std::ranges::all_of(s.bytes(), [](std::byte b) { return b == std::byte{}; }));
    CHECK(reinterpret_cast<std::uintptr_t>(s.data()) % alignof(std::max_align_t) == 0);
    std::ranges::fill(s.bytes(), std::byte{0x5a});
    const std::byte* where = s.data();
    secret_bytes moved(std::move(s));
    CHECK(moved.data() == where);
    CHECK(moved.bytes()[size - 1] == std::byte{0x5a});
    CHECK(s.empty());
    CHECK(s.data() == nullptr);
    moved = secret_bytes(3);
    CHECK(moved.size() == 3);
  }
  CHECK(secret_bytes(0).empty());
  CHECK_THROWS_AS(secret_bytes(SIZE_MAX), exception);
}

TEST_CASE("secret_bytes compare by content") {
  secret_bytes a(20), b(20), c(21);
  CHECK(a == b);
  CHECK(a != c);
  b.bytes()[19] = std::byte{1};
  CHECK(a != b);
  CHECK(secret_bytes() == secret_bytes());
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_CASE("the bytes behind a secret are no memory, and freed secrets are gone") {
  // A read there ends the process, so a child tries it; without the guard page it would exit with 0.
  const auto dies = [](auto touch) {
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (const int s : {SIGSEGV, SIGBUS, SIGABRT}) ::signal(s, SIG_DFL);
      touch();
      ::_exit(0);
    }
    int how = 0;
    REQUIRE(::waitpid(child, &how, 0) == child);
    return WIFSIGNALED(how);
  };
  secret_bytes s(32);
  std::byte* p = s.data();
  CHECK_FALSE(dies([&] { *const_cast<volatile std::byte*>(p + 31) = std::byte{1}; }));
  CHECK(dies([&] { *const_cast<volatile std::byte*>(p + 32) = std::byte{1}; }));
  secret_bytes(std::move(s)); // let go of
  CHECK(dies([&] { *const_cast<volatile std::byte*>(p) = std::byte{1}; }));
}
#endif
