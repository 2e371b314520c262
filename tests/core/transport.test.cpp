#include "support/catch.hpp"

#include <privet/core/bytes.hpp>
#include <privet/core/sha256.hpp>
#include <privet/core/transport.hpp>

#include <algorithm>
#include <concepts>
#include <deque>
#include <memory>
#include <type_traits>
#include <utility>

using namespace privet;

// The seam is an interface and nothing else: no state, and safe to destroy from above.
static_assert(std::is_abstract_v<transport> && std::has_virtual_destructor_v<transport>);
static_assert(sizeof(transport) == sizeof(void*));

namespace {

using bytes = std::vector<std::byte>;
using queue = std::deque<bytes>;

bytes message_of(std::string_view text) {
  const auto view = bytes_of(text);
  return {view.begin(), view.end()};
}

/// One end of a link whose queues a test can reach: the smallest transport that keeps the law.
/// Every frame carries its number and a checksum.
class post : public transport {
 public:
  post(queue& out, queue& in, bool* gone = nullptr) : out_(&out), in_(&in), gone_(gone) {}
  ~post() override {
    if (gone_) *gone_ = true;
  }

  status send(std::span<const std::byte> message) override {
    const digest sum = sha256(message);
    byte_writer frame;
    frame.put(sent_++).put(std::span<const std::byte>(sum)).put(message);
    out_->push_back(std::move(frame).take());
    return nothing{};
  }

  result<bytes> receive() override {
    const std::uint32_t expected = received_++;
    if (in_->empty()) return error::of(fault::message, "post: message ", expected, " did not arrive");
    const bytes frame = std::move(in_->front());
    in_->pop_front();
    byte_reader reader(frame, "post");
    const auto number = reader.take<std::uint32_t>();
    if (!number) return number.error();
    if (*number != expected)
      return error::of(fault::message, "post: message ", *number, ", expected ", expected);
    const auto sum = reader.take_bytes(sizeof(digest));
    if (!sum) return sum.error();
    const auto body = reader.take_bytes(reader.left()).value();
    if (!std::ranges::equal(*sum, sha256(body)))
      return error::of(fault::message, "post: message ", expected, " is damaged");
    return bytes(body.begin(), body.end());
  }

 private:
  queue *out_, *in_;
  bool* gone_;
  std::uint32_t sent_ = 0, received_ = 0;
};

/// Two parties, each with a link of which it knows the interface only.
struct two_parties {
  queue there, back;
  std::unique_ptr<transport> office = std::make_unique<post>(back, there);
  std::unique_ptr<transport> server = std::make_unique<post>(there, back);
};

/// What a party learns when it waits for a message and the link has a reason to give none.
error reason(transport& link) {
  const auto got = link.receive(); // an error value: nothing is thrown
  REQUIRE_FALSE(got);
  return got.error();
}

} // namespace

TEST_CASE("transport: bytes arrive as they were sent, in order, both ways") {
  two_parties two;
  bytes every(256 * 300);
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::byte>(i % 256);
  const bytes messages[] = {{}, {std::byte{0}}, message_of("text"), every};
  for (const auto& m : messages) REQUIRE(two.server->send(m));
  for (const auto& m : messages) CHECK(two.office->receive().value() == m);
  for (const auto& m : messages) {
    REQUIRE(two.office->send(m));
    CHECK(two.server->receive().value() == m);
  }
}

TEST_CASE("transport: what was sent belongs to the link, what was received to the receiver") {
  two_parties two;
  bytes mine = message_of("weights");
  REQUIRE(two.server->send(mine));
  std::ranges::fill(mine, std::byte{'x'}); // the sender uses its buffer again
  auto got = two.office->receive().value();
  static_assert(std::same_as<decltype(got), bytes>); // owned, no view into the link
  two.office.reset();
  CHECK(text_of(got) == "weights");
}

TEST_CASE("transport: a dropped, late, repeated or corrupt message is an error value, and the link goes on") {
  two_parties two;
  const auto send = [&](std::string_view text) { REQUIRE(two.server->send(message_of(text))); };
  const auto goes_on = [&] {
    send("next");
    CHECK(text_of(two.office->receive().value()) == "next");
  };
  SECTION("dropped") {
    send("lost");
    two.there.clear();
    CHECK(reason(*two.office).message == "[N009 message] post: message 0 did not arrive");
    goes_on();
  }
  SECTION("late") {
    send("slow");
    const bytes slow = std::exchange(two.there, {}).front();
    CHECK(reason(*two.office).kind == fault::message);
    two.there.push_back(slow); // arrives where the next one is due
    CHECK(reason(*two.office).message == "[N009 message] post: message 0, expected 1");
    send("one missed");
    CHECK(reason(*two.office).message == "[N009 message] post: message 1, expected 2");
  }
  SECTION("repeated") {
    send("once");
    two.there.push_back(two.there.front());
    CHECK(text_of(two.office->receive().value()) == "once");
    CHECK(reason(*two.office).message == "[N009 message] post: message 0, expected 1");
  }
  SECTION("corrupt") {
    send("one bit");
    two.there.front().back() ^= std::byte{1};
    CHECK(reason(*two.office).message == "[N009 message] post: message 0 is damaged");
    goes_on();
    send("cut short");
    two.there.front().resize(20);
    CHECK(reason(*two.office).kind == fault::format);
    goes_on();
  }
}

TEST_CASE("transport: an error of the link becomes an exception only where a party asks for the value") {
  two_parties two;
  const auto got = two.office->receive();
  CHECK_FALSE(got.has_value());
  CHECK_THROWS_WITH(got.value(), "[N009 message] post: message 0 did not arrive");
}

TEST_CASE("transport: a link that is owned by its interface ends as itself") {
  queue q;
  bool gone = false;
  std::unique_ptr<transport> link = std::make_unique<post>(q, q, &gone);
  CHECK_FALSE(gone);
  link.reset();
  CHECK(gone);
}
