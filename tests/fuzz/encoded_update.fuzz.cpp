// Any bytes are read or refused as an encoded update; what was read and encoded again is the same bytes, its places
// ascend, and a model of its size takes it.
#include <privet/federated/decoded_uploads.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const message m{message_kind::encoded_update, 1, 2, 3, {bytes.begin(), bytes.end()}};
  const auto u = decode_encoded_update(m);
  if (!u) return 0;
  if (!std::ranges::equal(encode_update(*u), bytes)) std::abort();
  const auto& x = u->numbers;
  for (std::size_t i = 1; i < x.places.size(); ++i)
    if (x.places[i] <= x.places[i - 1]) std::abort();
  if (x.parameters > (1u << 16)) return 0; // a server knows the length of its model and makes no other
  const auto whole = decode(*u, x.parameters);
  if (!whole || whole->shared.size() != x.parameters) std::abort();
  if (decode(*u, x.parameters + 1)) std::abort();
  const decoded_uploads server;
  auto state = server.init(x.parameters);
  (void)server.absorb(state, *u); // refused where a weight or number is out of its range
  return 0;
}
