#pragma once
// What an office makes of its update before it sends it, as `--upload` says.

#include "settings.hpp"

#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/quantise.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/federated/sign.hpp>
#include <privet/federated/top_k.hpp>

#include <fmt/format.h>

#include <variant>

namespace apps {

/// An encoding that is known when the program runs, so that each recipe is compiled once for all of them.
struct chosen_encoding {
  static constexpr auto role = privet::stage_role::encoding;
  static constexpr bool selects = true;

  std::variant<privet::top_k, privet::random_k, privet::quantise, privet::sign> which;

  void check() const {
    std::visit(
        [](const auto& e) {
          if constexpr (requires { e.check(); }) e.check();
        },
        which);
  }
  bool contracts() const {
    return std::visit([](const auto& e) { return e.contracts(); }, which);
  }
  template <class Arch>
  privet::result<privet::encoded_numbers> encode(std::span<const float> x,
                                                 const privet::upload_context& who) const {
    return std::visit([&](const auto& e) { return e.template encode<Arch>(x, who); }, which);
  }
};

inline chosen_encoding encoding_of(const settings& s) {
  const auto u = upload_of(s.upload);
  if (u.name == "top-k")
    return {privet::top_k{
        .fraction = u.fraction, .warm_up = s.warm_up, .first = std::max(0.25, u.fraction), .bits = u.bits}};
  if (u.name == "random-k") return {privet::random_k{.fraction = u.fraction, .bits = u.bits}};
  if (u.name == "quantise") return {privet::quantise{.bits = u.bits}};
  return {privet::sign{}};
}

/// Calls `f` with the recipe, and with the upload chain of the run if it has one. What is left out is remembered,
/// except where a round promises privacy: its updates are noise for the most part, which is not worth a memory.
template <class Recipe, class F>
auto with_upload(const settings& s, const Recipe& recipe, F&& f) {
  using namespace privet;
  if (!s.encodes()) return f(recipe);
  if constexpr (!requires { requires Recipe::sends_shares; }) {
    if constexpr (Recipe::is_private)
      return f(encoded_uploads{recipe, chain(encoding_of(s))});
    else // without momentum this is error_feedback
      return f(encoded_uploads{
          recipe, chain(momentum_correction{.momentum = s.momentum_correction}.around(encoding_of(s)))});
  }
}

/// As it is shown.
inline std::string upload_text(const settings& s) {
  if (!s.encodes()) return "whole updates";
  const auto u = upload_of(s.upload);
  std::string text = u.name == "sign"       ? "signs"
                     : u.name == "quantise" ? fmt::format("{} bits a number", u.bits)
                                            : fmt::format("{} {} % of the numbers, {} bits each",
                                                          u.name == "top-k" ? "the largest" : "a random",
                                                          100 * u.fraction, u.bits);
  if (s.warm_up > 0) text += fmt::format(", more in the first {} rounds", s.warm_up);
  if (!s.is_private()) text += ", error feedback";
  if (s.momentum_correction > 0) text += fmt::format(", momentum correction {}", s.momentum_correction);
  return text;
}

} // namespace apps
