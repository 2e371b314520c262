#include "support/catch.hpp"
#include "support/encrypted.hpp"

#include <privet/federated/encrypted_office.hpp>

#include <vector>

// The test is the server, and not the one of the library.

using namespace privet;
using Catch::Matchers::Contains;

namespace {

using bytes = std::vector<std::byte>;

/// Offices that a server talks to by hand, after the first weights.
struct talk {
  test::encrypted_federation<threshold_opener<>> f;
  std::vector<sum_member> members;

  explicit talk(std::size_t threshold = 4)
      : f(test::dealt_shares(threshold), {.standardise = false}, test::four_in_clear(), false) {
    for (std::uint32_t i = 1; i <= 4; ++i) members.push_back({i, test::four_data_sets()[i - 1].rows()});
    f.server.open(f.ends, network(test::model_of_tests));
  }

  /// Of the Paillier key, which everybody knows.
  const paillier_public_key& key() const { return f.key; }

  message ask(std::size_t office, message_kind kind, std::uint32_t number, bytes body) {
    return decode_message(f.offices[office]->answer(encode(message{kind, 0, number, 0, std::move(body)})))
        .value();
  }
  /// Why an office refuses; fails when it does not.
  std::string refused(std::size_t office, message_kind kind, std::uint32_t number, bytes body) {
    const auto before = f.weights(office);
    const auto reply = ask(office, kind, number, std::move(body));
    CHECK(reply.kind == message_kind::refusal);
    CHECK(f.weights(office) == before);
    return std::string(text_of(reply.body));
  }
  bytes update(std::size_t office, std::uint32_t number) { return update(office, number, members); }
  bytes update(std::size_t office, std::uint32_t number, std::span<const sum_member> of) {
    auto reply = ask(office, message_kind::ask_sum, number, encode_members(of));
    REQUIRE(reply.kind == message_kind::encrypted);
    return std::move(reply.body);
  }
  std::vector<bytes> updates(std::uint32_t number) {
    std::vector<bytes> all;
    for (std::size_t i = 0; i < 4; ++i) all.push_back(update(i, number));
    return all;
  }
  bytes share(std::size_t office, std::uint32_t number, const std::vector<bytes>& pieces) {
    auto reply = ask(office, message_kind::ask_share, number, encode_pieces(pieces));
    REQUIRE(reply.kind == message_kind::opening_share);
    return std::move(reply.body);
  }
  /// Whether a round can still be completed, so that what was refused did no harm.
  void complete(std::uint32_t number) {
    const auto before = f.weights(0);
    const auto all = updates(number);
    std::vector<bytes> boxes;
    for (std::size_t i = 0; i < 4; ++i) boxes.push_back(share(i, number, all));
    for (std::size_t i = 0; i < 4; ++i)
      REQUIRE(ask(i, message_kind::open, number, encode_pieces(boxes)).kind == message_kind::opened);
    CHECK(f.weights(0) != before);
    for (std::size_t i = 1; i < 4; ++i) CHECK(f.weights(i) == f.weights(0));
  }
};

/// What a server that has everything but secrets can put together: ciphertexts of its own under a header.
bytes forged(const bytes& like, std::uint32_t client, const paillier_public_key& key) {
  system_random source;
  auto header = claimed_header(std::span(like).first(packed_header_bytes)).value();
  const paillier_encryptor<> encryptor(key, source);
  const auto own = encryptor.encrypt(std::vector<std::uint64_t>(header.ciphertexts * key.n().size()), source);
  const auto numbers = encryptor.evaluator().write(own);
  header.client = client;
  const cohort_key guessed(cohort_secret::draw(source), key.fingerprint(), "");
  return encode_encrypted(header, bytes_of_words(numbers), guessed, digest{}, signing_key::generate(source));
}

} // namespace

