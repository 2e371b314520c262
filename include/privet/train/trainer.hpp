#pragma once
// A model, its parameters and the loop over batches.

#include <privet/core/rows_view.hpp>
#include <privet/data/poisson.hpp>
#include <privet/data/sampler.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>
#include <privet/train/theorem.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace privet {

/// How many times to go through the data.
struct epochs {
  std::size_t count = 1;
};

/// Every row once per epoch in an order drawn from the seed; the last batch holds what is left.
struct shuffled {
  std::size_t batch = 32;
};

/// How many batches to draw, where a sampler knows no epochs.
struct draws {
  std::size_t count = 1;
};

/// The chance that a guarantee leaves out: `spent(delta{1e-5})`.
struct delta {
  double value = 0;
};

/// Stands where nothing is accounted for.
struct no_accountant {
  template <class Mechanism>
  static constexpr bool knows = false;
};

/// What an observer hears after each epoch.
struct epoch_report {
  std::size_t epoch; ///< 1 for the first
  double loss;       ///< mean over the rows, each before its own update; NaN in private training
};
using epoch_observer = std::function<void(const epoch_report&)>;

namespace detail {

/// Stands in for bounds that there are none of, so that the sentence about it is the only error.
struct no_bounds {
  double lower, upper;
  bool two_sided;
};

} // namespace detail

/// Trains one model: `trainer{model, softmax_cross_entropy{}, chain(average_over_batch{}, adam{})}`;
/// privately `trainer{model, loss, chain(clip_l2{}, average_over_batch{}, gaussian{}, adam{}), poisson{.rate
/// = 0.01}, pld_accountant{}}`. A step of another kind is handed over ready made:
/// `trainer{multiplied_step{model, loss, steps, shifted, 16}, poisson{.rate = 0.01}, pld_accountant{}}`.
///
/// Seed      first weights, batch order and dropout are functions of it; `fit` continues where the
///           last one stopped, so two times ten epochs equal twenty. Noise and Poisson samples come from the
///           operating system and never repeat
/// Privacy   of one row, add-remove, for the parameters alone, after every step: losses are kept from the
///           observer. The number of rows is taken to be public. An accountant is told of an epoch before it
///           begins; one that says `may(event)` ends training before its budget is passed
/// Errors    P001, P006, P007 at compile time; N008 when noise has driven the parameters out of their range
template <class Model, Loss LossType, class Chain, class Sampler = shuffled, class Accountant = no_accountant,
          class T = float, class Arch = simd::default_arch,
          class Step = training_step<Model, LossType, Chain, T, Arch>>
class trainer {
  using stages = detail::chain_or_neutral<Chain>;
  static constexpr bool is_private = Released<typename stages::template label<raw<unit::example>>>;
  // A number is the seed, which clang tries as an accountant too.
  static constexpr bool is_accounted =
      std::is_class_v<Accountant> && !std::same_as<Accountant, no_accountant>;
  static constexpr bool has_epochs = std::same_as<Sampler, shuffled>;
  static constexpr bool has_theorem =
      !is_accounted || detail::has_theorem<Accountant, Sampler>(static_cast<const stages*>(nullptr));
  static_assert(
      has_theorem,
      "[P006 no-theorem] the accountant has no theorem for this mechanism under this sampler: a shuffled "
      "epoch is no Poisson sample, whatever their sizes. Draw with poisson{..}, or choose an accountant "
      "that knows the event. docs/errors/P006.md");

 public:
  using target = typename LossType::template target<T>;

  trainer(const Model& model, LossType loss, Chain steps, Sampler sampler = {}, std::uint64_t seed = 0)
    requires(!is_accounted)
      : trainer(model, std::move(loss), std::move(steps), std::move(sampler), Accountant{}, seed) {}

  trainer(const Model& model, LossType loss, Chain steps, Sampler sampler,
          std::type_identity_t<Accountant> accountant, std::uint64_t seed = 0)
      : trainer(Step(model, std::move(loss), std::move(steps)), std::move(sampler), std::move(accountant),
                seed) {}

