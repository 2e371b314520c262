// The code of docs/nn/transfer.md.

#include <privet/nn/frozen_body.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/resnet18.hpp>
#include <privet/nn/weights.hpp>
#include <privet/optim/adam.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/trainer.hpp>

#include <cstdint>
#include <span>

using namespace privet;

double transfer_page(rows_view<float> rows, std::span<const std::int32_t> labels) {
  // clang-format off
  const auto resnet = resnet18(image{3, 224, 224}, 5);                      // five classes of one's own
  const auto file = load_safetensors("resnet18.safetensors").value();       // torchvision's, of 1000 classes
  const auto known = read_pretrained(resnet, file, new_head<float>{initialise(resnet.model, 7)}).value();

  const auto parts = freeze_all_but(known.model, known.weights, 1);         // all but the last layer
  const auto cached = parts.body.features(rows, 2);                         // once for each data set, on two threads
  trainer train{parts.head, softmax_cross_entropy{}, chain(average_over_batch{}, adam{.learning_rate = 1e-3})};
  train.fit(labelled_rows<float>{cached.view(), labels}, epochs{20});

  const network whole = parts.whole();                                      // reads images again
  const parameters<> p = parts.join(train.parameters());
  write_file_atomically("flowers.safetensors", write_weights(whole, p)).value();
  // clang-format on

  trainer hidden{parts.head, softmax_cross_entropy{},
                 chain(clip_l2{.bound = 1.0}, average_over_batch{}, gaussian{.noise_multiplier = 1.1},
                       adam{.learning_rate = 1e-3}),
                 poisson{.rate = 0.01}, pld_accountant{}};
  hidden.fit(labelled_rows<float>{cached.view(), labels}, epochs{20});
  const auto epsilon = hidden.spent(delta{1e-5});
  return epsilon.upper;
}
