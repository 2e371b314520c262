#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/crypto/residues.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using namespace privet;

TEST_CASE("residues: words become digits of any size, with strides between, and come back") {
  for (const unsigned digit : {26u, 28u, 29u, 32u, 52u, 64u})
    for (const std::size_t size : {1u, 2u, 5u, 32u}) {
      std::vector<std::uint64_t> words(size);
      std::uint64_t state = digit + 100 * size;
      for (auto& w : words) w = state = state * 6364136223846793005u + 1442695040888963407u;
      const std::size_t count = (64 * size + digit - 1) / digit, stride = 3;
      std::vector<std::uint64_t> digits(count * stride, 7), back(size, 9);
      detail::digits_from_words(words.data(), size, digit, digits.data(), count, stride);
      for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i % stride == 0)
          CHECK((digit == 64 || digits[i] >> digit == 0));
        else
          CHECK(digits[i] == 7);
      }
      // Bit by bit.
      for (std::size_t bit = 0; bit < 64 * size; ++bit)
        REQUIRE((digits[bit / digit * stride] >> bit % digit & 1) == (words[bit / 64] >> bit % 64 & 1));
      detail::words_from_digits(digits.data(), count, stride, digit, back.data(), size);
      CHECK(back == words);
    }
}

TEST_CASE("residues: empty ones are, and what was moved from is") {
  residues<> none;
  CHECK(none.empty());
  residues<> other(std::move(none));
  CHECK(other.size() == 0);
  CHECK(none.empty()); // NOLINT(bugprone-use-after-move)
}