  trainer(Step step, Sampler sampler, std::type_identity_t<Accountant> accountant, std::uint64_t seed = 0)
      : step_(std::move(step)),
        sampler_(std::move(sampler)),
        accountant_(std::move(accountant)),
        seed_(seed),
        parameters_(initialise<T>(step_.model(), seed)),
        state_(step_.init()) {
    if constexpr (!has_epochs) sampler_.check();
  }

  /// Returns how many epochs were trained: fewer than asked for when the accountant's budget ends. Of a
  /// Poisson sampler an epoch is 1 / rate batches, rounded. Throws as `check_rows`, N001 for no rows.
  template <LabelledRows<T> Data>
  std::size_t fit(const Data& data, epochs count, const epoch_observer& observe = {}) {
    static_assert(std::same_as<target, std::int32_t>,
                  "this loss compares rows with numbers, not with a class: "
                  "call fit(rows, targets, epochs)");
    return fit(rows_view<T>(data.view()), std::span<const target>(data.labels), count, observe);
  }

  /// For losses whose targets are scalars: `targets` holds `targets_per_row` of them for each row.
  std::size_t fit(rows_view<T> rows, std::span<const target> targets, epochs count,
                  const epoch_observer& observe = {}) {
    check(rows, targets);
    std::size_t done = 0;
    if constexpr (has_epochs) {
      shuffled_batches order(rows.rows, sampler_.batch, seed_, stream_id(purpose::batches));
      for (; done < count.count && debit(rows.rows, order.size()); ++done) {
        order.start(epoch_++);
        double loss = 0;
        for (std::size_t b = 0; b < order.size(); ++b)
          loss += step_(parameters_, state_, rows, targets.data(), order[b],
                        static_cast<double>(order[b].size()), seed_);
        report(observe, loss, rows.rows);
      }
    } else {
      const auto batches = static_cast<std::size_t>(std::max(std::round(1 / sampler_.rate), 1.0));
      for (; done < count.count; ++done) {
        const std::optional<double> loss = draw(rows, targets, batches);
        if (!loss) break;
        ++epoch_;
        report(observe, *loss, rows.rows);
      }
    }
    return done;
  }

  /// So many batches of a sampler without epochs; false when the accountant's budget does not hold them, and
  /// none was drawn.
  template <LabelledRows<T> Data>
    requires(!std::same_as<Sampler, shuffled>)
  bool fit(const Data& data, draws count) {
    const auto targets = std::span<const target>(data.labels);
    check(data.view(), targets);
    return draw(data.view(), targets, count.count).has_value();
  }

  /// What one step does to a data set of so many rows, as the accountant is told.
  auto event(std::size_t rows) const
    requires(stages::mechanisms == 1)
  {
    const auto made = [&](const auto& mechanism) {
      const std::size_t most = sampler_.most(rows);
      return mechanism.event(sampler_, rows, step_.sum_of(most, sampler_.expected_batch(rows)));
    };
    return made(step_.chain().mechanism());
  }

  /// Bounds on the epsilon of everything that was trained so far, for one row.
  auto spent(privet::delta d) const {
    static_assert(
        is_private,
        "[P001 no-guarantee] epsilon asked of a chain that adds no noise: its privacy loss is unbounded. "
        "Put clip_l2{..} before average_over_batch{} and gaussian{..} behind it. docs/errors/P001.md");
    static_assert(
        is_accounted || !is_private,
        "[P001 no-accountant] epsilon asked of a trainer that nobody accounts for: hand it an accountant "
        "after the sampler, such as pld_accountant{}. docs/errors/P001.md");
    if constexpr (is_private && is_accounted)
      return accountant_.epsilon(d.value);
    else
      return detail::no_bounds{};
  }

  std::vector<std::int32_t> predict(rows_view<T> rows) const {
    return privet::predict<Arch>(model(), parameters_, rows);
  }
  template <LabelledRows<T> Data>
  privet::evaluation evaluate(const Data& data) const {
    return privet::evaluate<Arch>(model(), parameters_, data);
  }

