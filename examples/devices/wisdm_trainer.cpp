// The whole training job of a small device: read recorded windows, train on those of most wearers, test on
// the others, and say what it cost. It includes no tensor library and no streams, so it stays small.
//
//   wisdm_trainer WISDM_ar_v1.1_transformed.arff [EPOCHS]

#include <privet/data/arff.hpp>
#include <privet/data/wisdm_features.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/adam.hpp>
#include <privet/train/trainer.hpp>

#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t width = wisdm_feature_names.size();

struct windows {
  std::vector<float> features; // (rows, 43)
  std::vector<std::int32_t> labels;
  labelled_rows<float> rows() const { return {{features.data(), labels.size(), width}, labels}; }
};

/// Windows of every fourth wearer, or of the others. The features stand between the user and the class.
windows of_wearers(const arff::table& table, bool every_fourth) {
  const std::size_t user = table.find("user"), label = table.find("class");
  windows out;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    if ((static_cast<int>(table.at(r, user)) % 4 == 0) != every_fourth) continue;
    for (std::size_t c = user + 1; c < label; ++c) out.features.push_back(table.at(r, c));
    out.labels.push_back(static_cast<std::int32_t>(table.at(r, label)));
  }
  require(out.features.size() == out.labels.size() * width, fault::schema, "the file has ", label - user - 1,
          " columns between user and class, expected ", width);
  return out;
}

/// Brings the columns of both to mean 0 and deviation 1 of the first; a missing value becomes the mean.
void standardise(windows& train, windows& test) {
  for (std::size_t c = 0; c < width; ++c) {
    double n = 0, sum = 0, squares = 0;
    for (std::size_t i = c; i < train.features.size(); i += width)
      if (const double x = train.features[i]; !std::isnan(x)) n += 1, sum += x, squares += x * x;
    const double mean = sum / n, deviation = std::sqrt(squares / n - mean * mean);
    for (auto* set : {&train, &test})
      for (std::size_t i = c; i < set->features.size(); i += width) {
        float& x = set->features[i];
        x = std::isnan(x) || !(deviation > 0) ? 0.f : static_cast<float>((x - mean) / deviation);
      }
  }
}

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void run(const char* path, std::size_t count) {
  windows train, test;
  {
    const arff::table table = arff::read(path).value();
    train = of_wearers(table, false);
    test = of_wearers(table, true);
  }
  standardise(train, test);

  trainer fit{sequential{dense<width, 128>{}, relu{}, dense<128, 6>{}}, softmax_cross_entropy{},
              chain(average_over_batch{}, adam{.learning_rate = 1e-3}), shuffled{.batch = 32}, 1};
  const double start = cpu_seconds();
  fit.fit(train.rows(), epochs{count});
  const double per_window = (cpu_seconds() - start) / static_cast<double>(count * train.labels.size());

  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::printf(
      "%zu windows, %zu epochs: %.2f us of CPU per window, peak memory %.1f MB, accuracy %.3f on %zu windows "
      "of other wearers\n",
      train.labels.size(), count, 1e6 * per_window, static_cast<double>(used.ru_maxrss) / 1024,
      fit.evaluate(test.rows()).confusion.accuracy(), test.labels.size());
}

} // namespace

int main(int count, char** words) {
  const int epochs = count > 2 ? std::atoi(words[2]) : 20;
  if (count < 2 || epochs < 1) {
    std::fprintf(stderr, "usage: %s WISDM_ar_v1.1_transformed.arff [EPOCHS]\n", words[0]);
    return 2;
  }
  try {
    run(words[1], static_cast<std::size_t>(epochs));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
