// The code of docs/paillier.md.

#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/key_authority.hpp>
#include <privet/federated/offices.hpp>
#include <privet/random/system.hpp>

using namespace privet;

void deal_and_build(std::unique_ptr<participant> rows_of_one) {
  system_random source;
  auto dealt = deal_shares(threshold_paillier<3072>::deal(4, source), source);
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(dealt.server)); // cannot read
  encrypted_office one(1, std::move(rows_of_one), std::move(dealt.offices[0])); // any office, behind a wall
  static_cast<void>(server.bytes_up());
  static_cast<void>(one.loss());
}
