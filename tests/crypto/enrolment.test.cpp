#include "support/catch.hpp"
#include "support/refused.hpp"

#include <privet/crypto/enrolment.hpp>
#include <privet/random/system.hpp>

using namespace privet;

namespace {

struct three_offices {
  system_random source;
  signing_key authority = signing_key::generate(source);
  std::vector<signing_key> keys;
  std::vector<enrolled_office> list;
  three_offices() {
    for (const auto* name : {"Graz", "Linz", "Wien"}) {
      keys.push_back(signing_key::generate(source));
      list.push_back({name, keys.back().public_key()});
    }
  }
};

} // namespace

TEST_CASE("a signed list of offices survives its bytes and knows its offices") {
  three_offices t;
  const auto offices = enrolment::of(t.list).value();
  const auto bytes = write_enrolment(offices, t.authority);
  const auto read = read_enrolment(bytes, t.authority.public_key());
  REQUIRE(read.has_value());
  CHECK(*read == offices);
  CHECK(read->fingerprint() == offices.fingerprint());
  for (std::size_t i = 0; i < 3; ++i) CHECK(read->find(t.keys[i].public_key()) == i);
  CHECK_FALSE(read->find(t.authority.public_key()).has_value());

  auto swapped = t.list;
  std::swap(swapped[0], swapped[1]);
  CHECK(enrolment::of(swapped).value().fingerprint() != offices.fingerprint());
  CHECK(read_enrolment(write_enrolment(enrolment(), t.authority), t.authority.public_key()).value().size() ==
        0);
}

TEST_CASE("no office is enrolled twice, nameless or under another authority") {
  three_offices t;
  const auto refused = [&](const std::vector<enrolled_office>& list) {
    return test::refused(enrolment::of(list), fault::argument);
  };
  auto list = t.list;
  list.push_back({"Wels", t.list[0].key});
  CHECK_THAT(refused(list), Catch::Contains("key"));
  list.back() = {"Graz", t.authority.public_key()};
  CHECK_THAT(refused(list), Catch::Contains("'Graz'"));
  list.back().name = "";
  refused(list);
  list.back().name = std::string(65, 'x');
  refused(list);

  const auto bytes = write_enrolment(enrolment::of(t.list).value(), t.keys[0]);
  const auto foreign = read_enrolment(bytes, t.authority.public_key(), "list");
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().kind == fault::message);

  // A list with one office twice, although signed.
  byte_writer twice;
  twice.put("PRIVETEN").put(std::uint32_t{1}).put(std::uint32_t{2});
  for (int i = 0; i < 2; ++i) twice.put(std::uint8_t{1}).put(i ? "a" : "b").put(t.list[0].key.bytes);
  const auto made = t.authority.sign(purposes::enrolment, twice.view());
  twice.put(made.bytes);
  const auto read = read_enrolment(twice.view(), t.authority.public_key());
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().kind == fault::format);
}

TEST_CASE("no changed, cut or longer list passes") {
  three_offices t;
  const auto bytes = write_enrolment(enrolment::of(t.list).value(), t.authority);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto other = bytes;
    other[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(read_enrolment(other, t.authority.public_key()).has_value());
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(read_enrolment(std::span(bytes).first(size), t.authority.public_key()).has_value());
  auto longer = bytes;
  longer.push_back({});
  CHECK_FALSE(read_enrolment(longer, t.authority.public_key()).has_value());
}
