#include "support/catch.hpp"

#include <privet/data/accelerometer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

using namespace privet;

namespace {

acceleration mean_of(const std::vector<acceleration>& samples) {
  acceleration m;
  const auto n = static_cast<double>(samples.size());
  for (const auto& s : samples) {
    m.x += s.x / n;
    m.y += s.y / n;
    m.z += s.z / n;
  }
  return m;
}

double length(const acceleration& a) { return std::sqrt(a.x * a.x + a.y * a.y + a.z * a.z); }

double energy(const std::vector<acceleration>& samples) {
  const auto m = mean_of(samples);
  double sum = 0;
  for (const auto& s : samples) sum += std::pow(length({s.x - m.x, s.y - m.y, s.z - m.z}), 2);
  return sum / static_cast<double>(samples.size());
}

bool same(const dataset<float>& a, const dataset<float>& b) {
  const auto x = as_span(a.features), y = as_span(b.features);
  return a.labels == b.labels && a.groups == b.groups && std::ranges::equal(x, y, [](float p, float q) {
           return p == q || (std::isnan(p) && std::isnan(q));
         });
}

constexpr accelerometer_options small{.wearers = 12, .windows_per_wearer = 20, .regions = 4};

} // namespace

TEST_CASE("the synthetic data set has the WISDM columns, classes and a group per wearer") {
  const auto data = synthetic_accelerometer(small, 1);
  data.check();
  CHECK(std::ranges::equal(data.schema.features, wisdm_feature_names));
  CHECK(std::ranges::equal(data.schema.classes, wisdm_class_names));
  std::map<int, std::set<int>> activities;
  for (std::size_t i = 0; i < data.rows(); ++i) activities[data.groups[i]].insert(data.labels[i]);
  CHECK(activities.size() == small.wearers);
  for (const auto& [wearer, done] : activities) CHECK(done.size() == 6);
  CHECK(data.rows() > 12 * 20 / 2);
  CHECK(data.rows() < 12 * 20 * 3 / 2 + 12 * 6);
}

TEST_CASE("the same seed gives the same data, another seed others") {
  const auto data = synthetic_accelerometer(small, 7);
  CHECK(same(data, synthetic_accelerometer(small, 7)));
  CHECK_FALSE(same(data, synthetic_accelerometer(small, 8)));
}

TEST_CASE("at rest a telephone feels gravity, and where it points depends on the place") {
  std::set<int> directions;
  for (const auto place :
       {carrying::trouser_pocket, carrying::hip_holster, carrying::breast_pocket, carrying::bag}) {
    accelerometer_wearer wearer;
    wearer.place = place;
    replayable_random source(3);
    const auto m = mean_of(wearer.record(activity::standing, 10, source));
    CHECK(length(m) == Approx(9.81).epsilon(.02));
    const std::array<double, 3> axes{m.x, m.y, m.z};
    const auto strongest = std::ranges::max_element(axes, {}, [](double a) { return std::abs(a); });
    CHECK(std::abs(*strongest) > 9);
    directions.insert(static_cast<int>(2 * (strongest - axes.begin())) + (*strongest < 0));
  }
  CHECK(directions.size() == 4);
}

TEST_CASE("jogging shakes more than walking, walking more than standing") {
  replayable_random source(4);
  for (int person = 0; person < 20; ++person) {
    const auto wearer = accelerometer_wearer::draw(static_cast<carrying>(person % 4), source);
    const auto jogging = energy(wearer.record(activity::jogging, 20, source));
    const auto walking = energy(wearer.record(activity::walking, 20, source));
    const auto standing = energy(wearer.record(activity::standing, 20, source));
    CHECK(jogging > 1.5 * walking);
    CHECK(walking > 5 * standing);
  }
}

TEST_CASE("a walk repeats with the wearer's step") {
  accelerometer_wearer wearer;
  wearer.place = carrying::hip_holster; // x is up
  replayable_random source(5);
  const auto walk = wearer.record(activity::walking, 60, source);
  const auto mean = mean_of(walk).x;
  const auto likeness = [&](std::size_t lag) {
    double sum = 0;
    for (std::size_t i = lag; i < walk.size(); ++i) sum += (walk[i].x - mean) * (walk[i - lag].x - mean);
    return sum / static_cast<double>(walk.size() - lag);
  };
  std::size_t best = 6;
  for (std::size_t lag = 6; lag <= 15; ++lag)
    if (likeness(lag) > likeness(best)) best = lag;
  CHECK(20. / static_cast<double>(best) == Approx(1.85).epsilon(.15)); // steps per second
}

TEST_CASE("the sensor saturates at twice gravity") {
  accelerometer_wearer wearer;
  wearer.vigour = 3;
  replayable_random source(6);
  double greatest = 0;
  for (const auto& s : wearer.record(activity::jogging, 20, source))
    greatest = std::max({greatest, std::abs(s.x), std::abs(s.y), std::abs(s.z)});
  CHECK(greatest == Approx(2 * 9.81).epsilon(.001));
}

TEST_CASE("a recording has 20 samples a second") {
  replayable_random source(1);
  CHECK(accelerometer_wearer{}.record(activity::sitting, 0, source).empty());
  CHECK(accelerometer_wearer{}.record(activity::sitting, 2.5, source).size() == 50);
}

TEST_CASE("regions are contiguous and differ in how the telephone is carried") {
  const accelerometer_options options{.wearers = 32, .windows_per_wearer = 8, .habit = 1};
  CHECK(options.region_of(0) == 0);
  CHECK(options.region_of(7) == 0);
  CHECK(options.region_of(8) == 1);
  CHECK(options.region_of(31) == 3);

  const auto data = synthetic_accelerometer(options, 2);
  std::array<std::set<int>, 4> up; // the axis and sign that carries gravity, per region, among those standing
  for (std::size_t i = 0; i < data.rows(); ++i) {
    if (data.labels[i] != static_cast<int>(activity::standing)) continue;
    const auto means = row(data.features, i).subspan(30, 3);
    const auto strongest = std::ranges::max_element(means, {}, [](float a) { return std::abs(a); });
    up[options.region_of(static_cast<std::size_t>(data.groups[i]))].insert(
        static_cast<int>(2 * (strongest - means.begin())) + (*strongest < 0));
  }
  std::set<int> all;
  for (const auto& seen : up) {
    CHECK(seen.size() <= 2);
    all.insert(seen.begin(), seen.end());
  }
  CHECK(all.size() == 4);
}

TEST_CASE("a study that cannot be is refused") {
  CHECK_THROWS_AS(synthetic_accelerometer({.wearers = 0}, 1), privet::exception);
  CHECK_THROWS_AS(synthetic_accelerometer({.windows_per_wearer = 0}, 1), privet::exception);
  CHECK_THROWS_AS(synthetic_accelerometer({.regions = 0}, 1), privet::exception);
  CHECK_THROWS_AS(synthetic_accelerometer({.wearers = 3, .regions = 4}, 1), privet::exception);
  CHECK_THROWS_AS(synthetic_accelerometer({.habit = 1.5}, 1), privet::exception);
  replayable_random source(1);
  for (const double seconds : {-1., 1e9, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(accelerometer_wearer{}.record(activity::walking, seconds, source), privet::exception);
}
