// Any bytes are read or refused; what was read, written and read again is the same.
#include <privet/core/safetensors.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = read_safetensors({bytes.begin(), bytes.end()});
  if (!file) return 0;

  const auto again = read_safetensors(write_safetensors(file->entries(), file->metadata()));
  if (!again || again->metadata() != file->metadata() || again->entries().size() != file->entries().size())
    std::abort();
  for (const tensor_entry& entry : file->entries()) {
    const tensor_entry* copy = again->find(entry.name);
    if (!copy || copy->type != entry.type || copy->shape != entry.shape ||
        !std::ranges::equal(copy->data, entry.data))
      std::abort();
    if (copy->type == dtype::f32 && !copy->view<float>()) std::abort(); // our own files are aligned
    if (entry.type == dtype::f32) {
      std::vector<float> values(entry.data.size() / sizeof(float));
      if (!entry.copy_to<float>(values) || !std::ranges::equal(std::as_bytes(std::span(values)), entry.data))
        std::abort();
    }
  }
  return 0;
}
