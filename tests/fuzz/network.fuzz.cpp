// Any text is a network or is refused; a network described and read again is the same, and a small
// one runs.
#include <privet/nn/describe.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = parse_json(text_of(std::as_bytes(std::span(data, size))), "fuzz");
  if (!text) return 0;
  const auto model = read_network(*text, "fuzz");
  if (!model) return 0;

  const auto again = read_network(describe(*model), "fuzz");
  if (!again || again->sizes() != model->sizes() || describe(*again) != describe(*model)) std::abort();
  if (model->sizes().shared > 10'000 || model->depth() > 20) return 0;

  const auto p = model->make_parameters<float>();
  auto memory = model->make_tape<float>(2);
  const std::vector<float> x(2 * model->in_width(), 1.f);
  model->forward(p.trained(), 2, x.data(), memory, {mode::training, 1, 2, 0, 0});
  std::vector<float> gradient(p.trained().size());
  model->backward(p.trained(), 2, x.data(), memory, {mode::training, 1, 2, 0, 0});
  model->accumulate(2, x.data(), memory, std::span<float>(gradient));
  return 0;
}
