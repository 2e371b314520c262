#pragma once
// Privacy events as JSON, in the words that `epsilon --events` takes.

#include <privet/core/json.hpp>
#include <privet/privacy/event.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace privet {

/// The relation of this name.
///
/// Errors  N004: another name, with those that are known
inline result<neighbours> read_relation(std::string_view name, std::string_view place) {
  for (const auto r : {neighbours::add_remove, neighbours::replace_one, neighbours::zero_out})
    if (name == name_of(r)) return r;
  return error::of(fault::format, place, ": got the relation ", in_quotes(name),
                   ", expected 'add-remove', 'replace-one' or 'zero-out'");
}

/// The event as an object: "mechanism", its parameters, "steps" (the count), "relation", and "distance"
/// unless it is 0.
///
/// Ensures  `read_event` gives the same event back, to the bit
inline json to_json(const privacy_event& e) {
  json out{{"mechanism", std::string(e.name())},
           {"steps", e.count},
           {"relation", std::string(name_of(e.relation))}};
  std::visit(
      [&]<class M>(const M& m) {
        if constexpr (std::is_same_v<M, event::laplace>) {
          out["scale"] = m.scale;
        } else if constexpr (std::is_same_v<M, event::randomised_response>) {
          out["epsilon0"] = m.epsilon;
          out["k"] = m.answers;
        } else if constexpr (std::is_same_v<M, event::shuffle>) {
          out["epsilon0"] = m.epsilon0;
          out["users"] = m.users;
        } else {
          out["sigma"] = m.noise_multiplier;
        }
        if constexpr (requires { m.rate; }) out["q"] = m.rate;
        if constexpr (std::is_same_v<M, event::tree>) out["height"] = m.height;
      },
      e.mechanism);
  if (e.distance > 0) out["distance"] = e.distance;
  return out;
}

/// The event that an object describes:
///
///   {"mechanism": "subsampled_gaussian", "sigma": 1.1, "q": 0.01, "steps": 1000, "relation": "add-remove"}
///   "subsampled_discrete_gaussian" the same, "gaussian" and "discrete_gaussian" take "sigma", "laplace" takes
///   "scale", "tree" takes "sigma" and "height", "randomised_response" (or "randomized_response") takes
///   "epsilon0" and perhaps "k", "shuffle" takes "epsilon0" and "users".
///
/// "steps" is 1, "relation" is `unnamed` and "distance" is 0 where they are absent.
///
/// Errors  N004: no object, a member missing, unknown or of another type, an unknown name. N001 and N011: an
///         event that `privacy_event::check` refuses. Never throws for what the object holds.
inline result<privacy_event> read_event(const json& object, std::string_view place,
                                        neighbours unnamed = neighbours::add_remove) {
  const auto name = read_member<std::string>(object, "mechanism", place);
  if (!name) return name.error();

  // The first thing that is wrong; what is read after it does not matter.
  status fine = nothing{};
  const auto take = [&](auto& into, std::string_view key) {
    auto read = read_member<std::remove_reference_t<decltype(into)>>(object, key, place);
    if (read)
      into = *read;
    else if (fine)
      fine = read.error();
  };
  const auto only = [&](std::initializer_list<std::string_view> own) {
    std::vector<std::string_view> known{"mechanism", "steps", "relation", "distance"};
    known.insert(known.end(), own);
    for (const auto& [key, value] : object.items())
      if (fine && std::ranges::find(known, key) == known.end()) {
        std::string all;
        for (const auto k : known) all += concat(all.empty() ? "'" : ", '", k, '\'');
        fine =
            error::of(fault::format, place, ": ", *name, " has no member ", in_quotes(key), ", only ", all);
      }
  };

  privacy_event e;
  e.relation = unnamed;
  if (*name == "subsampled_gaussian") {
    event::subsampled_gaussian m;
    only({"sigma", "q"}), take(m.noise_multiplier, "sigma"), take(m.rate, "q");
    e.mechanism = m;
  } else if (*name == "subsampled_discrete_gaussian") {
    event::subsampled_discrete_gaussian m;
    only({"sigma", "q"}), take(m.noise_multiplier, "sigma"), take(m.rate, "q");
    e.mechanism = m;
  } else if (*name == "gaussian") {
    event::gaussian m;
    only({"sigma"}), take(m.noise_multiplier, "sigma");
    e.mechanism = m;
  } else if (*name == "laplace") {
    event::laplace m;
    only({"scale"}), take(m.scale, "scale");
    e.mechanism = m;
  } else if (*name == "randomised_response" || *name == "randomized_response") {
    event::randomised_response m;
    only({"epsilon0", "k"}), take(m.epsilon, "epsilon0");
    if (object.contains("k")) take(m.answers, "k");
    e.mechanism = m;
  } else if (*name == "discrete_gaussian") {
    event::discrete_gaussian m;
    only({"sigma"}), take(m.noise_multiplier, "sigma");
    e.mechanism = m;
  } else if (*name == "tree") {
    event::tree m;
    only({"sigma", "height"}), take(m.noise_multiplier, "sigma"), take(m.height, "height");
    e.mechanism = m;
  } else if (*name == "shuffle") {
    event::shuffle m;
    only({"epsilon0", "users"}), take(m.epsilon0, "epsilon0"), take(m.users, "users");
    e.mechanism = m;
  } else {
    return error::of(fault::format, place, ": got the mechanism ", in_quotes(*name),
                     ", expected 'subsampled_gaussian', 'gaussian', 'laplace', 'randomised_response', "
                     "'discrete_gaussian', 'tree', 'shuffle' or 'subsampled_discrete_gaussian'");
  }
  if (object.contains("steps")) take(e.count, "steps");
  if (object.contains("distance")) take(e.distance, "distance");
  if (fine && object.contains("relation")) {
    std::string word;
    take(word, "relation");
    if (fine) {
      const auto relation = read_relation(word, place);
      if (!relation) return relation.error();
      e.relation = *relation;
    }
  }
  if (!fine) return fine.error();
  try {
    e.check();
  } catch (const exception& why) {
    const std::string_view text = why.what(); // "[N001 argument] gaussian: got ..."
    return error::of(why.kind(), place, ": ", text.substr(text.find(']') + 2));
  }
  return e;
}

} // namespace privet
