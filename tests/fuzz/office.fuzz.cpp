// Whatever a server sends, an office answers with a message. The input is cut into several: as they
// stand, which tries the header, or wrapped into an honest header, which tries what lies behind it.
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/top_k.hpp>

#include <cstdlib>

using namespace privet;

namespace {

dataset<float> rows() {
  dataset<float> data;
  data.schema = {{"a", "b"}, {"x", "y"}, ""};
  data.features = make_matrix<float>(4, 2);
  for (std::size_t i = 0; i < 8; ++i) data.features.data()[i] = static_cast<float>(i * i % 5);
  data.features.data()[3] = std::numeric_limits<float>::quiet_NaN();
  data.labels = {0, 1, 1, 0};
  return data;
}

template <class Recipe>
void talk(const Recipe& recipe, const std::uint8_t* data, std::size_t size) {
  office<Recipe> peer(1, rows(), recipe, 1);
  const auto send = [&](std::span<const std::byte> request) {
    const auto reply = decode_message(peer.answer(request));
    if (!reply || reply->sender != 1) std::abort();
    if (peer.data().rows() != 4 || peer.data().features.size() != 8) std::abort();
  };

  // Pieces: how to wrap (0: not at all, else a kind), a length in units of 4, and the bytes.
  auto left = std::as_bytes(std::span(data, size));
  for (int piece = 0; piece < 8 && left.size() >= 2; ++piece) {
    const auto kind = std::to_integer<std::uint16_t>(left[0]);
    const auto length = std::min<std::size_t>(4 * std::to_integer<std::size_t>(left[1]), left.size() - 2);
    const auto body = left.subspan(2, length);
    left = left.subspan(2 + length);
    if (kind == 0)
      send(body);
    else
      send(encode(
          {static_cast<message_kind>(kind), peer.data().schema.hash(), kind, 0, {body.begin(), body.end()}}));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto recipe = local_sgd{.epochs = 1, .batch = 3}.recipe();
  talk(recipe, data, size);
  talk(encoded_uploads{recipe, chain(error_feedback{}.around(top_k{.fraction = 0.3}))}, data, size);
  return 0;
}
