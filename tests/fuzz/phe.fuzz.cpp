// Any text is read or refused as a key or ciphertext of python-paillier, any number as one of its encodings;
// what was read, written and read again is the same.
#include <privet/crypto/phe.hpp>

#include <cstdlib>

using namespace privet;

namespace {

void check(std::string_view text) {
  if (const auto key = phe::read_public_key(text)) {
    const auto again = phe::read_public_key(phe::write_public_key(*key));
    if (!again || again->n != key->n) std::abort();
  }
  if (const auto key = phe::read_private_key(text)) {
    const auto again = phe::read_private_key(phe::write_private_key(*key));
    if (!again || again->p != key->p || again->q != key->q || again->pub.n != key->pub.n) std::abort();
  }
  if (const auto c = phe::read_ciphertext(text, 4096)) {
    if (bit_length(c->value) > 4096) std::abort();
    const auto again = phe::read_ciphertext(phe::write_ciphertext(*c), 4096);
    if (!again || again->value != c->value || again->exponent != c->exponent) std::abort();
  }
  if (const auto many = phe::read_ciphertexts(text, 512)) {
    const auto again = phe::read_ciphertexts(phe::write_ciphertexts(*many), 512);
    if (!again || again->size() != many->size()) std::abort();
    for (std::size_t i = 0; i < many->size(); ++i)
      if ((*again)[i].value != (*many)[i].value || (*again)[i].exponent != (*many)[i].exponent) std::abort();
  }
}

/// A modulus of 192 bits, a mantissa, an exponent and a double.
void check_encoding(std::span<const std::byte> bytes) {
  byte_reader in(bytes);
  std::vector<std::uint64_t> n(3), mantissa(3);
  for (auto* words : {&n, &mantissa})
    for (auto& w : *words) w = in.take<std::uint64_t>().value();
  const auto exponent = in.take<std::int32_t>().value();
  const auto x = in.take<double>().value();
  const auto most = in.take<std::int32_t>().value();
  n[2] |= std::uint64_t{1} << 63;
  const phe::encoding encoding(n);

  const auto decoded = encoding.decode(mantissa, exponent);
  const auto whole = encoding.decode_integer(mantissa, exponent);
  if (decoded && *decoded == std::floor(*decoded) && exponent < 0 && exponent > -32 && whole && *whole) {
    if (static_cast<double>(**whole) != *decoded) std::abort();
  }
  if (const auto made = encoding.encode(x)) {
    const auto back = encoding.decode(made->mantissa, made->exponent);
    if (!back || *back != x) std::abort();
    if (const auto lower = encoding.with_exponent(*made, most)) {
      const auto same = encoding.decode(lower->mantissa, lower->exponent);
      if (!same || *same != x) std::abort();
    }
  }
  (void)encoding.encode(x, std::nullopt, most);
  if (const auto factor = encoding.factor_between(exponent, most))
    if (factor->size() != n.size()) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  check(text_of(bytes));
  if (size == 64) check_encoding(bytes);
  return 0;
}