TEST_CASE("a single ciphertext is not opened") {
  talk t;
  // Not as a sum of one or two ...
  for (const std::size_t n : {1u, 2u}) {
    const auto few = encode_members(std::span(t.members).first(n));
    CHECK_THAT(t.refused(0, message_kind::ask_sum, 1, few), Contains("sum of " + std::to_string(n)));
  }
  // ... and not after a sum of four was asked for.
  auto all = t.updates(1);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(std::vector<bytes>{all[0]})),
             Contains("sum of 1 updates"));
  t.complete(2);
}

TEST_CASE("a single ciphertext among encryptions of the server is not opened") {
  talk t;
  auto all = t.updates(1);
  for (std::uint32_t i = 1; i < 4; ++i) all[i] = forged(all[i], i + 1, t.key());
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(all)), Contains("tag"));
  // Nor the same office four times.
  const std::vector<bytes> same(4, all[0]);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(same)), Contains("is of client 1"));
  t.complete(2);
}

TEST_CASE("ciphertexts of several updates are not mixed") {
  talk t;
  auto all = t.updates(1);
  const std::size_t ciphertext = 2 * 512 / 8;
  std::swap_ranges(all[1].begin() + packed_header_bytes, all[1].begin() + packed_header_bytes + ciphertext,
                   all[2].begin() + packed_header_bytes);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(all)), Contains("digest"));
  t.complete(2);
}

TEST_CASE("a header of one office and the signature of another do not go together") {
  talk t;
  auto all = t.updates(1);
  std::copy(all[2].end() - 64, all[2].end(), all[1].end() - 64);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(all)), Contains("signature"));
}

TEST_CASE("two sums that differ in one office are not both opened") {
  talk t;
  const auto all = t.updates(1);
  const std::vector<bytes> three(all.begin(), all.begin() + 3);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(three)), Contains("sum of 3 updates"));
  std::vector<bytes> boxes{t.share(0, 1, all)};
  for (const auto& again : {all, three})
    CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(again)), Contains("once"));
  // Nor does an office train again from the same weights for another sum, while this one is kept back.
  CHECK_THAT(t.refused(0, message_kind::ask_sum, 2, encode_members(t.members)), Contains("sum 1"));
  for (std::size_t i = 1; i < 4; ++i) boxes.push_back(t.share(i, 1, all));
  REQUIRE(t.ask(0, message_kind::open, 1, encode_pieces(boxes)).kind == message_kind::opened);
}

TEST_CASE("updates do not enter a later sum") {
  talk t;
  const auto all = t.updates(1);
  auto mixed = all;
  mixed[0] = t.update(0, 2);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 2, encode_pieces(mixed)), Contains("round"));
  // And an office encrypts once for a number.
  CHECK_THAT(t.refused(0, message_kind::ask_sum, 2, encode_members(t.members)), Contains("asked for once"));
  t.complete(3);
}

TEST_CASE("offices that were told different things refuse each other's updates") {
  // Rows of others that make the update of office 1 count for all, and theirs for nothing.
  talk t;
  std::vector<sum_member> louder = t.members;
  for (std::size_t i = 1; i < 4; ++i) louder[i].rows = 1;
  std::vector<bytes> all{t.update(0, 1, louder)};
  for (std::size_t i = 1; i < 4; ++i) all.push_back(t.update(i, 1));
  for (const std::size_t office : {0u, 1u})
    CHECK_THAT(t.refused(office, message_kind::ask_share, 1, encode_pieces(all)), Contains("tag"));
}

