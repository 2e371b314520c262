// expect: P004 clear-update
#include <privet/federated/asynchronous_server.hpp>

using namespace privet;

void run(std::span<transport* const> clients, const network& model) {
#if MISUSE
  asynchronous_server server{fedavg{}.run_by(curious{})};
#else
  asynchronous_server server{fedavg{}};
#endif
  server.run(clients, model, rounds{1});
}
