// The code of docs/crypto/modulus.md.

#include <privet/crypto/modulus.hpp>

using namespace privet;

void raise_and_multiply(std::span<const std::uint64_t> n, std::span<std::uint64_t> numbers,
                        std::span<const std::uint64_t> exponent, std::size_t bits, const residues<>& other) {
  const modulus<> m(n);                // little-endian words of an odd number
  auto base = m.enter(numbers);        // as many as there are, m.words() words each
  m.power(base, exponent, bits, base); // one exponent for all, which may be secret
  m.multiply(base, other, base);       // stays in Montgomery form
  m.leave(base, numbers);              // below n again
}
