#include "support/catch.hpp"

#include <privet/data/schema.hpp>

using namespace privet;

TEST_CASE("a schema hash is the start of the SHA-256 of its names") {
  // python3: hashlib.sha256(b"privet schema 1\n2\n1:a\n2:bc\n1\n1:x\n0:\n").hexdigest()[:16]
  const schema s{{"a", "bc"}, {"x"}, {}};
  CHECK(s.hash_text() == "3f869cf7d60d62f2");
  CHECK(s.hash() == 0x3f869cf7d60d62f2);
}

TEST_CASE("a schema hash changes with every name, their order, the classes and the scaling") {
  const schema s{{"a", "bc"}, {"x", "y"}, "raw"};
  CHECK(s.hash() == schema(s).hash());
  for (const schema& other : {schema{{"ab", "c"}, {"x", "y"}, "raw"}, schema{{"bc", "a"}, {"x", "y"}, "raw"},
                              schema{{"a", "bc", "x"}, {"y"}, "raw"}, schema{{"a", "bc"}, {"y", "x"}, "raw"},
                              schema{{"a", "bc"}, {"x", "y"}, "scaled"}, schema{{"a"}, {"x", "y"}, "raw"}}) {
    CHECK(other.hash() != s.hash());
    CHECK(first_difference(s, other).has_value());
  }
}

TEST_CASE("the first difference names the place and both sides") {
  const schema mine{{"age", "height", "weight"}, {"ill", "well"}, "raw"};
  CHECK(first_difference(mine, mine) == std::nullopt);
  CHECK(first_difference(mine, {{"age", "weight", "height"}, {"well"}, "raw"}) ==
        "column 2: 'height' here, 'weight' there");
  CHECK(first_difference(mine, {{"age", "height"}, {"ill", "well"}, "raw"}) ==
        "column 3: 'weight' here, nothing there");
  CHECK(first_difference(mine, {mine.features, {"ill", "well", "dead"}, "raw"}) ==
        "class 3: nothing here, 'dead' there");
  CHECK(first_difference(mine, {mine.features, mine.classes, "standardised"}) ==
        "scaling: 'raw' here, 'standardised' there");
}
