// Photos of many users improve a model that was trained on public ones, and few
// numbers leave a phone: users share 10 %, 20 % or all of an update each day,
// beside no update and all photos in one place. `photos --help` lists what can
// be chosen.

#include "photos/record.hpp"
#include "photos/study.hpp"
#include "support/command_line.hpp"
#include "support/stopwatch.hpp"

#include <fmt/format.h>

#include <thread>

namespace {

using namespace photo_study;

constexpr const char* thrift =
    "Sharing less is thrift and no privacy: which numbers are large, and what "
    "they are, tells of the photos.";

std::string percent(double part) { return fmt::format("{:.4g} %", 100 * part); }

/// The ways that are compared. Whole updates are sent as they are, whatever the
/// selection.
std::vector<line> lines_of(const settings& s) {
  std::vector<line> all{{"no update", {1, ""}, {}}};
  std::vector<std::string> selections = s.selection;
  if (selections.empty())
    selections = s.epsilon ? std::vector<std::string>{"mask"} : std::vector<std::string>{"largest", "mask"};
  require(!s.epsilon || selections == std::vector<std::string>{"mask"}, fault::argument,
          "photos: --epsilon is for --selection mask: which numbers are the "
          "largest is read off the photos, and "
          "noise on the numbers does not hide it");
  bool whole = false;
  for (const auto& selection : selections)
    for (const double share : s.shares) {
      if (share >= 1 && std::exchange(whole, true)) continue;
      const std::string what = share < 1 ? concat(percent(share), ", ", selection) : percent(share);
      all.push_back({s.epsilon ? concat(what, ", noisy") : what,
                     {share, share < 1 || s.epsilon ? selection : "all"},
                     {}});
    }
  if (s.epsilon) all.push_back({"100 %, noise on the sum", {1, "sum"}, {}});
  all.push_back({"in one place", {1, ""}, {}});
  return all;
}

void print(const settings& s, const facts& f, const std::vector<initial_line>& initial,
           const std::vector<line>& lines) {
  std::string names;
  for (const auto& name : f.classes) names += (names.empty() ? "" : ", ") + name;
  fmt::print(
      "{}: {} classes ({})\n{} public photos, {} of {} users, {} for "
      "{}; {} coefficients of each, {} "
      "weights; means over {} seeds\n\n",
      f.source, f.classes.size(), names, f.open, f.users_photos, s.users, f.test,
      s.validate ? "choosing settings, the test photos are left alone" : "testing", f.columns, f.weights,
      s.seeds);
  fmt::print("{:<24} {:>16} {:>9}\n", "initial model by", "cross-validated", "test");
  for (const auto& one : initial)
    fmt::print("{:<24} {:>14.1f} % {:>7.1f} %\n", one.optimizer, 100 * one.validated, 100 * one.tested);
  std::string chosen;
  for (const auto& name : f.chosen) chosen += (chosen.empty() ? "" : ", ") + name;
  fmt::print("goes on from: {}\n\n", chosen);

  const line &none = lines.front(), &central = lines.back();
  fmt::print("{:<24} {:>9} {:>20} {:>20} {:>14}\n", concat("after ", s.days, " days"), "test",
             "- one place, worst", "- no update, worst", "sent a day");
  for (const auto& one : lines) {
    fmt::print("{:<24} {:>7.1f} % {:>+11.1f} {:>+8.1f} {:>+11.1f} {:>+8.1f}", one.name, 100 * one.last(),
               100 * (one.last() - central.last()), 100 * one.least_above(central),
               100 * (one.last() - none.last()), 100 * one.least_above(none));
    const double bytes = one.by_seed.front().bytes;
    fmt::print(" {:>14}\n", bytes > 0 ? fmt::format("{:.1f} kB", bytes / 1000) : "");
  }
  fmt::print("\nsent a day: by each user, headers and places counted.\n");
  if (!s.epsilon) return fmt::print("{}\n", thrift);
  for (const auto& one : lines)
    if (const auto& c = one.by_seed.front(); !c.promise.empty())
      fmt::print(
          "{}: in total, over all {} days and numbers: {}; noise "
          "multiplier {:.4g}, bound {}\n",
          one.name, s.days, c.promise, c.noise, one.how.selection == "sum" ? s.sum_clip : s.clip);
  fmt::print(
      "Noisy: each user adds noise, and the server need not be trusted. "
      "Noise on the sum: the server sees every "
      "update before it adds noise.\nNot covered: how many users there "
      "are and, where they add the noise, how many "
      "photos each has; the test photos; the choice of settings; the "
      "model from one place, which is trained without "
      "noise; other lines and further runs, as each has its own epsilon "
      "and they add up.\n");
  if (*s.epsilon > 10)
    fmt::print(stderr, "warning: epsilon {:.6g} is above 10, which promises next to nothing\n", *s.epsilon);
  if (s.delta * static_cast<double>(s.users) >= 1)
    fmt::print(stderr,
               "warning: delta {} is not below 1/users = {}: giving away one "
               "at random would pass\n",
               s.delta, 1 / static_cast<double>(s.users));
}

int run(const settings& s) {
  const apps::stopwatch all;
  auto lines = lines_of(s);
  auto photos = read_photos(s.data, s.classes, s.drawn, s.threads);
  const auto train = as_coefficients(photos.train, s.cells, s.threads);
  const auto test = photos.test.rows() > 0 ? as_coefficients(photos.test, s.cells, s.threads) : dataset<>{};
  facts f{.source = std::move(photos.source), .classes = photos.train.schema.classes};
  photos = {};
  std::vector<initial_line> initial;
  for (const auto* name : optimizers) initial.push_back({name});
  for (std::uint64_t seed = 1; seed <= s.seeds; ++seed) {
    const parts p = divide(s, train, test, seed);
    std::vector<initial_result> found(optimizers.size());
    for_each_parallel(found.size(), s.threads,
                      [&](std::size_t i) { found[i] = initial_model(s, p, optimizers[i], seed); });
    const initial_result* start = &found.front();
    for (std::size_t i = 0; i < found.size(); ++i) {
      initial[i].validated += found[i].validated / static_cast<double>(s.seeds);
      initial[i].tested += found[i].tested / static_cast<double>(s.seeds);
      if (s.initial == "best" ? found[i].validated > start->validated : found[i].optimizer == s.initial)
        start = &found[i];
    }
    f.chosen.push_back(start->optimizer);
    std::vector<course> courses(lines.size());
    for_each_parallel(lines.size(), s.threads, [&](std::size_t i) {
      const way& how = lines[i].how;
      const auto weights = std::as_const(start->weights).shared();
      if (i == 0)
        courses[i].accuracy.assign(s.days + 1, start->tested);
      else if (i + 1 == lines.size())
        courses[i] = in_one_place(s, p, start->weights, seed);
      else if (how.selection == "sum")
        courses[i] = noise_on_the_sum(s, p, start->weights, seed);
      else if (s.epsilon)
        courses[i] = share_privately(s, p, weights, how.share, seed);
      else
        courses[i] = share_openly(s, p, weights, how, seed);
    });
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i].by_seed.push_back(std::move(courses[i]));
    f.open = p.open.rows(), f.users_photos = p.users_rows(), f.test = p.test.rows();
    f.columns = p.open.columns(), f.weights = p.model.sizes().shared;
  }
  print(s, f, initial, lines);
  fmt::print("{:.0f} seconds\n", all.seconds());
  if (!s.json.empty()) write_file_atomically(s.json, record_of(s, f, initial, lines)).value();
  if (!s.svg.empty()) write_file_atomically(s.svg, curve_of(s, lines)).value();
  return 0;
}

} // namespace

