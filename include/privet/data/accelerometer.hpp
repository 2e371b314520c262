#pragma once
// People who do not exist, with telephones in their pockets: raw three-axis acceleration, and a
// data set of WISDM features made from it. For demos and tests that need no download.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/tensor.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/wisdm_features.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/init_normal.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace privet {

/// The six WISDM classes; the value is the label.
enum class activity : std::int32_t { walking, jogging, upstairs, downstairs, sitting, standing };

/// Where the telephone is.
enum class carrying { trouser_pocket, hip_holster, breast_pocket, bag };

/// A vector in m/s^2: the device's axes when recorded (gravity included), or forward, left, up.
struct acceleration {
  double x = 0, y = 0, z = 0;
};

namespace detail {

/// A standard normal, the same on every target.
template <RandomSource Source>
double portable_normal(Source& source) {
  std::array<std::uint32_t, init_normal_words> words;
  source.fill(words);
  return init_normal(words) * init_normal_step;
}

/// A rotation, as the rows of its matrix.
struct rotation {
  std::array<acceleration, 3> rows{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};

  acceleration operator()(const acceleration& v) const noexcept {
    const auto dot = [&](const acceleration& r) { return r.x * v.x + r.y * v.y + r.z * v.z; };
    return {dot(rows[0]), dot(rows[1]), dot(rows[2])};
  }
  /// First `inner`, then this.
  rotation after(const rotation& inner) const noexcept {
    rotation out;
    const auto& m = inner.rows;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& r = rows[i];
      out.rows[i] = {r.x * m[0].x + r.y * m[1].x + r.z * m[2].x, r.x * m[0].y + r.y * m[1].y + r.z * m[2].y,
                     r.x * m[0].z + r.y * m[1].z + r.z * m[2].z};
    }
    return out;
  }
  /// Radians about the left (roll), forward and up axes, one after the other.
  static rotation by(double about_left, double about_forward, double about_up) noexcept {
    const double p = std::sin(about_left), q = std::cos(about_left), r = std::sin(about_forward),
                 s = std::cos(about_forward), t = std::sin(about_up), u = std::cos(about_up);
    const rotation left{{{{q, 0, p}, {0, 1, 0}, {-p, 0, q}}}}, forward{{{{1, 0, 0}, {0, s, -r}, {0, r, s}}}},
        up{{{{u, -t, 0}, {t, u, 0}, {0, 0, 1}}}};
    return up.after(forward.after(left));
  }
};

/// How a body moves in one activity, before a wearer's own way. Amplitudes in m/s^2.
struct motion {
  double steps_per_second = 0;
  double vertical = 0, forward = 0, sideways = 0;
  double impact = 0;       ///< peak of the heel strike
  double swing = 0;        ///< thigh, radians to either side
  double lift = 0;         ///< mean forward lift of the thigh, radians
  double lean = 0;         ///< of the trunk, radians
  double second = 0;       ///< share of the second vertical harmonic
  double irregularity = 0; ///< relative wander of pace and force
};

inline constexpr std::array<motion, 6> motions = {{
    {1.85, 3.0, 1.8, 1.2, 3.5, .30, .00, .03, .35, .04},  // walking
    {2.60, 9.0, 3.5, 2.4, 7.0, .48, .12, .12, .25, .05},  // jogging
    {1.45, 2.3, 2.1, 1.5, 1.2, .36, .26, .18, .15, .08},  // upstairs
    {2.05, 3.9, 1.3, 1.6, 7.5, .18, .16, -.05, .65, .07}, // downstairs
    {},                                                   // sitting
    {},                                                   // standing
}};

/// How a place on the body passes motion on.
struct mount {
  rotation axes; ///< body to device, standing still
  double vertical, forward, sideways, swing, seated_tilt;
};

/// The device's x, y, z in terms of forward, left, up.
inline constexpr std::array<mount, 4> mounts = {{
    {{{{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}}}, 1.0, 1.0, .8, 1.0, 1.35}, // upright at the thigh, screen outwards
    {{{{{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}}}, .85, .8, 1.0, .12, .40},  // lying along the belt, at the side
    {{{{{0, -1, 0}, {0, 0, -1}, {1, 0, 0}}}}, .9, .6, .7, .08, .25},  // upside down on the chest
    {{{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}}, .7, .7, 1.2, .22, .80},   // flat in a bag, put down when sitting
}};

} // namespace detail

