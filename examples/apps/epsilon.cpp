// How much privacy does a training run spend, or how much noise does a wanted epsilon need?
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

#include <cmath>
#include <cstdint>
#include <optional>

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

/// The training run as one event; its noise is 1 where noise is asked for.
privacy_event run_of(const options& o) {
  require(o.noise.has_value() != o.target.has_value(), fault::argument,
          "epsilon: give either --noise-multiplier, to "
          "learn epsilon, or --target-epsilon, to learn the noise multiplier");
  const bool counted = o.batch || o.epochs;
  require(!(counted && (o.rate || o.steps)), fault::argument,
          "epsilon: give either --sample-rate and --steps, or --examples, --batch and --epochs");
  double rate = 0;
  std::uint64_t steps = 0;
  if (counted) {
    require(o.examples && o.batch && o.epochs, fault::argument,
            "epsilon: --examples, --batch and --epochs go together; one is missing");
    require(*o.examples >= 1 && *o.batch >= 1 && *o.batch <= *o.examples, fault::argument,
            "epsilon: got a batch of ", *o.batch, " and ", *o.examples,
            " examples, expected 1 <= batch <= examples");
    rate = *o.batch / *o.examples;
    const double all = std::ceil(*o.epochs * *o.examples / *o.batch * (1 - 1e-12));
    require(all >= 1 && all <= static_cast<double>(event::most_uses), fault::argument, "epsilon: got ", all,
            " steps, expected 1 to ", event::most_uses);
    steps = static_cast<std::uint64_t>(all);
  } else {
    require(o.rate && o.steps, fault::argument,
            "epsilon: --sample-rate and --steps are missing (or --examples, --batch and --epochs)");
    require(*o.steps >= 1, fault::argument, "epsilon: got ", *o.steps, " steps, expected 1 to ",
            event::most_uses);
    rate = *o.rate;
    steps = static_cast<std::uint64_t>(*o.steps);
  }
  return {event::subsampled_gaussian{o.noise.value_or(1), rate}, steps,
          read_relation(o.relation, "--relation").value()};
}

struct answer {
  std::optional<privacy_bounds> epsilon;
  std::optional<double> estimate, noise;
  std::string note;
};

template <Accountant A>
answer ask(const options& o, std::vector<privacy_event> events) {
  answer found;
  if (o.target) {
    auto& e = events.front();
    found.noise = noise_multiplier_for<A>(e, *o.target, *o.delta);
    std::get<event::subsampled_gaussian>(e.mechanism).noise_multiplier = *found.noise;
  }
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
          "epsilon: gdp is an approximation that may be below the truth; noise is not chosen by it, use pld");
  gdp_approximation approximation;
  for (const auto& e : events) approximation.compose(e);
  return {{},
          approximation.epsilon(*o.delta).value,
          {},
          "an approximation, NOT a bound: the truth may be higher"};
}

int run(const options& o) {
  require(o.delta.has_value(), fault::argument, "epsilon: --delta is missing");
  const bool listed = !o.events.empty();
  require(!listed || !(o.noise || o.rate || o.steps || o.batch || o.epochs || o.target), fault::argument,
          "epsilon: --events stands for the whole run; give it without the options of a single run");
  const auto events = listed ? events_from(o) : std::vector{run_of(o)};
  const answer found = o.accountant == "pld"    ? ask<pld_accountant>(o, events)
                       : o.accountant == "rdp"  ? ask<rdp_accountant>(o, events)
                       : o.accountant == "zcdp" ? ask<zcdp_accountant>(o, events)
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
    if (found.noise) out["noise_multiplier"] = *found.noise;
    if (!found.note.empty()) out["note"] = found.note;
    fmt::print("{}\n", json_text(out));
    return 0;
  }
  if (found.noise) fmt::print("noise multiplier {:.10g}\n", *found.noise);
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
  CLI::App app{"Bounds the epsilon of a private training run from both sides, or finds the noise for one."};
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
  app.add_option("--target-epsilon", o.target, "find the noise multiplier for this epsilon");
  app.add_option("--events", o.events, "a JSON list of mechanisms instead of one run");
  app.add_flag("--json", o.json, "print one JSON object");
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("epsilon", [&] { return run(o); });
}
