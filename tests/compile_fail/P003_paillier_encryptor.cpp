// expect: P003 replayable-key
#include <privet/crypto/paillier.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

using namespace privet;

ciphertexts<> encrypt(const paillier_public_key& key, std::span<const std::uint64_t> plain) {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  const paillier_encryptor<> encrypts(key, source);
  return encrypts.encrypt(plain, source);
}
