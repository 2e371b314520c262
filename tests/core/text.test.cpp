// Text from outside on a page: markup stays text, broken bytes and what turns the reading direction do not pass.

#include "support/catch.hpp"

#include <privet/core/text.hpp>

#include <string>

using namespace privet;

TEST_CASE("markup is shown, not read") {
  CHECK(escaped("<b a=\"1\" c='2'>&</b>") == "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;&lt;/b&gt;");
  CHECK(escaped("") == "");
  CHECK(escaped("42 °C, naïve, 中, 🎈") == "42 °C, naïve, 中, 🎈");
}

TEST_CASE("bytes that are no text become U+FFFD, white space a space") {
  const std::string broken = "\xef\xbf\xbd";
  CHECK(escaped("a\tb\nc") == "a b c");
  CHECK(escaped(std::string("\0\x1b", 2)) == broken + broken);
  CHECK(escaped("\xff") == broken);
  CHECK(escaped("\xc3") == broken);                           // ends early
  CHECK(escaped("\xc0\xbc") == broken + broken);              // an overlong '<'
  CHECK(escaped("\xed\xa0\x80") == broken + broken + broken); // half of a surrogate pair
  CHECK(escaped("\xe2\x80\xae"
                "txt.exe") == broken + "txt.exe"); // reads from right to left
}
