// expect: P005 secret-at-server
#include <privet/federated/key_authority.hpp>

using namespace privet;

void use(dealt_paillier_key dealt, encrypted_server_keys open) {
#if MISUSE
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(dealt.shares));
#else
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(open));
#endif
  server.round(0);
}