/// One person and one telephone: everything that stays the same between recordings.
///
/// Model     the body moves forward, sideways and up as harmonics of the stride (fundamental: one
///           stride sideways, one step otherwise), each foot strikes with a damped 7 Hz pulse, left
///           and right differ; the thigh swings the telephone through gravity; pace and force wander;
///           the sensor has bias, gain, noise, a range of +-2 g and 12-bit steps
/// Limits    a caricature that behaves like people for a classifier; not a model of anatomy
/// Random    the same words give the same person; recordings agree across targets as far as std::sin does
struct accelerometer_wearer {
  carrying place = carrying::trouser_pocket;
  double pace = 1, vigour = 1;  ///< factors of step rate and of amplitude
  double asymmetry = .05;       ///< right foot against left
  double harmonics = 1;         ///< factor of the overtones
  double heel = 1;              ///< factor of the impact: shoes, floors
  std::array<double, 3> pose{}; ///< radians by which the device sits askew
  double slouch = 0;            ///< radians added when sitting
  double restlessness = 1;      ///< factor of sway and fidgets
  acceleration bias{};          ///< of the sensor
  double gain = 1, noise = .06;

  /// A person from the population of those who carry the telephone in `place`.
  template <RandomSource Source>
  static accelerometer_wearer draw(carrying place, Source& source);

  /// One bout of an activity at 20 Hz. Throws [N001] unless 0 <= seconds <= 86400.
  template <RandomSource Source>
  std::vector<acceleration> record(activity what, double seconds, Source& source) const;
};

template <RandomSource Source>
accelerometer_wearer accelerometer_wearer::draw(carrying place, Source& source) {
  const auto normal = [&] { return detail::portable_normal(source); };
  accelerometer_wearer w;
  w.place = place;
  w.pace = 1 + .04 * normal();
  w.vigour = std::exp(.1 * normal());
  w.asymmetry = .08 * std::abs(normal());
  w.harmonics = std::exp(.12 * normal());
  w.heel = std::exp(.12 * normal());
  for (double& angle : w.pose) angle = .08 * normal();
  w.slouch = .07 * normal();
  w.restlessness = std::exp(.4 * normal());
  w.bias = {.1 * normal(), .1 * normal(), .1 * normal()};
  w.gain = 1 + .01 * normal();
  w.noise = .06 * std::exp(.3 * normal());
  return w;
}

template <RandomSource Source>
std::vector<acceleration> accelerometer_wearer::record(activity what, double seconds, Source& source) const {
  require(seconds >= 0 && seconds <= 86400, fault::argument, "record: ", seconds,
          " seconds, expected 0 to 86400");
  using std::numbers::pi;
  const auto normal = [&] { return detail::portable_normal(source); };
  const auto& how = detail::motions[static_cast<std::size_t>(what)];
  const auto& at = detail::mounts[static_cast<std::size_t>(place)];
  const bool seated = what == activity::sitting, moving = how.steps_per_second > 0;
  const double g = 9.81, dt = 1e-3 * wisdm_sample_milliseconds;

  // This bout's own speed, force and fit of the telephone.
  const double rate = how.steps_per_second * pace * (1 + .03 * normal());
  const double force = vigour * std::exp(.08 * normal()) * (moving ? rate / how.steps_per_second : 1);
  const double trunk = how.lean * (place == carrying::breast_pocket ? 1 : .4);
  const double tilt = seated ? -at.seated_tilt - slouch : trunk;
  const auto device = at.axes.after(detail::rotation::by(pose[0] + .05 * normal() + tilt,
                                                         pose[1] + .05 * normal(), pose[2] + .07 * normal()));

  const double sway_rate = .2 + .15 * uniform01<double>(source);
  const double sway = (seated ? .004 : .012) * restlessness;
  double stride = uniform01<double>(source); // in strides: a step is half of one
  double wander = 0, fidget = 0;
  std::vector<acceleration> out(static_cast<std::size_t>(std::llround(seconds / dt)));
  for (std::size_t i = 0; i < out.size(); ++i) {
    acceleration body;
    double lean = 0;
    if (moving) {
      wander += -.1 * wander + .45 * how.irregularity * normal();
      stride += .5 * rate * (1 + wander) * dt;
      stride -= std::floor(stride);
      const double step = 2 * stride - std::floor(2 * stride), phase = 2 * pi * step, side = 2 * pi * stride;
      const double foot = force * (1 + wander) * (stride < .5 ? 1 + asymmetry : 1 - asymmetry);
      const double since = step / rate; // seconds after the heel strike
      const double impact = foot * heel * how.impact * std::exp(-since / .06) * std::cos(2 * pi * 7 * since);
      body.z = at.vertical *
               (foot * how.vertical * (std::sin(phase) + harmonics * how.second * std::sin(2 * phase + .6)) +
                impact);
      body.x =
          at.forward *
          (foot * how.forward * (std::cos(phase + .5) + .4 * harmonics * std::cos(2 * phase)) - .5 * impact);
      body.y =
          at.sideways * foot * how.sideways * (std::sin(side) + .35 * harmonics * std::sin(3 * side + .4));
      lean = at.swing * (how.lift + how.swing * force / vigour * std::sin(side));
    } else {
      if (uniform01<double>(source) < .004 * restlessness) fidget += .15 * normal();
      fidget *= .93;
      lean = fidget + sway * std::sin(2 * pi * sway_rate * dt * static_cast<double>(i));
      body.z = .4 * fidget * normal();
    }
    body.x += g * std::sin(lean);
    body.z += g * std::cos(lean);
    const auto felt = device(body);
    const auto sensed = [&](double a, double offset) {
      constexpr double counts = 1024 / 9.81; // +-2 g in 12 bits
      return std::clamp(std::round((gain * a + offset + noise * normal()) * counts), -2048., 2047.) / counts;
    };
    out[i].x = sensed(felt.x, bias.x);
    out[i].y = sensed(felt.y, bias.y);
    out[i].z = sensed(felt.z, bias.z);
  }
  return out;
}

