// How much privacy does a training run spend, or what noise, rate, batch or length does a wanted epsilon allow?
// `epsilon --help` lists what can be asked.

#include "support/command_line.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/event_json.hpp>
#include <privet/privacy/gdp.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/privacy/zcdp.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

namespace {

using namespace privet;

struct options {
  std::optional<double> noise, rate, delta, examples, batch, epochs, target;
  std::optional<std::int64_t> steps;
  std::string relation = "add-remove", accountant = "pld", events;
  bool json = false;
};

std::string in_words(neighbours relation) {
  switch (relation) {
    case neighbours::add_remove:
      return "two data sets are neighbours if one has one example more";
    case neighbours::replace_one:
      return "two data sets are neighbours if one example differs";
    default:
      return "two data sets are neighbours if one example contributes nothing in one of them";
  }
}

std::vector<privacy_event> events_from(const options& o) {
  const auto document = parse_json(read_text(o.events).value(), o.events).value();
  require(document.is_array() && !document.empty(), fault::format, o.events, ": got ", document.type_name(),
          ", expected an array of events");
  std::vector<privacy_event> events;
  for (const auto& item : document)
    events.push_back(
        read_event(item, concat("event ", events.size()), read_relation(o.relation, "--relation").value())
            .value());
  return events;
}

/// What --target-epsilon looks for: the one number that is not given.
enum class sought { nothing, noise, rate, steps, batch };

struct training_run {
  privacy_event event; ///< with any number in the place of the sought one
  sought missing = sought::nothing;
};

std::uint64_t steps_of(double epochs, double examples, double batch) {
  const double all = std::ceil(epochs * examples / batch * (1 - 1e-12));
  require(all >= 1 && all <= static_cast<double>(event::most_uses), fault::argument, "epsilon: got ", all,
          " steps, expected 1 to ", event::most_uses);
  return static_cast<std::uint64_t>(all);
}

training_run run_of(const options& o) {
  const bool counted = o.batch || o.epochs;
  require(!(counted && (o.rate || o.steps)), fault::argument,
          "epsilon: give either --sample-rate and --steps, or --examples, --batch and --epochs");
  require(!counted || o.examples, fault::argument,
          "epsilon: --examples, --batch and --epochs go together; --examples is missing");
  const bool no_rate = counted ? !o.batch : !o.rate, no_length = counted ? !o.epochs : !o.steps;
  const int missing = !o.noise + no_rate + no_length;
  const char* const all = counted ? "--noise-multiplier, --batch and --epochs"
                                  : "--noise-multiplier, --sample-rate and --steps (or --examples, --batch "
                                    "and --epochs)";
  require(o.target || missing == 0, fault::argument, "epsilon: ", missing, " of ", all,
          " missing; --target-epsilon finds one");
  require(!o.target || missing == 1, fault::argument, "epsilon: --target-epsilon finds one of ", all,
          ", but ", missing, " are missing");
  training_run run{{event::subsampled_gaussian{o.noise.value_or(1), 1}, 1,
                    read_relation(o.relation, "--relation").value()}};
  if (o.target)
    run.missing = !o.noise    ? sought::noise
                  : no_length ? sought::steps
                  : counted   ? sought::batch
                              : sought::rate;
  if (counted) {
    require(*o.examples >= 1, fault::argument, "epsilon: got ", *o.examples, " examples, expected 1 or more");
    require(!o.batch || (*o.batch >= 1 && *o.batch <= *o.examples), fault::argument,
            "epsilon: got a batch of ", o.batch.value_or(0), " and ", *o.examples,
            " examples, expected 1 <= batch <= examples");
  }
  auto& rate = std::get<event::subsampled_gaussian>(run.event.mechanism).rate;
  if (!no_rate) rate = counted ? *o.batch / *o.examples : *o.rate;
  if (!no_rate && !no_length && counted) run.event.count = steps_of(*o.epochs, *o.examples, *o.batch);
  if (!no_length && !counted) {
    require(*o.steps >= 1, fault::argument, "epsilon: got ", *o.steps, " steps, expected 1 to ",
            event::most_uses);
    run.event.count = static_cast<std::uint64_t>(*o.steps);
  }
  return run;
}

/// The largest batch whose run of so many epochs keeps epsilon at or below the target: both the rate and the
/// number of steps follow from it.
template <Accountant A>
privacy_event with_largest_batch(const options& o, privacy_event e) {
  const auto at = [&](std::uint64_t batch) {
    const double size = static_cast<double>(batch);
    std::get<event::subsampled_gaussian>(e.mechanism).rate = size / *o.examples;
    e.count = steps_of(*o.epochs, *o.examples, size);
    return e;
  };
  return at(
      largest_for<A>(static_cast<std::uint64_t>(*o.examples), *o.target, *o.delta, "row in a batch", at));
}

struct answer {
  std::optional<privacy_bounds> epsilon;
  std::optional<double> estimate;
  std::vector<std::pair<std::string, double>> found; ///< what --target-epsilon looked for
  std::string note;
};

/// Puts the sought number into the event, and says what it is.
template <Accountant A>
std::vector<std::pair<std::string, double>> complete(const options& o, sought missing, privacy_event& e) {
  auto& run = std::get<event::subsampled_gaussian>(e.mechanism);
  switch (missing) {
    case sought::nothing:
      return {};
    case sought::noise:
      run.noise_multiplier = noise_multiplier_for<A>(e, *o.target, *o.delta);
      return {{"noise_multiplier", run.noise_multiplier}};
    case sought::rate:
      run.rate = rate_for<A>(e, *o.target, *o.delta);
      return {{"sample_rate", run.rate}};
    case sought::steps: {
      e.count = uses_for<A>(e, *o.target, *o.delta);
      const double steps = static_cast<double>(e.count);
      if (!o.batch) return {{"steps", steps}};
      return {{"steps", steps}, {"epochs", steps * *o.batch / *o.examples}};
    }
    case sought::batch:
      e = with_largest_batch<A>(o, e);
      return {{"batch", std::round(std::get<event::subsampled_gaussian>(e.mechanism).rate * *o.examples)},
              {"steps", static_cast<double>(e.count)}};
  }
  return {};
}

template <Accountant A>
answer ask(const options& o, std::vector<privacy_event> events, sought missing) {
  answer found;
  if (missing != sought::nothing) found.found = complete<A>(o, missing, events.front());
  A accountant;
  for (const auto& e : events) accountant.compose(e);
  found.epsilon = accountant.epsilon(*o.delta);
  if constexpr (std::is_same_v<A, zcdp_accountant>)
    if (accountant.ignores_sampling())
      found.note = "zCDP knows no amplification by sampling: every step counts as if all examples were in it";
  if constexpr (std::is_same_v<A, rdp_accountant>)
    found.note = "an upper bound alone; --accountant pld is tighter and has a lower bound too";
  return found;
}

answer ask_gdp(const options& o, const std::vector<privacy_event>& events) {
  require(!o.target, fault::unsupported,
          "epsilon: gdp is an approximation that may be below the truth; nothing is chosen by it, use pld");
  gdp_approximation approximation;
  for (const auto& e : events) approximation.compose(e);
  return {.epsilon = {},
          .estimate = approximation.epsilon(*o.delta).value,
          .found = {},
          .note = "an approximation, NOT a bound: the truth may be higher"};
}

int run(const options& o) {
  require(o.delta.has_value(), fault::argument, "epsilon: --delta is missing");
  const bool listed = !o.events.empty();
  require(!listed || !(o.noise || o.rate || o.steps || o.batch || o.epochs || o.target), fault::argument,
          "epsilon: --events stands for the whole run; give it without the options of a single run");
  const training_run one = listed ? training_run{} : run_of(o);
  const auto events = listed ? events_from(o) : std::vector{one.event};
  const answer found = o.accountant == "pld"    ? ask<pld_accountant>(o, events, one.missing)
                       : o.accountant == "rdp"  ? ask<rdp_accountant>(o, events, one.missing)
                       : o.accountant == "zcdp" ? ask<zcdp_accountant>(o, events, one.missing)
                                                : ask_gdp(o, events);
  const auto relation = events.front().relation;
  const double high = found.epsilon ? found.epsilon->upper : *found.estimate;
  if (o.examples && *o.delta >= 1 / *o.examples)
    fmt::print(
        stderr,
        "warning: delta {} is not below 1/examples = {}: giving away one example at random would pass\n",
        *o.delta, 1 / *o.examples);
  if (high > 10)
    fmt::print(stderr, "warning: epsilon {:.6g} is above 10, which promises next to nothing\n", high);

  if (o.json) {
    ordered_json out;
    out["epsilon_lower"] = found.epsilon ? ordered_json(found.epsilon->lower) : ordered_json(nullptr);
    out["epsilon_upper"] = found.epsilon ? ordered_json(found.epsilon->upper) : ordered_json(nullptr);
    out["two_sided"] = found.epsilon && found.epsilon->two_sided;
    if (found.estimate) out["epsilon_estimate"] = *found.estimate;
    out["delta"] = *o.delta;
    out["accountant"] = o.accountant;
    out["relation"] = std::string(name_of(relation));
    out["unit"] = "example";
    for (const auto& [name, value] : found.found) out[name] = value;
    if (!found.note.empty()) out["note"] = found.note;
    fmt::print("{}\n", json_text(out));
    return 0;
  }
  for (auto [name, value] : found.found) {
    std::ranges::replace(name, '_', ' ');
    fmt::print("{} {:.10g}\n", name, value);
  }
  if (found.estimate)
    fmt::print("epsilon about {:.6g} at delta {}\n", *found.estimate, *o.delta);
  else if (found.epsilon->two_sided)
    fmt::print("epsilon between {:.10g} and {:.10g} at delta {}\n", found.epsilon->lower,
               found.epsilon->upper, *o.delta);
  else
    fmt::print("epsilon at most {:.10g} at delta {}\n", found.epsilon->upper, *o.delta);
  fmt::print("by {} accounting, for one example: {}\n", o.accountant, in_words(relation));
  if (!found.note.empty()) fmt::print("{}\n", found.note);
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{
      "Bounds the epsilon of a private training run from both sides, or finds the noise, the "
      "rate, the batch or the length that a wanted epsilon allows."};
  app.add_option("--noise-multiplier", o.noise, "standard deviation of the noise over the clipping bound");
  app.add_option("--sample-rate", o.rate, "probability of each example to be in a batch");
  app.add_option("--steps", o.steps, "batches");
  app.add_option("--delta", o.delta, "the delta of the guarantee; below 1/examples");
  app.add_option("--examples", o.examples, "training examples");
  app.add_option("--batch", o.batch, "examples expected in a batch");
  app.add_option("--epochs", o.epochs, "times through the examples");
  app.add_option("--relation", o.relation, "which data sets are neighbours")
      ->check(apps::one_of({"add-remove", "replace-one", "zero-out"}))
      ->capture_default_str();
  app.add_option("--accountant", o.accountant, "how to count; gdp is an approximation, no bound")
      ->check(apps::one_of({"pld", "rdp", "zcdp", "gdp"}))
      ->capture_default_str();
  app.add_option("--target-epsilon", o.target,
                 "find the one that is not given: noise multiplier, rate, batch, steps or epochs");
  app.add_option("--events", o.events, "a JSON list of mechanisms instead of one run");
  app.add_flag("--json", o.json, "print one JSON object");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("epsilon", [&] { return run(o); });
}