  const Model& model() const noexcept { return step_.model(); }
  privet::parameters<T>& parameters() noexcept { return parameters_; }
  const privet::parameters<T>& parameters() const noexcept { return parameters_; }
  const Accountant& accountant() const noexcept { return accountant_; }

 private:
  void check(rows_view<T> rows, std::span<const target> targets) const {
    require(targets.size() == rows.rows * step_.targets_per_row(), fault::shape, rows.rows, " rows with ",
            targets.size(), " targets, expected ", step_.targets_per_row(), " for each");
    if constexpr (std::same_as<target, std::int32_t>)
      check_rows(step_, rows, targets, is_private ? about_rows::nothing : about_rows::everything);
    else
      require(rows.columns == step_.in_width(), fault::shape, "the model reads rows ", step_.in_width(),
              " wide, got ", rows.columns);
  }

  /// Tells the accountant before anything is drawn.
  bool debit([[maybe_unused]] std::size_t rows, [[maybe_unused]] std::size_t uses) {
    if constexpr (is_accounted && has_theorem && stages::mechanisms == 1) {
      auto all = event(rows);
      all.count = uses;
      if constexpr (requires { accountant_.may(all); })
        if (!accountant_.may(all)) return false;
      accountant_.compose(all);
    }
    return true;
  }

  /// The sum of the losses of so many sampled batches; nothing if the budget does not hold them.
  std::optional<double> draw(rows_view<T> rows, std::span<const target> targets, std::size_t batches) {
    poisson_batches sample(rows.rows, sampler_.law());
    if (!debit(rows.rows, batches)) return std::nullopt;
    auto&& coins = sampler_.coins(state_.step);
    const double expected = sampler_.expected_batch(rows.rows);
    double loss = 0;
    for (std::size_t b = 0; b < batches; ++b)
      loss += step_(parameters_, state_, rows, targets.data(), sample.draw(coins), expected, seed_);
    return loss;
  }

  void report(const epoch_observer& observe, double loss, std::size_t rows) const {
    if constexpr (is_private) {
      loss = std::numeric_limits<double>::quiet_NaN();
      for (const T w : parameters_.trained())
        require(std::isfinite(w), fault::range, "trainer: after epoch ", epoch_,
                " a parameter is no finite number: the noise is too large for this learning rate");
    }
    if (observe) observe({epoch_, loss / static_cast<double>(rows)});
  }

  Step step_;
  Sampler sampler_;
  Accountant accountant_;
  std::uint64_t seed_;
  privet::parameters<T> parameters_;
  chain_state<T> state_;
  std::size_t epoch_ = 0;
};

template <class Model, class LossType, class Chain>
trainer(const Model&, LossType, Chain) -> trainer<Model, LossType, Chain>;
template <class Model, class LossType, class Chain, class Sampler>
trainer(const Model&, LossType, Chain, Sampler) -> trainer<Model, LossType, Chain, Sampler>;
template <class Model, class LossType, class Chain, class Sampler>
trainer(const Model&, LossType, Chain, Sampler, std::uint64_t) -> trainer<Model, LossType, Chain, Sampler>;
template <class Model, class LossType, class Chain, class Sampler, class Accountant>
  requires(!std::integral<Accountant>)
trainer(const Model&, LossType, Chain, Sampler, Accountant)
    -> trainer<Model, LossType, Chain, Sampler, Accountant>;
template <class Model, class LossType, class Chain, class Sampler, class Accountant>
trainer(const Model&, LossType, Chain, Sampler, Accountant, std::uint64_t)
    -> trainer<Model, LossType, Chain, Sampler, Accountant>;
template <class Step, class Sampler, class Accountant>
  requires requires { typename Step::chain_type; }
trainer(Step, Sampler, Accountant, std::uint64_t = 0)
    -> trainer<typename Step::model_type, typename Step::loss_type, typename Step::chain_type, Sampler,
               Accountant, typename Step::value_type, typename Step::arch_type, Step>;

} // namespace privet
