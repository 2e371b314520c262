// Private training on MNIST: a linear model on scattering coefficients, or a multilayer perceptron on pixels,
// with a stated epsilon for each training image. `mnist_private --help` lists what can be chosen.

#include "mnist_private/features.hpp"
#include "mnist_private/training.hpp"
#include "support/command_line.hpp"
#include "support/stopwatch.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <thread>

namespace {

using namespace privet;

struct options {
  std::string data, model = "linear", json;
  std::optional<double> epsilon, noise, rate, clip, lr, momentum;
  std::optional<std::size_t> epochs;
  double delta = 1e-5;
  std::size_t hidden = 64, threads = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t seed = 1;
  bool validate = false;
};

/// Chosen on held-out training images: docs/mnist.md.
apps::private_recipe recipe_of(const options& o) {
  apps::private_recipe r = o.model == "linear" ? apps::private_recipe{20, 0.04096, 0.1, 120, 0.9}
                                               : apps::private_recipe{40, 0.04096, 1, 1, 0.9};
  r.epochs = o.epochs.value_or(r.epochs);
  r.sample_rate = o.rate.value_or(r.sample_rate);
  r.clip = o.clip.value_or(r.clip);
  r.learning_rate = o.lr.value_or(r.learning_rate);
  r.momentum = o.momentum.value_or(r.momentum);
  return r;
}

template <class Model>
int train(const options& o, const Model& model, const apps::digit_study& study, const matrix<float>& rows,
          const matrix<float>& test, const apps::stopwatch& all) {
  const auto recipe = recipe_of(o);
  const std::size_t images = study.train.rows();
  const double noise =
      o.noise ? *o.noise : apps::noise_for(model, recipe, images, o.epsilon.value_or(3), {o.delta});
  const double batch = recipe.sampler().expected_batch(images);
  fmt::print("noise multiplier {:.4g}; {} steps of {:.0f} images on average; clip {}, rate {}, momentum {}\n",
             noise, recipe.steps(), batch, recipe.clip, recipe.learning_rate, recipe.momentum);
  const labelled_rows<float> from{{rows.data(), images, columns(rows)}, study.train.labels},
      on{{test.data(), study.test.rows(), columns(test)}, study.test.labels};
  const auto found = apps::train_privately(model, recipe, noise, delta{o.delta}, o.seed, from, on);
  const double seconds = all.seconds();

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
                                                 {"noise_multiplier", noise},
                                                 {"sample_rate", recipe.sample_rate},
                                                 {"epochs", recipe.epochs},
                                                 {"steps", recipe.steps()},
                                                 {"clip", recipe.clip},
                                                 {"learning_rate", recipe.learning_rate},
                                                 {"momentum", recipe.momentum},
                                                 {"features", columns(rows)},
                                                 {"seed", o.seed},
                                                 {"seconds", seconds}}) +
                                      "\n")
        .value();
  return 0;
}

int run(const options& o) {
  require(!(o.epsilon && o.noise), fault::argument,
          "mnist_private: give either --epsilon, and the noise is found, or --noise-multiplier");
  const apps::stopwatch all;
  const auto study = apps::study_of(o.data, o.validate, o.seed);
  fmt::print("{} training images; {}\n", study.train.rows(), study.tested_on);
  if (o.model == "linear") {
    const apps::scattering_features features(o.threads);
    const auto rows = features(study.train), test = features(study.test);
    fmt::print("{} scattering coefficients of each, after {:.1f} seconds\n", columns(rows), all.seconds());
    return train(o, sequential{dense<>{columns(rows), 10}}, study, rows, test, all);
  }
  const auto rows = apps::pixel_features(study.train), test = apps::pixel_features(study.test);
  const sequential model{dense<>{columns(rows), o.hidden}, tanh_layer{}, dense<>{o.hidden, 10}};
  return train(o, model, study, rows, test, all);
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{
      "Trains a classifier of digits so that no single training image shows, and says what that is "
      "worth. Options of the recipe have defaults for each model."};
  app.add_option("--data", o.data, "a folder with the four files of MNIST, or 'synthetic'")->required();
  app.add_option("--model", o.model, "linear: on scattering coefficients; dense: a perceptron on pixels")
      ->check(apps::one_of({"linear", "dense"}))
      ->capture_default_str();
  app.add_option("--epsilon", o.epsilon, "the budget of one training image; 3 unless noise is given")
      ->check(apps::number_from(1e-3, 1e3));
  app.add_option("--noise-multiplier", o.noise, "noise instead of a budget: its deviation over the clip")
      ->check(apps::number_from(1e-3, 1e6));
  app.add_option("--delta", o.delta, "the delta of the guarantee")
      ->check(apps::number_from(1e-15, 1))
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "times through the training images")->check(CLI::Range(1, 100000));
  app.add_option("--sample-rate", o.rate, "probability of each image to be in a batch")
      ->check(apps::number_from(1e-6, 1));
  app.add_option("--clip", o.clip, "bound on the gradient of one image")->check(apps::number_from(1e-9, 1e9));
  app.add_option("--lr", o.lr, "learning rate")->check(apps::number_from(1e-12, 1e12));
  app.add_option("--momentum", o.momentum, "momentum")->check(apps::number_from(0, 1));
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