TEST_CASE("offices with other lists of clients, models or weights refuse each other's updates") {
  talk t(3);
  const std::span first_three(t.members.data(), 3);
  std::vector<bytes> all;
  for (std::size_t i = 0; i < 3; ++i)
    all.push_back(t.update(i, 1, i == 0 ? first_three : std::span(t.members)));
  CHECK_THAT(t.refused(0, message_kind::ask_share, 1, encode_pieces(all)), Contains("tag"));

  // An office that begins with another seed has other weights.
  test::encrypted_federation f(test::dealt_shares(), {}, test::four_in_clear(), false);
  const auto say = [&](std::size_t office, message_kind kind, std::uint32_t number, bytes body) {
    return decode_message(f.offices[office]->answer(encode(message{kind, 0, number, 0, std::move(body)})))
        .value();
  };
  const auto model = json_text(describe(test::model_of_tests));
  std::vector<bytes> updates;
  for (std::size_t i = 0; i < 4; ++i) {
    say(i, message_kind::ask_schema, 0, {});
    say(i, message_kind::agree, 0, {});
    say(i, message_kind::architecture, 0, {bytes_of(model).begin(), bytes_of(model).end()});
    REQUIRE(say(i, message_kind::begin, 0, encode_number(i == 2 ? 8 : 7)).kind == message_kind::begun);
    updates.push_back(say(i, message_kind::ask_sum, 1, encode_members(t.members)).body);
  }
  const auto reply = say(0, message_kind::ask_share, 1, encode_pieces(updates));
  REQUIRE(reply.kind == message_kind::refusal);
  CHECK_THAT(std::string(text_of(reply.body)), Contains("tag"));
}

TEST_CASE("an office that trained for one list of offices does not train for another from the same weights") {
  talk t(3);
  const std::span first_three(t.members.data(), 3);
  const auto first = t.update(0, 1);
  CHECK_THAT(t.refused(0, message_kind::ask_sum, 2, encode_members(first_three)), Contains("other offices"));
  t.complete(3); // for the same list it encrypts again
}

TEST_CASE("a model begins once") {
  talk t;
  t.complete(1);
  const auto model = json_text(describe(sequential{dense<5, 900>{}, relu{}, dense<900, 3>{}}));
  CHECK_THAT(t.refused(0, message_kind::architecture, 0, {bytes_of(model).begin(), bytes_of(model).end()}),
             Contains("after its model had begun"));
  CHECK_THAT(t.refused(0, message_kind::begin, 0, encode_number(0)), Contains("after its model had begun"));
  t.complete(2);
}

TEST_CASE("a sum is not opened without the parts of enough offices") {
  test::encrypted_federation f(test::dealt_whole(), {.standardise = false}, test::four_in_clear(), false);
  f.run(1);
  const auto all = talk().members;
  const auto say = [&](std::size_t office, message_kind kind, bytes body) {
    return decode_message(f.offices[office]->answer(encode(message{kind, 0, 9, 0, std::move(body)}))).value();
  };
  std::vector<bytes> updates;
  for (std::size_t i = 0; i < 4; ++i)
    updates.push_back(say(i, message_kind::ask_sum, encode_members(all)).body);
  REQUIRE(say(0, message_kind::ask_share, encode_pieces(updates)).kind == message_kind::opening_share);
  const auto reply = say(0, message_kind::open, encode_pieces(std::vector<bytes>(4)));
  CHECK_THAT(std::string(text_of(reply.body)), Contains("0 offices"));
}

TEST_CASE("what the server hears of a scaling does not depend on it") {
  test::encrypted_federation f(test::dealt_shares());
  const auto ask = [&](message_kind kind, bytes body) {
    return decode_message(f.offices[0]->answer(encode(message{kind, 0, 0, 0, std::move(body)}))).value();
  };
  const auto before = ask(message_kind::ask_schema, {});
  f.run(1);
  const auto after = ask(message_kind::ask_schema, {});
  CHECK(after.body == before.body);
  CHECK(after.schema_hash == before.schema_hash);
  CHECK(ask(message_kind::agree, {}).kind == message_kind::refusal);
}

TEST_CASE("a swapped key is refused before anything is encrypted") {
  system_random source;
  const auto other = paillier_secret_key::generate(512, source, test::small);
  const auto refused = [&](auto&& change) {
    auto dealt = test::dealt_whole();
    auto keys = std::move(dealt.offices[0]);
    change(keys);
    using office = encrypted_office<key_opener<>>;
    CHECK_THROWS_WITH(office(1, test::honest(1, test::four_data_sets()[0]), std::move(keys)),
                      Contains("certificate") || Contains("signature"));
  };
  refused([&](auto& keys) { keys.key = other.public_key(); });
  refused([&](auto& keys) { // with a certificate that the server made
    keys.key = other.public_key();
    const auto server = signing_key::generate(source);
    keys.certificate =
        certify(server, {.fingerprint = other.public_key().fingerprint(), .bits = 512, .blum = true});
  });
}

