// The code of docs/crypto/{signing,enrolment,key_certificate,sealed_file,phe,paillier_file}.md.

#include <privet/core/file.hpp>
#include <privet/crypto/certified_key.hpp>
#include <privet/crypto/enrolment.hpp>
#include <privet/crypto/phe.hpp>
#include <privet/crypto/sealed_file.hpp>
#include <privet/crypto/share_file.hpp>
#include <privet/crypto/signing.hpp>
#include <privet/random/system.hpp>

#include <filesystem>
#include <string_view>

namespace {

using namespace privet;

void sign(std::span<const std::byte> update) {
  system_random source;
  const auto office = signing_key::generate(source);
  const signature made = office.sign(purposes::encrypted_update, update);

  verify(office.public_key(), purposes::encrypted_update, update, made, "office 2").value();
}

void enrol(const signing_key& authority, const verifying_key& of_graz, const verifying_key& of_linz) {
  const auto offices = enrolment::of({{"Graz", of_graz}, {"Linz", of_linz}}).value();
  write_file_atomically("offices.list", write_enrolment(offices, authority)).value();

  const auto bytes = read_file("offices.list").value();
  const auto known = read_enrolment(bytes, authority.public_key(), "offices.list").value();
  if (const auto number = known.find(of_linz)) (void)known.offices()[*number].name;
}

void vouch(const signing_key& authority, const dealt_paillier_key& dealt, const paillier_public_key& received,
           std::span<const std::byte> sent, const verifying_key& of_authority) {
  const quorum of{3, 5};
  const auto certificate = write_certificate(certify(authority, statement_of(dealt.public_key, of)));

  const auto read = read_certificate(sent, "certificate").value();
  const auto key = certified_key(received, read, of_authority, "certificate").value();
  if (read.says.holding == key_holding::one_holder) throw std::runtime_error("somebody can open everything");
  (void)key.blum();
  (void)certificate;
}

void seal(const signing_key& key, std::string_view typed) {
  system_random source;
  const auto phrase = passphrase::of(typed).value();
  save_sealed("office.key", "signing-key", key.seed(), phrase, source).value();

  const secret_bytes seed = load_sealed("office.key", "signing-key", phrase).value();
  const signing_key again(seed.bytes());
}

double exchange(const std::string& jwk, const std::string& from_python) {
  const auto theirs = phe::read_public_key(jwk, "public.json").value();
  const auto key = paillier_public_key::from_modulus(theirs.n).value();
  const phe::encoding encoding(key.n());
  const auto number = encoding.encode(-0.1, 1e-6).value(); // number.mantissa is what is encrypted

  const auto c = phe::read_ciphertext(from_python, 2 * key.bits(), "c.json").value(); // c.value, c.exponent
  (void)c;
  return encoding.decode(number.mantissa, number.exponent).value();
}

void store(const paillier_secret_key& secret, const paillier_key_share& share, const passphrase& phrase) {
  system_random source;
  write_file_atomically("office.pub", write_key(secret.public_key())).value();
  save_sealed("office.key", "paillier-secret-key", write_key(secret), phrase, source).value();
  save_sealed("office.share", "paillier-share", write_key(share), phrase, source).value();

  const auto opened = load_sealed("office.share", "paillier-share", phrase).value();
  const auto mine = read_key_share(opened.bytes(), "office.share").value();
}

} // namespace

void use_of_keys() { (void)&sign, (void)&enrol, (void)&vouch, (void)&seal, (void)&exchange, (void)&store; }
