// Four hospitals and no server: a model goes round them and learns at each, alone, together, in a ring, and in a ring
// that protects each patient. `ring --help` lists what can be chosen.

#include "support/command_line.hpp"

#include <privet/core/json.hpp>
#include <privet/core/parallel.hpp>
#include <privet/data/heart_disease.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/federated/ring.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/roc.hpp>

#include <fmt/format.h>

#include <numeric>
#include <thread>

namespace {

using namespace privet;
constexpr std::size_t sites = heart_disease::site_names.size();

struct options {
  std::string data, order = "random", json;
  std::size_t seeds = 20, laps = 40, steps = 5, batch = 32;
  double lr = 0.1, weight_decay = 0.05, strength = 5, decay = 1;
  double epsilon = 3, delta = 1e-5, clip = 2, rate = 0.5, private_lr = 0.5, private_weight_decay = 0.02;
  std::size_t private_laps = 5, private_steps = 4;
  bool validate = false;
  std::size_t threads = std::max(1u, std::thread::hardware_concurrency());

  ring_plan plan() const {
    return {
        .laps = laps, .steps = steps, .order = order == "random" ? ring_order::random : ring_order::fixed};
  }
};

/// Training rows of each hospital, and test rows of all.
struct split_by_site {
  std::vector<dataset<float>> train;
  dataset<float> test;