/// Who is in a synthetic study and how they live.
struct accelerometer_options {
  std::size_t wearers = 64;            ///< numbered region by region
  std::size_t windows_per_wearer = 50; ///< on average; a wearer has 50 % to 150 % of it
  std::size_t regions =
      4;             ///< region r favours two places for the telephone, one of them shared with region r + 1
  double habit = .9; ///< share of wearers who follow their region; the rest carry anywhere

  /// Contiguous blocks: of 64 wearers and 4 regions, 0 to 15 live in region 0, 16 to 31 in region 1.
  std::size_t region_of(std::size_t wearer) const { return wearer * regions / wearers; }
};

/// Records every wearer and extracts the 43 WISDM features of each window of ten seconds.
///
/// Rows      wearer by wearer, activity by activity, in time order; group = wearer, label = activity
/// Regions   `options.region_of(group)`; one office per region is the split under which one office's
///           data are not enough. Hold out whole wearers of every region, such as wearer % 4 == 3.
/// Mix       each wearer's activities vary about the shares in WISDM; every wearer does all six
/// Errors    N001 for no wearers, windows or regions, more regions than wearers, habit outside [0, 1]
/// Example   examples/apps/offices.cpp      Test  tests/data/accelerometer.test.cpp
inline dataset<float> synthetic_accelerometer(const accelerometer_options& options, std::uint64_t seed) {
  require(options.wearers > 0 && options.windows_per_wearer > 0, fault::argument,
          "accelerometer: ", options.wearers, " wearers with ", options.windows_per_wearer,
          " windows each, expected at least 1 of both");
  require(options.regions > 0 && options.regions <= options.wearers, fault::argument,
          "accelerometer: ", options.regions, " regions for ", options.wearers, " wearers, expected 1 to ",
          options.wearers);
  require(options.habit >= 0 && options.habit <= 1, fault::argument, "accelerometer: habit is ",
          options.habit, ", expected 0 to 1");
  constexpr std::array<double, 6> usual_share = {.34, .24, .13, .12, .09, .08};
  constexpr std::size_t places = detail::mounts.size();

  std::vector<float> rows;
  dataset<float> out;
  for (const auto name : wisdm_feature_names) out.schema.features.emplace_back(name);
  for (const auto name : wisdm_class_names) out.schema.classes.emplace_back(name);
  for (std::size_t who = 0; who < options.wearers; ++who) {
    replayable_random source(seed, stream_id(purpose::synthetic_data, 0, who));
    const bool follows = bernoulli(source, options.habit);
    const auto anywhere = static_cast<std::size_t>(uniform_below(source, places));
    const auto local = (options.region_of(who) + (bernoulli(source, .5) ? 1u : 0u)) % places;
    const auto place = static_cast<carrying>(follows ? local : anywhere);
    const auto wearer = accelerometer_wearer::draw(place, source);

    std::array<double, 6> share;
    double total = 0;
    for (std::size_t a = 0; a < 6; ++a)
      total += share[a] = usual_share[a] * std::exp(.4 * detail::portable_normal(source));
    const double windows = static_cast<double>(options.windows_per_wearer) * (.5 + uniform01<double>(source));
    for (std::size_t a = 0; a < 6; ++a) {
      auto left = static_cast<std::size_t>(std::max(1.0, std::round(windows * share[a] / total)));
      while (left > 0) { // bouts of at most half a minute
        const auto bout = std::min<std::size_t>(left, 3);
        wisdm_feature_extractor<float> extractor;
        for (const auto& s : wearer.record(static_cast<activity>(a), 10. * static_cast<double>(bout), source))
          if (extractor.push(static_cast<float>(s.x), static_cast<float>(s.y), static_cast<float>(s.z))) {
            rows.insert(rows.end(), extractor.features().begin(), extractor.features().end());
            out.labels.push_back(static_cast<std::int32_t>(a));
            out.groups.push_back(static_cast<std::int32_t>(who));
          }
        left -= bout;
      }
    }
  }
  out.features = make_matrix<float>(out.rows(), out.columns());
  std::ranges::copy(rows, as_span(out.features).begin());
  return out;
}

} // namespace privet