TEST_CASE("a replayed round is refused") {
  talk t;
  t.complete(1);
  const auto old = t.updates(2);
  const auto fresh = t.updates(3);
  CHECK_THAT(t.refused(0, message_kind::ask_share, 2, encode_pieces(old)), Contains("once"));
  CHECK_THAT(t.refused(0, message_kind::ask_share, 3, encode_pieces(old)), Contains("round"));
  CHECK_THAT(t.refused(0, message_kind::ask_sum, 1, encode_members(t.members)), Contains("asked for once"));
  t.complete(4);
}

TEST_CASE("nothing is answered in clear") {
  talk t;
  for (const auto kind : {message_kind::ask_moments, message_kind::train, message_kind::ask_start})
    CHECK_THAT(t.refused(0, kind, 1, encode_number(1)), Contains("in clear"));
  CHECK_THAT(
      t.refused(0, message_kind::agree, 0, encode_numbers(std::span<const double>(std::vector<double>(15)))),
      Contains("in clear"));
}

TEST_CASE("a reason that lies in the data stays with the office, and it answers nothing more") {
  const local_sgd wild{.learning_rate = 1e9, .epochs = 3};
  std::vector<std::unique_ptr<participant>> diverging;
  for (auto& rows : test::four_data_sets()) {
    const auto id = static_cast<std::uint32_t>(diverging.size() + 1);
    diverging.push_back(
        std::make_unique<office<decltype(wild.recipe())>>(id, std::move(rows), wild.recipe(), 3));
  }
  test::encrypted_federation f(test::dealt_whole(), {.seed = 3}, std::move(diverging));
  std::string known;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < 4; ++i)
    f.offices[i]->on_refusal = [&, i](const error& why) { known = why.message, failed = i; };
  CHECK_THROWS_WITH(f.run(5), Contains("it knows why") && !Contains("diverged"));
  CHECK_THAT(known, Contains("learning rate") || Contains("range"));
  // Asked again, and for anything: or the server could find out by what it asks.
  for (const auto kind : {message_kind::ask_sum, message_kind::ask_schema, message_kind::begin}) {
    const auto reply = decode_message(f.offices[failed]->answer(encode(message{kind, 0, 77, 0, {}}))).value();
    CHECK_THAT(std::string(text_of(reply.body)), Contains("it knows why"));
  }
}

TEST_CASE("columns are scaled as the office's terms say, not as the server likes") {
  test::encrypted_federation scales(test::dealt_shares(), {.standardise = false});
  CHECK_THROWS_WITH(scales.run(1), Contains("was told to scale"));
  test::encrypted_federation leaves(test::dealt_shares(), {.standardise = true}, test::four_in_clear(),
                                    false);
  CHECK_THROWS_WITH(leaves.run(1), Contains("its scaling needs none"));
}

TEST_CASE("lists of clients that are none are refused") {
  talk t;
  const auto refused = [&](std::vector<sum_member> list) {
    return t.refused(0, message_kind::ask_sum, 1, encode_members(list));
  };
  CHECK_THAT(refused({{1, 9}, {1, 9}, {1, 9}}), Contains("ascend"));
  CHECK_THAT(refused({{2, 30}, {3, 4}, {4, 17}}), Contains("has 9 rows"));
  CHECK_THAT(refused({{1, 9}, {2, 30}, {3, 0}}), Contains("rows"));
  CHECK_THAT(refused({{1, 8}, {2, 30}, {3, 4}}), Contains("has 9 rows"));
  CHECK_THAT(refused({{1, 9}, {2, 30}, {5, 17}}), Contains("enrolled"));
  CHECK_THAT(t.refused(0, message_kind::ask_sum, 1, bytes(13)), Contains("no list"));
  CHECK_THAT(t.refused(0, message_kind::ask_share, 7, {}), Contains("once"));
  CHECK_THAT(t.refused(0, message_kind::open, 7, {}), Contains("does not open"));
}