  std::size_t rows() const {
    return std::accumulate(train.begin(), train.end(), std::size_t{0},
                           [](std::size_t sum, const auto& d) { return sum + d.rows(); });
  }
  /// The training rows in one place.
  dataset<float> together() const { return joined(std::span<const dataset<float>>(train)); }
  /// Steps of a lap under this plan.
  std::uint64_t steps_in_lap(const ring_plan& plan) const {
    std::uint64_t sum = 0;
    for (const auto& d : train) sum += plan.steps_at(d.rows(), rows(), train.size());
    return sum;
  }
};

/// 30 % of each class of each hospital for testing.
split_by_site split(const dataset<float>& all, std::uint64_t seed) {
  split_by_site out;
  std::vector<std::uint32_t> test;
  for (std::size_t s = 0; s < sites; ++s) {
    std::vector<std::uint32_t> train;
    for (std::int32_t label = 0; label < 2; ++label) {
      std::vector<std::uint32_t> rows;
      for (std::uint32_t r = 0; r < all.rows(); ++r)
        if (all.groups[r] == static_cast<std::int32_t>(s) && all.labels[r] == label) rows.push_back(r);
      replayable_random source(seed, stream_id(purpose::split, s, static_cast<std::uint64_t>(label)));
      shuffle(source, std::span(rows));
      const auto kept = rows.begin() + std::llround(0.3 * static_cast<double>(rows.size()));
      test.insert(test.end(), rows.begin(), kept);
      train.insert(train.end(), kept, rows.end());
    }
    std::ranges::sort(train);
    out.train.push_back(all.select(train));
  }
  out.test = all.select(test);
  return out;
}

/// The split of a seed; to choose settings, one of its training rows again: its test rows are not looked at then.
split_by_site split(const options& o, const dataset<float>& all, std::uint64_t seed) {
  auto parts = split(all, seed);
  return o.validate ? split(parts.together(), seed) : parts;
}

network model_for(const dataset<float>& data) {
  return network(sequential{dense<>{data.columns(), 2}}); // logistic regression
}

/// Runs a ring from weights of zero and scores the test rows with what comes out.
roc_area run(const ring_plan& plan, const ring_sites& members, dataset<float> test,
             std::uint64_t* bytes = nullptr) {
  ring r(plan);
  const std::vector<float> zeros(members.model().sizes().shared);
  r.open(members.links(), members.model(), zeros);
  r.run();
  require(r.halted().empty(), fault::state, "the ring came to a halt: ", r.halted());
  if (!r.scaling().values.empty()) test = standardiser::from(r.scaling()).apply(std::move(test));
  if (bytes) *bytes = r.bytes();
  return roc_auc(members.model(), r.weights_for(members.model()), test);
}

/// A ring of these rows by plain training; of one party it is training in one place.
roc_area run_plain(const options& o, ring_plan plan, const std::vector<dataset<float>>& train,
                   const dataset<float>& test, std::uint64_t steps_in_lap, std::uint64_t seed,
                   std::uint64_t* bytes = nullptr) {
  plan.seed = seed;
  ring_sites members(model_for(test));
  std::optional<weight_consolidation> consolidation;
  if (plan.consolidate) consolidation = {.strength = o.strength, .decay = o.decay};
  for (const auto& rows : train)
    members.add(rows,
                ring_recipe{chain(average_over_batch{}, weight_decay{.rate = o.weight_decay},
                                  sgd{.learning_rate = o.lr}, cosine_rate{.steps = plan.laps * steps_in_lap}),
                            o.batch, consolidation},
                seed);
  return run(plan, members, test, bytes);
}

/// A hospital's account, opened for all its visits.
std::shared_ptr<ledger> account_of(const options& o, const dataset<float>& rows,
                                   const privacy_event& all_visits) {
  return std::make_shared<ledger>(
      ledger_terms{.data = sha256(std::as_bytes(as_span(rows.features))),
                   .unit = privacy_unit::example,
                   .relation = neighbours::add_remove,
                   .delta = o.delta,
                   .epsilon = o.epsilon,
                   .filter = schedule_filter{{all_visits}, stop_rule::public_only}});
}

struct private_result {
  roc_area area;
  ledger_spending together, added;
};

/// The ring in which each hospital clips, adds noise and pays. `scaled`: by public ranges.
private_result run_private(const options& o, const split_by_site& scaled, std::uint64_t seed) {
  ring_plan plan = o.plan();
  plan.laps = o.private_laps, plan.steps = o.private_steps, plan.seed = seed, plan.standardise = false;
  const network model = model_for(scaled.test);
  const auto recipe = [&](double noise, payment pay) {
    return private_ring_recipe{
        chain(clip_l2{.bound = o.clip}, average_over_batch{}, gaussian{.noise_multiplier = noise},
              weight_decay{.rate = o.private_weight_decay}, sgd{.learning_rate = o.private_lr},
              cosine_rate{.steps = plan.laps * scaled.steps_in_lap(plan)}),
        poisson{.rate = o.rate}, std::move(pay)};
  };
  ring_sites members(model);
  std::vector<std::shared_ptr<ledger>> books;
  for (const auto& rows : scaled.train) {
    const auto all_visits = [&](double noise) {
      auto all =
          recipe(noise, {}).events(model, rows.rows(), plan.steps_at(rows.rows(), scaled.rows(), sites))[0];
      all.count *= plan.laps;
      return all;
    };
    const double noise = recipe(1, {}).noise_to_ask(model, rows.rows(),
                                                    noise_multiplier_for(all_visits(1), o.epsilon, o.delta));
    const auto book = books.emplace_back(account_of(o, rows, all_visits(noise)));
    members.add(
        rows,
        recipe(noise, [book](const privacy_event& e, std::string_view what) { return book->debit(e, what); }),
        seed);
  }
  private_result out{run(plan, members, scaled.test), {}, {}};
  std::vector<ring_account> accounts;
  for (std::size_t s = 0; s < sites; ++s)
    accounts.push_back({std::string(heart_disease::site_names[s]), books[s]->spent(), {}});
  out.added = spent_in_ring(accounts);
  for (auto& a : accounts) a.keys = {sha256(a.site)};
  out.together = spent_in_ring(accounts, disjoint_patients{"hospital"});
  return out;
}

struct scored {
  std::string name;
  std::vector<roc_area> by_seed;

