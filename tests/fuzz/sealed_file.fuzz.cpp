// Any bytes are read or refused as a sealed file, without spending more than the cheapest cost here; what
// opens is what was sealed.
#include <privet/crypto/sealed_file.hpp>
#include <privet/random/system.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto head = detail::read_sealed_header(bytes, "fuzz");
  if (!head) return 0;
  if (!head->cost.check() || head->whole.size() + head->sealed.size() != size) std::abort();

  static const passphrase phrase = passphrase::of("fuzz").value();
  constexpr sealing_cost cheap{.passes = 1, .memory = sealing_cost::least_memory};
  std::vector<std::byte> affordable(bytes.begin(), bytes.end());
  store_little(cheap.passes, affordable.data() + 12);
  store_little(cheap.memory, affordable.data() + 16);
  if (open_secret(head->kind, affordable, phrase)) std::abort(); // nobody has sealed these bytes

  const auto sealed = seal_secret(head->kind, head->sealed, phrase, thread_system_random(), cheap);
  const auto opened = open_secret(head->kind, sealed, phrase);
  if (!opened || !std::ranges::equal(opened->bytes(), head->sealed)) std::abort();
  return 0;
}
