// expect: P004 clear-update
#include <privet/federated/offices.hpp>

using namespace privet;

void use(offices& four) {
#if MISUSE
  auto server = aggregation_server{fedavg{}.run_by(curious{})};
#else
  auto server = aggregation_server{fedavg{}.run_by(trusted{})};
#endif
  server.run(four, in_process{}, rounds{25});
}
