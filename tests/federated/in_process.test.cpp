#include "support/catch.hpp"
#include "support/federation.hpp"

using namespace privet;

namespace {
struct echo : participant {
  std::vector<std::byte> answer(std::span<const std::byte> request) override { return test::copy(request); }
};
} // namespace

TEST_CASE("in-process link: what was sent is answered once") {
  echo peer;
  in_process_link link(peer);
  const auto bytes = test::copy(bytes_of("abc"));
  REQUIRE(link.send(bytes));
  CHECK(link.receive().value() == bytes);
  const auto again = link.receive();
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == fault::message);
}

TEST_CASE("in-process link: nothing is received before something was sent") {
  echo peer;
  in_process_link link(peer);
  CHECK_FALSE(link.receive());
  REQUIRE(link.send({}));
  CHECK(link.receive().value().empty());
}

TEST_CASE("in-process link: it carries an office's answers unchanged") {
  const auto one = test::honest(1, test::rows_of(9, 5, 3, 1)),
             other = test::honest(1, test::rows_of(9, 5, 3, 1));
  in_process_link link(*one);
  const auto question = encode({message_kind::ask_schema, 0, 0, 0, {}});
  REQUIRE(link.send(question));
  CHECK(link.receive().value() == other->answer(question));
}
