// expect: P005 secret-at-server
#include <privet/federated/key_authority.hpp>

using namespace privet;

void use(dealt_keys<key_opener<>> keys) {
#if MISUSE
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(keys.offices[0]));
#else
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(keys.server));
#endif
  server.round(0);
}
