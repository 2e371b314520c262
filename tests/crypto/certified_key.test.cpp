#include "support/catch.hpp"
#include "support/paillier.hpp"
#include "support/refused.hpp"

#include <privet/crypto/certified_key.hpp>
#include <privet/random/system.hpp>

using namespace privet;
using test::paillier::small;

TEST_CASE("a key is believed as far as its certificate says") {
  auto& source = thread_system_random();
  const auto authority = signing_key::generate(source), server = signing_key::generate(source);
  const auto secret = paillier_secret_key::generate(256, source, small);
  const auto& known = secret.public_key();
  REQUIRE(known.blum());
  const auto seen = paillier_public_key::from_modulus(known.n(), small).value(); // as a peer gets it
  REQUIRE_FALSE(seen.blum());

  const auto certificate = certify(authority, statement_of(known, {3, 5}));
  CHECK(certificate.says.holding == key_holding::some_shares);
  CHECK((certificate.says.threshold == 3 && certificate.says.parties == 5 && certificate.says.bits == 256));
  CHECK(certified_key(seen, certificate, authority.public_key()).value().blum());
  CHECK(statement_of(known, quorum::all_of(4)).holding == key_holding::all_shares);
  CHECK(statement_of(known).check().has_value());

  // Without the word of the authority it is an ordinary key.
  const auto modest = certify(authority, statement_of(seen));
  CHECK_FALSE(certified_key(seen, modest, authority.public_key()).value().blum());

  const auto refused = [&](const paillier_public_key& key, const key_certificate& c) {
    test::refused(certified_key(key, c, authority.public_key()), fault::message);
  };
  refused(seen, certify(server, statement_of(known)));
  refused(paillier_secret_key::generate(256, source, small).public_key(), certificate); // a swapped key
  auto larger = statement_of(known);
  larger.bits = 3072;
  refused(seen, certify(authority, larger));
  auto changed = certificate;
  changed.says.blum = false;
  refused(seen, changed);
}
