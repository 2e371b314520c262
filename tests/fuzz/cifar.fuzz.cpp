// Any bytes are rows of images or an error. A record is long for a fuzzer, so every byte stands for 1,024.
#include <privet/data/cifar.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace privet;
  if (size > 400) return 0;
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < size; ++i)
    bytes.insert(bytes.end(), data[i] < 0x80 ? 1 : 1024, std::byte(data[i] & 0x7f));
  const auto look = [&](const auto& read, std::size_t record) {
    if (!read) return;
    read->check();
    if (bytes.size() % record != 0 || read->rows() > bytes.size() / record) std::abort();
  };
  look(cifar10::parse(bytes), 3073);
  look(cifar10::parse(bytes, {.classes = {"cat", "dog"}}), 3073);
  look(cifar100::parse(bytes), 3074);
  look(cifar100::parse(bytes, {.coarse = true}), 3074);
  return 0;
}
