// Private training on MNIST: a linear model on scattering coefficients, or a multilayer perceptron or a
// convolutional network on pixels, with a stated epsilon for each training image. `mnist_private --help`
// lists what can be chosen.

#include "mnist_private/features.hpp"
#include "mnist_private/training.hpp"
#include "support/command_line.hpp"
#include "support/stopwatch.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/pools.hpp>

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <thread>

namespace {

using namespace privet;

struct options {
  std::string data, model = "linear", published, json;
  std::optional<double> epsilon, noise, rate, clip, lr, momentum, averaged;
  std::optional<std::size_t> epochs, copies, shift;
  double delta = 1e-5;
  std::size_t hidden = 64, threads = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t seed = 1;
  bool validate = false, slanted = false;
};

/// Runs of TensorFlow Privacy's tutorial, by the epsilon at delta 1e-5 that it states for them. All have batches
/// of 256 of 60,000 images.
struct published_run {
  const char* epsilon;
  double noise_multiplier;
  std::size_t epochs;
  double linear_rate; ///< learning rate of the linear model: ours
};
constexpr std::array<published_run, 3> published_runs = {
    {{"1.19", 1.3, 15, 8}, {"3.01", 1.1, 60, 4}, {"7.10", 0.7, 45, 8}}};

/// Chosen on held-out training images: docs/mnist.md.
apps::private_recipe recipe_of(const options& o) {
  apps::private_recipe r;
  if (o.model == "linear")
    r = {.epochs = 20, .sample_rate = 0.04096, .clip = 0.1, .learning_rate = 120};
  else if (o.model == "dense")
    r = {.epochs = 40, .sample_rate = 0.04096, .clip = 1, .learning_rate = 1};
  else
    r = {.epochs = 30, .sample_rate = 0.04096, .clip = 0.1, .learning_rate = 5, .averaged = 0.1};
  for (const auto& run : published_runs)
    if (o.published == run.epsilon) {
      constexpr std::size_t images = 60000, batch = 256;
      r.sample_rate = static_cast<double>(batch) / images;
      r.epochs = run.epochs;
      r.steps = run.epochs * images / batch;
      r.noise_multiplier = run.noise_multiplier;
      r.learning_rate = o.model == "linear" ? run.linear_rate : o.model == "dense" ? 0.12 : 0.3;
    }
  r.epochs = o.epochs.value_or(r.epochs);
  r.sample_rate = o.rate.value_or(r.sample_rate);
  r.clip = o.clip.value_or(r.clip);
  r.learning_rate = o.lr.value_or(r.learning_rate);
  r.momentum = o.momentum.value_or(r.momentum);
  r.averaged = o.averaged.value_or(r.averaged);
  r.copies = o.copies.value_or(r.copies);
  r.shift = o.shift.value_or(r.shift);
  r.noise_multiplier = o.noise.value_or(r.noise_multiplier);
  return r;
}

void report(const options& o, const apps::private_recipe& recipe, const apps::digit_study& study,
            std::size_t features, const apps::private_outcome& found, double seconds) {
  const std::size_t images = study.train.rows();
  fmt::print("accuracy on the {}: {:.2f} %\n", study.tested_on, 100 * found.accuracy);
  fmt::print(
      "spent: epsilon at most {} at delta {} for one training image, by pld accounting; two sets of "
      "training images are neighbours if one has one image more (add-remove)\n",
      std::ceil(found.spent.upper * 1e5 - 1e-9) / 1e5, o.delta);
  fmt::print("{:.1f} seconds\n", seconds);
  if (found.spent.upper > 10)
    fmt::print(stderr, "warning: epsilon {:.6g} is above 10, which promises next to nothing\n",
               found.spent.upper);
  if (o.delta * static_cast<double>(images) >= 1)
    fmt::print(stderr, "warning: delta {} is not below 1/images = {}: giving away one at random would pass\n",
               o.delta, 1 / static_cast<double>(images));
  if (!o.json.empty())
    write_file_atomically(o.json, json_text(json{{"model", o.model},
                                                 {"training_images", images},
                                                 {"test_images", study.test.rows()},
                                                 {"validation", o.validate},
                                                 {"accuracy", found.accuracy},
                                                 {"epsilon_lower", found.spent.lower},
                                                 {"epsilon_upper", found.spent.upper},
                                                 {"delta", o.delta},
                                                 {"unit", "image"},
                                                 {"relation", "add-remove"},
                                                 {"accountant", "pld"},
                                                 {"noise_multiplier", recipe.noise_multiplier},
                                                 {"sample_rate", recipe.sample_rate},
                                                 {"epochs", recipe.epochs},
                                                 {"steps", recipe.all_steps()},
                                                 {"clip", recipe.clip},
                                                 {"learning_rate", recipe.learning_rate},
                                                 {"momentum", recipe.momentum},
                                                 {"averaged", recipe.averaged},
                                                 {"multiplicity", recipe.copies},
                                                 {"shift", recipe.copies > 1 ? recipe.shift : 0},
                                                 {"slanted", o.slanted},
                                                 {"features", features},
                                                 {"seed", o.seed},
                                                 {"seconds", seconds}}) +
                                      "\n")
        .value();
}

/// A step that sees each image once.
template <class Model>
auto plain(const Model& model) {
  return [&model](const apps::private_recipe& r, double noise) { return apps::step_of(model, r, noise); };
}

/// `step_with(recipe, noise)` makes the step.
template <class Make>
void train(const options& o, const apps::digit_study& study, const matrix<float>& rows,
           const matrix<float>& test, const apps::stopwatch& all, const Make& step_with) {
  auto recipe = recipe_of(o);
  const std::size_t images = study.train.rows();
  if (recipe.noise_multiplier == 0)
    recipe.noise_multiplier =
        apps::noise_for(step_with(recipe, 1.0), recipe, images, o.epsilon.value_or(3), {o.delta});
  fmt::print("noise multiplier {:.4g}; {} steps of {:.0f} images on average; clip {}, rate {}, momentum {}\n",
             recipe.noise_multiplier, recipe.all_steps(), recipe.sampler().expected_batch(images),
             recipe.clip, recipe.learning_rate, recipe.momentum);
  const labelled_rows<float> from{{rows.data(), images, columns(rows)}, study.train.labels},
      on{{test.data(), study.test.rows(), columns(test)}, study.test.labels};
  const auto found = apps::train_privately(step_with(recipe, recipe.noise_multiplier), recipe, delta{o.delta},
                                           o.seed, from, on);
  report(o, recipe, study, columns(rows), found, all.seconds());
}

/// Two convolutions and no hidden layer behind them, which would hold half of all weights: docs/mnist.md.
auto convolutional() {
  return sequential{conv2d<image{1, 28, 28}, 16, window{8, 8, 2, 2}>{},
                    tanh_layer{},
                    max_pool<image{16, 13, 13}, window{2, 2, 1}>{},
                    conv2d<image{16, 12, 12}, 32, window{4, 4, 2}>{},
                    tanh_layer{},
                    max_pool<image{32, 5, 5}, window{2, 2, 1}>{},
                    flatten{},
                    dense<512, 10>{}};
}

int run(const options& o) {
  require(!(o.epsilon && o.noise), fault::argument,
          "mnist_private: give either --epsilon, and the noise is found, or --noise-multiplier");
  require(o.published.empty() || !(o.epsilon || o.noise || o.rate || o.epochs), fault::argument,
          "mnist_private: --published sets the noise, the sampling rate and the steps: leave out --epsilon, "
          "--noise-multiplier, --sample-rate and --epochs");
  const bool views = o.copies.value_or(1) > 1;
  require(!views || o.model == "cnn", fault::argument,
          "mnist_private: --multiplicity is for --model cnn: the other models read features of whole images");
  const apps::stopwatch all;
  auto study = apps::study_of(o.data, o.validate, o.seed);
  fmt::print("{} training images; {}\n", study.train.rows(), study.tested_on);
  if (!o.slanted)
    for (auto* images : {&study.train, &study.test}) apps::take_slant_off(*images);
  if (o.model == "linear") {
    const apps::scattering_features features(!o.slanted, o.threads);
    const auto rows = features(study.train), test = features(study.test);
    fmt::print("{} scattering coefficients of each, after {:.1f} seconds\n", columns(rows), all.seconds());
    const sequential model{dense<>{columns(rows), 10}};
    train(o, study, rows, test, all, plain(model));
    return 0;
  }
  if (o.model == "dense") {
    const auto rows = apps::pixel_features(study.train), test = apps::pixel_features(study.test);
    const sequential model{dense<>{columns(rows), o.hidden}, tanh_layer{}, dense<>{o.hidden, 10}};
    train(o, study, rows, test, all, plain(model));
    return 0;
  }
  for (auto* images : {&study.train, &study.test}) apps::scale_pixels(*images);
  const auto model = convolutional();
  if (views)
    train(o, study, study.train.pixels, study.test.pixels, all,
          [&](const apps::private_recipe& r, double noise) { return apps::step_of_views(model, r, noise); });
  else
    train(o, study, study.train.pixels, study.test.pixels, all, plain(model));
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{
      "Trains a classifier of digits so that no single training image shows, and says what that is "
      "worth. Options of the recipe have defaults for each model."};
  app.add_option("--data", o.data, "a folder with the four files of MNIST, or 'synthetic'")->required();
  app.add_option(
         "--model", o.model,
         "linear: on scattering coefficients; dense: a perceptron on pixels; cnn: a convolutional network")
      ->check(apps::one_of({"linear", "dense", "cnn"}))
      ->capture_default_str();
  app.add_option("--epsilon", o.epsilon, "the budget of one training image; 3 unless noise is given")
      ->check(apps::number_from(1e-3, 1e3));
  app.add_option("--noise-multiplier", o.noise, "noise instead of a budget: its deviation over the clip")
      ->check(apps::number_from(1e-3, 1e6));
  app.add_option("--published", o.published,
                 "noise, sampling rate and steps of a published run, named by the epsilon stated for it")
      ->check(apps::one_of({"1.19", "3.01", "7.10"}));
  app.add_option("--delta", o.delta, "the delta of the guarantee")
      ->check(apps::number_from(1e-15, 1))
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "times through the training images")->check(CLI::Range(1, 100000));
  app.add_option("--sample-rate", o.rate, "probability of each image to be in a batch")
      ->check(apps::number_from(1e-6, 1));
  app.add_option("--clip", o.clip, "bound on the gradient of one image")->check(apps::number_from(1e-9, 1e9));
  app.add_option("--lr", o.lr, "learning rate")->check(apps::number_from(1e-12, 1e12));
  app.add_option("--momentum", o.momentum, "momentum")->check(apps::number_from(0, 1));
  app.add_option("--averaged", o.averaged, "share of the epochs, the last ones, whose weights are averaged")
      ->check(apps::number_from(0, 1.001));
  app.add_option("--multiplicity", o.copies, "views of each image in a step, under one bound; for cnn")
      ->check(CLI::Range(1, 1024));
  app.add_option("--shift", o.shift, "pixels that a view may be moved, each way")->check(CLI::Range(0, 27));
  app.add_flag("--slanted", o.slanted, "leave the slant of the images as it is");
  app.add_option("--hidden", o.hidden, "width of the hidden layer of dense")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "first weights, and synthetic digits; noise and samples never repeat")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "threads for the features; never changes them")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--validate", o.validate,
               "hold out the last sixth of the training images and leave the test images alone");
  app.add_option("--json", o.json, "also write the results to this file");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("mnist_private", [&] { return run(o); });
}