  double mean(auto f) const {
    double sum = 0;
    for (const auto& a : by_seed) sum += f(a) / static_cast<double>(by_seed.size());
    return sum;
  }
  double area() const {
    return mean([](const roc_area& a) { return a.area; });
  }
  double low() const {
    return mean([](const roc_area& a) { return a.low(); });
  }
  double high() const {
    return mean([](const roc_area& a) { return a.high(); });
  }
  double worst() const { return std::ranges::min(by_seed, {}, &roc_area::area).area; }
  /// The smallest lead over another, over the seeds.
  double least_lead(const scored& other) const {
    double least = 1;
    for (std::size_t i = 0; i < by_seed.size(); ++i)
      least = std::min(least, by_seed[i].area - other.by_seed[i].area);
    return least;
  }
};

json to_json(const scored& s) {
  json areas = json::array();
  for (const auto& a : s.by_seed) areas.push_back(a.area);
  return {{"name", s.name},   {"auc", s.area()},    {"low", s.low()},
          {"high", s.high()}, {"worst", s.worst()}, {"by_seed", std::move(areas)}};
}

int run(const options& o) {
  const auto raw = heart_disease::read(o.data).value();
  const auto plain = heart_disease::expanded(raw), scaled = heart_disease::by_public_ranges(raw);

  enum row { first_alone, central = sites, ringed, once, consolidated, with_privacy, rows };
  std::vector<scored> table(rows);
  for (std::size_t s = 0; s < sites; ++s) table[s].name = concat(heart_disease::site_names[s], " alone");
  table[central].name = "all rows in one place";
  table[ringed].name = concat("ring, ", o.laps, " laps");
  table[once].name = "ring, 1 lap";
  table[consolidated].name = "ring, 1 lap, consolidated";
  table[with_privacy].name = fmt::format("ring, epsilon {:.4g}", o.epsilon);
  for (auto& t : table) t.by_seed.resize(o.seeds);
  std::vector<private_result> privately(o.seeds);
  std::vector<std::uint64_t> bytes(o.seeds);

  for_each_parallel(o.seeds, o.threads, [&](std::size_t i) {
    const std::uint64_t seed = i + 1;
    const split_by_site parts = split(o, plain, seed);
    const auto& [train, test] = parts;
    ring_plan plan = o.plan();
    const auto lap = parts.steps_in_lap(plan);
    table[ringed].by_seed[i] = run_plain(o, plan, train, test, lap, seed, &bytes[i]);
    // A site alone is given the scaling of all, which is more than it could know.
    const auto scaling = standardiser::fit(parts.together());
    for (std::size_t s = 0; s < sites; ++s) {
      ring_plan own = plan;
      own.standardise = own.proportional = false;
      own.steps = plan.steps_at(train[s].rows(), parts.rows(), sites);
      table[s].by_seed[i] =
          run_plain(o, own, {scaling.apply(train[s])}, scaling.apply(test), own.steps, seed);
    }
    ring_plan one_place = plan;
    one_place.proportional = false, one_place.steps = lap;
    table[central].by_seed[i] = run_plain(o, one_place, {parts.together()}, test, lap, seed);
    ring_plan single = plan;
    single.laps = 1, single.steps = plan.laps * plan.steps;
    table[once].by_seed[i] = run_plain(o, single, train, test, parts.steps_in_lap(single), seed);
    single.consolidate = true;
    table[consolidated].by_seed[i] = run_plain(o, single, train, test, parts.steps_in_lap(single), seed);
    privately[i] = run_private(o, split(o, scaled, seed), seed);
    table[with_privacy].by_seed[i] = privately[i].area;
  });

  const auto best_alone = *std::max_element(table.begin(), table.begin() + sites,
                                            [](const auto& a, const auto& b) { return a.area() < b.area(); });
  fmt::print("{} patients of {} hospitals, 30 % {}; means over {} seeds\n\n", raw.rows(), sites,
             o.validate ? "of the training rows for validation" : "for testing", o.seeds);
  fmt::print("{:<28} {:>7} {:>17} {:>7} {:>21}\n", "AUC of one model on all tests", "mean", "95 % interval",
             "worst", "- central mean, worst");
  for (const auto& t : table)
    fmt::print("{:<28}  {:>7.4f}  {:.4f} to {:.4f} {:>7.4f} {:>+11.4f} {:>+9.4f}\n", t.name, t.area(),
               t.low(), t.high(), t.worst(), t.area() - table[central].area(), t.least_lead(table[central]));
  fmt::print("\nring above the best single site ({}): {:+.4f}; ring with privacy against the ring: {:+.4f}\n",
             best_alone.name, table[ringed].area() - best_alone.area(),
             table[with_privacy].area() - table[ringed].area());
  const std::string together = privately[0].together.sentence(), added = privately[0].added.sentence();
  fmt::print("privacy of one run, patients at one hospital only (declared): {}\n", together);
  fmt::print("privacy of one run, if a patient may be at all hospitals: {}\n", added);
  fmt::print(
      "An example is a patient. Test rows count as public; the other models are trained without privacy.\n");
  if (!o.json.empty()) {
    json models = json::array();
    for (const auto& t : table) models.push_back(to_json(t));
    write_file_atomically(o.json, json_text(json{{"settings",
                                                  {{"seeds", o.seeds},
                                                   {"validate", o.validate},
                                                   {"laps", o.laps},
                                                   {"steps", o.steps},
                                                   {"batch", o.batch},
                                                   {"order", o.order},
                                                   {"lr", o.lr},
                                                   {"weight_decay", o.weight_decay},
                                                   {"private_laps", o.private_laps},
                                                   {"private_steps", o.private_steps},
                                                   {"private_lr", o.private_lr},
                                                   {"private_weight_decay", o.private_weight_decay},
                                                   {"clip", o.clip},
                                                   {"rate", o.rate}}},
                                                 {"models", std::move(models)},
                                                 {"bytes", bytes[0]},
                                                 {"privacy",
                                                  {{"epsilon", privately[0].together.epsilon.upper},
                                                   {"delta", privately[0].together.delta},
                                                   {"disjoint_patients", together},
                                                   {"without_the_declaration", added}}}}) +
                                      "\n")
        .value();
    fmt::print("written: {}\n", o.json);
  }
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{
      "Trains on the heart disease data of four hospitals: each alone, together, in a ring, in a private "
      "ring."};
  app.add_option("--data", o.data, "the folder with the four processed.*.data")->required();
  const auto number = [&](const char* name, auto& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::PositiveNumber)->capture_default_str();
  };
  const auto real = [&](const char* name, double& value, double least, double limit, const char* what) {
    app.add_option(name, value, what)->check(apps::number_from(least, limit))->capture_default_str();
  };
  number("--seeds", o.seeds, "how many splits, batch orders and rings");
  number("--laps", o.laps, "times round the ring");
  number("--steps", o.steps, "steps before a transfer, at a hospital of average size");
  number("--batch", o.batch, "rows per step");
  app.add_option("--order", o.order, "of the hospitals in a lap")
      ->check(apps::one_of({"random", "fixed"}))
      ->capture_default_str();
  real("--lr", o.lr, 1e-12, 1e6, "learning rate at the start; it falls as a cosine");
  real("--weight-decay", o.weight_decay, 0, 1e6, "weight decay");
  real("--strength", o.strength, 0, 1e6, "of the pull of consolidation");
  real("--decay", o.decay, 0, 1.000001, "of what was consolidated, at each visit");
  real("--epsilon", o.epsilon, 1e-6, 1e3, "privacy of one patient in the private ring");
  real("--delta", o.delta, 1e-300, 1, "the chance that the guarantee leaves out");
  real("--clip", o.clip, 1e-12, 1e6, "bound on a patient's gradient");
  real("--rate", o.rate, 1e-6, 1.000001, "chance of a patient to be in a private batch");
  real("--private-lr", o.private_lr, 1e-12, 1e6, "learning rate of the private ring");
  real("--private-weight-decay", o.private_weight_decay, 0, 1e6, "weight decay of the private ring");
  number("--private-laps", o.private_laps, "times round the private ring");
  number("--private-steps", o.private_steps, "steps before a transfer in the private ring");
  app.add_flag("--validate", o.validate, "score on rows taken from the training rows, to choose settings");
  app.add_option("--json", o.json, "also write everything to this file");
  app.add_option("--threads", o.threads, "threads to use; never changes the plain results")
      ->check(CLI::PositiveNumber);
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("ring", [&] { return run(o); });
}
