// The code of docs/data/images.md.
#include <privet/data/augment.hpp>
#include <privet/data/cifar.hpp>
#include <privet/data/image_file.hpp>
#include <privet/data/image_folder.hpp>
#include <privet/data/poisson.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/multiplied_step.hpp>

namespace {

using namespace privet;

void read_cifar() {
  const auto [train, test] =
      cifar10::read_folder("cifar-10-batches-bin", {.classes = {"cat", "dog", "horse", "ship"}}).value();
  const auto fine = cifar100::read({"train.bin"}).value();
  const auto coarse = cifar100::read({"train.bin"}, {.coarse = true}).value();
}

void read_folders() {
  const auto photos =
      image_folder::read("photos", {.shape = {3, 64, 64}, .threads = 2}, decode_image).value();
  const auto plain =
      image_folder::read("scans", {.shape = {1, 28, 28}}).value(); // PGM and PPM need no library
}

void augment(const dataset<>& photos, std::span<const std::uint32_t> batch, std::uint64_t seed,
             std::uint64_t step) {
  std::vector<float> rows(batch.size() * photos.columns());
  const augmentation change({3, 32, 32},
                            {.flip = 0.5, .padding = 4, .border = image_border::mirror, .brightness = 0.2});
  change(photos.view(), batch, seed, step, std::span(rows)); // a row of `rows` for each row of the batch
}

double multiply(const augmentation& change, std::size_t rows) {
  const sequential model{dense<3072, 10>{}};
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                           sgd{.learning_rate = 1});
  const poisson sampler{.rate = 0.01};
  multiplied_step step(model, softmax_cross_entropy{}, steps, change, 8); // 8 copies of each example
  auto event = step.chain().mechanism().event(sampler, rows,
                                              step.sum_of(sampler.most(rows), sampler.expected_batch(rows)));
  event.count = 1000; // steps
  pld_accountant accountant;
  accountant.compose(event);
  return accountant.epsilon(1e-5).upper;
}

} // namespace

void image_snippets() {
  read_cifar();
  read_folders();
  augment({}, {}, 1, 1);
  multiply(augmentation({3, 32, 32}, {.flip = 0.5}), 10'000);
}
