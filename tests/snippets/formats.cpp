// The code of docs/core/formats.md.
#include <privet/core/npz.hpp>
#include <privet/core/safetensors.hpp>
#include <privet/core/zlib.hpp>

#include <cstdio>

namespace {

using namespace privet;

status save_weights() {
  const std::vector<float> weight(43 * 128), bias(128);
  const std::vector<tensor_entry> tensors{tensor_entry::of<float>("0.weight", {43, 128}, weight),
                                          tensor_entry::of<float>("0.bias", {128}, bias)};
  return save_safetensors("model.safetensors", tensors, {{"kind", "wisdm"}});
}

status load_weights(std::span<float> weight) {
  const auto file = load_safetensors("model.safetensors");
  if (!file) return file.error();
  const tensor_entry* stored = file->find("0.weight");
  if (!stored) return error::of(fault::schema, "model.safetensors: no tensor '0.weight'");
  return stored->copy_to(weight);
}

status read_arrays() {
  const auto arrays = load_npz("har.npz", inflate_raw);
  if (!arrays) return arrays.error();
  for (const auto& [name, array] : *arrays)
    std::printf("%s %s\n", name.c_str(), shape_text(array.shape).c_str());

  const auto labels = load_npy("labels.npy");
  if (!labels) return labels.error();
  const auto classes = labels->as<std::int32_t>(); // refuses 2.5, NaN and what 32 bits cannot hold
  if (!classes) return classes.error();
  return nothing{};
}

} // namespace

bool formats_page() { return save_weights() && load_weights({}) && read_arrays(); }
