// Any bytes are read or refused, as a message and as the body of every kind; what was read and
// encoded again is the same bytes.
#include <privet/federated/message.hpp>

#include <cstdlib>

using namespace privet;

namespace {
bool same(std::span<const std::byte> a, std::span<const std::byte> b) { return std::ranges::equal(a, b); }
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto m = decode_message(bytes); m && !same(encode(*m), bytes)) std::abort();

  // The checksum keeps the fuzzer out of a message's body, so bodies are also tried by themselves.
  const message m{message_kind::update, 1, 2, 3, {bytes.begin(), bytes.end()}};
  if (const auto again = decode_message(encode(m)); !again || !same(again->body, bytes)) std::abort();
  if (const auto u = decode_update(m); u && !same(encode_update(*u), bytes)) std::abort();
  const message other{message_kind::share, 1, 2, 3, {bytes.begin(), bytes.end()}};
  if (const auto s = decode_share(other); s && !same(encode_share(*s), bytes)) std::abort();
  if (const auto order = decode_order(bytes);
      order && !same(encode_order(order->examples, order->weights), bytes))
    std::abort();
  if (const auto n = decode_number(bytes, "number"); n && !same(encode_number(*n), bytes)) std::abort();
  if (const auto n = decode_numbers<float>(bytes, "floats");
      n && !same(encode_numbers(std::span<const float>(*n)), bytes))
    std::abort();
  if (const auto n = decode_numbers<double>(bytes, "doubles");
      n && !same(encode_numbers(std::span<const double>(*n)), bytes))
    std::abort();
  if (const auto c = decode_schema(bytes)) {
    const auto again = decode_schema(encode_schema(*c));
    if (!again || again->schema != c->schema || again->rows != c->rows) std::abort();
  }
  return 0;
}