int main(int count, char** words) {
  settings s;
  s.threads = std::max(1u, std::thread::hardware_concurrency());
  CLI::App app{
      "Trains on public photos, then by days of updates of which each "
      "user shares a part."};
  const auto number = [&](const char* name, std::size_t& value, std::size_t least, std::size_t most,
                          const char* what) {
    app.add_option(name, value, what)->check(CLI::Range(least, most))->capture_default_str();
  };
  const auto real = [&](const char* name, double& value, double least, double limit, const char* what) {
    app.add_option(name, value, what)->check(apps::number_from(least, limit))->capture_default_str();
  };
  app.add_option("--data", s.data,
                 "a folder with CIFAR-10's data_batch_*.bin, or with a folder "
                 "of images for each class, or "
                 "'generated'")
      ->capture_default_str();
  app.add_option("--classes", s.classes, "which, and in what order; cat,dog,ship,frog of CIFAR-10, else all")
      ->delimiter(',');
  number("--images", s.drawn, 200, 1000000, "images that are generated");
  app.add_option("--initial", s.initial, "whose model goes on; best: by cross-validation on public photos")
      ->check(apps::one_of({"best", "sgd", "rmsprop", "adam"}))
      ->capture_default_str();
  app.add_option("--share", s.shares, "parts of an update that are sent")
      ->delimiter(',')
      ->check(apps::number_from(1e-6, 1 + 1e-12))
      ->capture_default_str();
  app.add_option("--selection", s.selection,
                 "which numbers: the largest, or those that a public mask "
                 "names; without it both")
      ->delimiter(',')
      ->check(apps::one_of({"largest", "mask"}));
  app.add_option("--partition", s.partition, "whose photos: any, or of two classes")
      ->check(apps::one_of({"random", "pick-two"}))
      ->capture_default_str();
  number("--initial-epochs", s.initial_epochs, 1, 10000, "times through the public photos");
  number("--users", s.users, 2, 100000, "users");
  number("--days", s.days, 1, 100000, "days");
  number("--epochs", s.epochs, 1, 1000, "times that a user goes through their photos in a day");
  number("--batch", s.batch, 1, 100000, "photos in a step");
  app.add_option("--lr", s.lr,
                 "learning rate of users at the start, which falls as a cosine: 2, or 4 with masks and noise")
      ->check(apps::number_from(1e-12, 1e6));
  app.add_option("--server-momentum", s.server_momentum,
                 "of the server's steps: 0.9, or 0.5 with masks and noise")
      ->check(apps::number_from(0, 1));
  real("--central-lr", s.central_lr, 1e-12, 1e6, "learning rate with all photos in one place");
  real("--public", s.open, 1e-3, 1, "part of the training photos that is public");
  real("--held-out", s.held_out, 0, 1, "part of the training photos that joins the test photos");
  app.add_flag(
      "--validate", s.validate,
      "tests on a fifth of the training photos and leaves the test photos alone: for choosing settings");
  number("--seeds", s.seeds, 1, 1000, "divisions of the photos and orders of batches");
  app.add_option("--epsilon", s.epsilon,
                 "budget of a user with all photos over all days: clips and adds noise")
      ->check(apps::number_from(1e-3, 1e3));
  real("--delta", s.delta, 1e-15, 1, "the delta of the guarantee");
  real("--clip", s.clip, 1e-9, 1e9, "bound on what a user sends in a day");
  real("--sum-clip", s.sum_clip, 1e-9, 1e9, "bound on the update of a user before one noise on the sum");
  app.add_option("--threads", s.threads, "threads to use; never changes the result but for noise")
      ->check(CLI::Range(1, 1024));
  app.add_option("--json", s.json, "writes a record of every seed and day here");
  app.add_option("--svg", s.svg, "writes the curve here");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("photos", [&] { return run(s); });
}
