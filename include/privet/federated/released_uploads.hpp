#pragma once
// A client that trains as ever and hides itself, with all of its rows, in what it sends.

#include <privet/core/chain.hpp>
#include <privet/federated/office.hpp>
#include <privet/privacy/event.hpp>
#include <privet/train/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

template <class Upload>
inline constexpr bool is_release = false;
template <class Release>
inline constexpr bool is_release<chain_of<Release>> =
    Encoding<Release> && requires { requires Release::releases; };

/// Local training that is paid for by what becomes of it.
template <class Training>
class released_training {
 public:
  released_training(Training training, std::vector<privacy_event> events)
      : training_(std::move(training)), events_(std::move(events)) {}

  std::uint64_t steps_per_round() const noexcept { return training_.steps_per_round(); }
  const auto& model() const noexcept { return training_.model(); }

  /// Where training drives weights, or how far they moved, out of their range, they are those it began with: nobody
  /// hears of it, as a refusal would tell of rows.
  template <class T, class Pay>
  status run(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t round,
             const Pay& pay) {
    check_labels(labels, model().out_width(), about_rows::nothing);
    for (const auto& e : events_)
      if (auto paid = pay(e); !paid) return paid;
    const std::vector<T> before(p.trained().begin(), p.trained().end());
    (void)training_.run(p, rows, labels, round);
    const auto now = p.trained();
    bool lost = false;
    for (std::size_t i = 0; i < before.size(); ++i)
      lost |=
          !std::isfinite(static_cast<float>(static_cast<double>(before[i]) - static_cast<double>(now[i])));
    if (lost) std::ranges::copy(before, now.begin());
    return nothing{};
  }

 private:
  Training training_;
  std::vector<privacy_event> events_;
};

} // namespace detail

/// What so many uploads of so many numbers spend, for an accountant.
template <class Release>
std::vector<privacy_event> events_of(const Release& release, std::size_t parameters, std::uint64_t uploads) {
  auto all = release.events(parameters);
  for (auto& e : all) e.count *= uploads;
  return all;
}

/// A recipe without privacy whose uploads are released by the encoding itself, paid for before training:
/// `released_uploads{recipe, chain(noisy_random_k{..}), pay}`. The server decodes them with `decoded_uploads`.
///
/// Privacy   of the client as a whole, all its rows, zero-out: what is sent is as if its update had been zero, up to
///           what the accountant says of all `events_of` its uploads together. Losses are not sent. Schema, class
///           names and the number of rows are taken to be public; there is no budget for moments of columns, so rows
///           are scaled by public constants
/// Memory    the same task asked for again is answered by the same bytes, and not paid for again
template <class Recipe, class Upload>
struct released_uploads {
  static_assert(
      detail::is_release<Upload>,
      "[P001 no-guarantee] uploads are released by an encoding that adds noise to all it sends, and "
      "nothing beside it: chain(noisy_random_k{..}) or chain(noisy_selection{..}). "
      "docs/errors/P001.md");
  static_assert(!Recipe::is_private,
                "[P001 no-guarantee] a private recipe has released what it trained already, and pays for "
                "rows, not for the client: encode it by encoded_uploads. docs/errors/P001.md");
  static constexpr bool is_private = true, encodes = true;

  Recipe local;
  Upload upload;
  payment pay; ///< such as a debit of the client's ledger
  static constexpr std::optional<private_moments> scaling{};

  static std::size_t units(const dataset<float>& data) { return Recipe::units(data); }
  static moments release_moments(const dataset<float>&) { return {}; }
  template <class Arch>
  auto training(const network& model, const dataset<float>& data, std::uint64_t seed,
                std::uint32_t client) const {
    auto inner = local.template training<Arch>(model, data, seed, client);
    return detail::released_training<decltype(inner)>(std::move(inner),
                                                      upload.encoding().events(model.sizes().shared));
  }
};
template <class Recipe, class Upload>
released_uploads(Recipe, Upload, payment) -> released_uploads<Recipe, Upload>;

} // namespace privet
