// The code of docs/random and of the pages about accelerometers.

#include <privet/data/accelerometer.hpp>
#include <privet/data/wisdm_features.hpp>
#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/rounded_normal.hpp>
#include <privet/random/system.hpp>

using namespace privet;

void draw_words(std::uint64_t seed, std::uint64_t round, std::uint64_t client) {
  replayable_random order(seed, stream_id(purpose::batches, round, client));
  system_random secrets; // one per thread, or thread_system_random()
  secrets.reseed();      // every round
  (void)order;
}

std::size_t make_people(std::uint64_t seed) {
  auto data = privet::synthetic_accelerometer({.wearers = 64, .windows_per_wearer = 50}, seed);
  return data.rows();
}

std::size_t record_stairs() {
  privet::replayable_random source(1);
  auto wearer = privet::accelerometer_wearer::draw(privet::carrying::hip_holster, source);
  auto samples = wearer.record(privet::activity::upstairs, 30, source); // m/s^2, device axes
  return samples.size();
}

template <class Sensor, class Use>
void extract(Sensor& sensor, Use use) {
  float x = 0, y = 0, z = 0;
  privet::wisdm_feature_extractor<float> extractor;
  while (sensor.read(x, y, z))   // m/s^2 with gravity, 20 Hz
    if (extractor.push(x, y, z)) // true at every 200th sample
      use(extractor.features()); // std::span<const float, 43>
}

namespace {
struct silent_sensor {
  bool read(float&, float&, float&) { return false; }
};
} // namespace

void extract_nothing() {
  silent_sensor sensor;
  extract(sensor, [](std::span<const float, 43>) {});
}

void noise_of_whole_numbers(std::span<std::int64_t> noise) {
  using namespace privet;
  discrete_gaussian({100, 1}).fill(thread_system_random(), std::span(noise));        // sigma = 10
  discrete_gaussian_table({100, 1}).fill(thread_system_random(), std::span(noise));  // and in constant time
  bool yes = bernoulli_exp(thread_system_random(), {1, 3});                          // with probability exp(-1/3)
  (void)yes;
}

void noise_on_a_grid(std::size_t parameters) {
  using namespace privet;
  std::vector<std::int32_t> noise(parameters);
  fill_rounded_normal(thread_system_random(), std::span(noise));
  // value on the grid of step = sigma / 2^20:  std::llround(value / step) + noise[i]
}
