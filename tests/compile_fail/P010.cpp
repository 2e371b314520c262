// expect: P010 non-linear-sum
#include <privet/federated/key_authority.hpp>

using namespace privet;

/// The median of what clients send, as far as a type shows it.
struct median {
  using trust = curious;
  static constexpr bool linear = false;
  struct state {};
  state init(std::size_t) const { return {}; }
  status absorb(state&, const client_update&) const { return nothing{}; }
  status finish(state&, std::span<float>) const { return nothing{}; }
};

void use(encrypted_server_keys keys) {
#if MISUSE
  encrypted_server server(median{}, std::move(keys));
#else
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(keys));
#endif
  server.round(0);
}
