// Does a model trained by others become better for me by training on a few windows of my own? For every user of
// WISDM: the model of all others, one from own windows alone, and a personal one. `personal --help` lists what can
// be chosen.

#include "personal/record.hpp"
#include "personal/study.hpp"
#include "support/command_line.hpp"

#include <fmt/format.h>

#include <thread>

namespace {

using namespace personal_study;

int run(settings s) {
  auto path = std::filesystem::path(s.data);
  if (std::filesystem::is_directory(path)) path /= "WISDM_ar_v1.1_transformed.arff";
  const auto all = with_log_peaks(wisdm::read(path).value());
  auto users = groups_of(all);
  if (s.user != "all") {
    const auto one = privet::detail::number_in<std::int32_t>(s.user);
    require(one && std::ranges::binary_search(users, *one), fault::argument, "--user ", s.user,
            " has no windows; expected 'all' or one of ", users.size(), " users");
    users = {*one};
  }
  std::vector<user_result> results(users.size());
  for_each_parallel(users.size(), s.threads, [&](std::size_t i) { results[i] = study(s, all, users[i]); });

  double shared = 0;
  for (const auto& user : results) shared += user.shared / static_cast<double>(results.size());
  fmt::print(
      "shared model, trained without the user and tested on all their windows: {:.4f}, mean over {} "
      "users\n\nTested on a fifth of each user's windows ({}), mean over users{}:\n\n",
      shared, results.size(), s.split == "time" ? "the last of each activity" : "any",
      s.repeats > 1 ? fmt::format(" and {} splits", s.repeats) : "");
  fmt::print("{:>11} {:>8} {:>8} {:>10} {:>10} {:>9} {:>15} {:>12}\n", "own windows", "shared", "local",
             "personal", "no gate", "kept by", "lose 2 points", "in a split");
  const auto means = summarise(s, results);
  for (std::size_t i = 0; i < means.size(); ++i) {
    const auto& m = means[i];
    fmt::print("{:>11} {:>8.4f} {:>8.4f} {:>10.4f} {:>10.4f} {:>9.1f} {:>15} {:>12}\n", s.own[i], m.shared,
               m.local, m.personal, m.ungated, m.kept, m.losers, m.most_losers);
  }
  fmt::print("\nWho has fewer windows uses all: {:.0f} on average in the last line.\n", means.back().own);
  if (!s.json.empty()) write_file_atomically(s.json, record_of(s, shared, means, results)).value();
  if (!s.svg.empty()) write_file_atomically(s.svg, curve_of(s, means)).value();
  return 0;
}

} // namespace

int main(int count, char** words) {
  settings s;
  s.threads = std::max(1u, std::thread::hardware_concurrency());
  std::string part = "all";
  const std::map<std::string, tuned_part> parts = {
      {"all", tuned_part::all}, {"head", tuned_part::head}, {"head-first", tuned_part::head_first}};
  CLI::App app{"Compares shared, local and personal models of every user of WISDM."};
  app.add_option("--data", s.data, "WISDM_ar_v1.1_transformed.arff, or its folder")->required();
  app.add_option("--user", s.user, "'all', or the number of one")->capture_default_str();
  app.add_option("--own", s.own, "numbers of own windows, those of validation among them")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000000}))
      ->capture_default_str();
  app.add_option("--split", s.split, "which fifth is tested: any windows, or of each activity the last")
      ->check(apps::one_of({"random", "time"}))
      ->capture_default_str();
  app.add_option("--repeats", s.repeats, "splits to average over; five are the folds of a cross-validation")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--part", part, "what is tuned")
      ->check(apps::one_of({"all", "head", "head-first"}))
      ->capture_default_str();
  app.add_option("--prior", s.recipe.how.prior, "rows that the shared weights count as")
      ->check(apps::number_from(0, 1e6))
      ->capture_default_str();
  app.add_option("--lr", s.recipe.how.learning_rate, "learning rate at the start; it falls as a cosine")
      ->check(apps::number_from(1e-12, 1e3))
      ->capture_default_str();
  app.add_option("--steps", s.recipe.how.steps, "most steps of 16 windows")
      ->check(CLI::Range(std::size_t{10}, std::size_t{1000000}))
      ->capture_default_str();
  app.add_option("--folds", s.recipe.folds, "folds of the own windows")
      ->check(CLI::Range(std::size_t{3}, std::size_t{100}))
      ->capture_default_str();
  app.add_option("--level", s.recipe.level, "level of the gate's test; 1: no gate")
      ->check(apps::number_from(1e-6, 1 + 1e-12))
      ->capture_default_str();
  app.add_option("--smoothing", s.own_smoothing, "label smoothing on own windows")
      ->check(apps::number_from(0, 1))
      ->capture_default_str();
  app.add_option("--local-prior", s.local.how.prior, "pull to zero of the model from own windows alone")
      ->check(apps::number_from(0, 1e6))
      ->capture_default_str();
  app.add_option("--epochs", s.epochs, "times through the others' windows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", s.seed, "seed of everything that is drawn")->capture_default_str();
  app.add_option("--threads", s.threads, "threads to use; never changes the result")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", s.json, "writes a record of every user here");
  app.add_option("--svg", s.svg, "writes the curve here");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  s.recipe.how.part = parts.at(part);
  s.local.how.steps = s.recipe.how.steps;
  s.local.folds = s.recipe.folds;
  return apps::guarded("personal", [&] { return run(s); });
}
