#include "support/catch.hpp"
#include "support/refute.hpp"
#include "support/rows.hpp"

#include <privet/federated/ring.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/ledger.hpp>
#include <privet/privacy/pld.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace privet;

namespace {

const sequential model{dense<4, 6>{}, tanh_layer{}, dropout{0.1}, dense<6, 3>{}};
const sequential linear{dense<4, 3>{}};
const std::vector<std::size_t> rows_of_sites{23, 60, 37};

auto plain_recipe(std::optional<weight_consolidation> consolidation = {}) {
  return ring_recipe{chain(average_over_batch{}, weight_decay{.rate = 1e-3},
                           sgd{.learning_rate = 0.1, .momentum = 0.9}, cosine_rate{.steps = 300}),
                     5, consolidation};
}

template <class Recipe, class Model>
ring_sites three_sites(const Model& m, const Recipe& recipe, std::uint64_t seed = 7) {
  ring_sites sites(m);
  for (std::size_t s = 0; s < rows_of_sites.size(); ++s)
    sites.add(test::rows_of(rows_of_sites[s], 4, 3, s + 1), recipe, seed);
  return sites;
}

std::vector<float> copied(std::span<const float> x) { return {x.begin(), x.end()}; }

/// The weights after all laps, and who was visited.
struct trip {
  std::vector<float> weights;
  std::vector<std::uint32_t> sites;
  std::vector<std::uint64_t> steps;
};
trip travel(const ring_plan& plan, const ring_sites& sites) {
  ring r(plan);
  r.open(sites.links(), sites.model());
  trip t;
  r.run([&](const ring_report& report) {
    t.sites.push_back(report.site), t.steps.push_back(report.steps);
    t.weights = copied(report.weights);
  });
  CHECK(r.halted().empty());
  CHECK(t.weights == copied(r.weights()));
  return t;
}

struct receipt {
  privacy_event event;
  std::string what;
};

/// Pays into a list, and is refused from the `most`-th payment on.
payment paying(std::vector<receipt>& paid, std::size_t most = 1000) {
  return [&paid, most](const privacy_event& e, std::string_view what) -> status {
    if (paid.size() >= most) return error::of(fault::state, "the budget is spent");
    paid.push_back({e, std::string(what)});
    return nothing{};
  };
}
auto private_recipe_of(payment pay, std::optional<private_weight_consolidation> consolidation = {},
                       double noise = 1) {
  return private_ring_recipe{chain(clip_l2{.bound = 1}, average_over_batch{},
                                   gaussian{.noise_multiplier = noise}, sgd{.learning_rate = 0.3}),
                             poisson{.rate = 0.3}, std::move(pay), consolidation};
}

/// Answers in the place of a site.
class impostor : public transport {
 public:
  impostor(transport& honest, std::function<void(message&)> change)
      : honest_(&honest), change_(std::move(change)) {}
  status send(std::span<const std::byte> bytes) override { return honest_->send(bytes); }
  result<std::vector<std::byte>> receive() override {
    auto m = decode_message(honest_->receive().value()).value();
    if (m.kind == ring_visited) change_(m);
    return encode(m);
  }

 private:
  transport* honest_;
  std::function<void(message&)> change_;
};

} // namespace

TEST_CASE("a ring of one site is local training to the bit") {
  const auto data = test::rows_of(23, 4, 3, 1);
  const auto recipe = plain_recipe();
  ring_sites one(model);
  one.add(data, recipe, 7);
  // Two epochs of five batches between two transfers.
  ring r({.laps = 6, .steps = 10, .standardise = false, .seed = 7});
  r.open(one.links(), one.model());
  auto p = one.model().make_parameters<float>();
  std::ranges::copy(r.weights(), p.shared().begin());
  r.run();

  local_training<network, softmax_cross_entropy, std::remove_cvref_t<decltype(recipe.steps)>> local(
      one.model(), {}, recipe.steps, 2, 5, data.rows(), 7, 1);
  for (std::uint64_t round = 0; round < 6; ++round) local.run(p, data.view(), data.labels, round);
  CHECK(copied(r.weights()) == copied(p.shared()));
  CHECK(r.steps() == 60);
}

TEST_CASE("a ring is the same trip again for the same seed, and another for another") {
  const ring_plan plan{.laps = 4, .steps = 3, .seed = 11};
  const auto first = travel(plan, three_sites(model, plain_recipe()));
  const auto again = travel(plan, three_sites(model, plain_recipe()));
  CHECK(first.sites == again.sites);
  CHECK(first.weights == again.weights);
  auto other = plan;
  other.seed = 12;
  CHECK(travel(other, three_sites(model, plain_recipe())).weights != first.weights);
  CHECK(travel(plan, three_sites(model, plain_recipe(), 8)).weights != first.weights);
}

TEST_CASE("every lap visits every site once; a random order is drawn anew, a fixed one is not") {
  const ring_plan random{.laps = 30, .seed = 3}, fixed{.laps = 30, .order = ring_order::fixed, .seed = 3};
  std::set<std::vector<std::uint32_t>> orders;
  for (std::size_t lap = 0; lap < 30; ++lap) {
    auto order = random.order_of(lap, 3);
    CHECK(order == random.order_of(lap, 3));
    CHECK(fixed.order_of(lap, 3) == std::vector<std::uint32_t>{0, 1, 2});
    orders.insert(order);
    std::ranges::sort(order);
    CHECK(order == std::vector<std::uint32_t>{0, 1, 2});
  }
  CHECK(orders.size() == 6);
  const auto t = travel({.laps = 2, .order = ring_order::fixed}, three_sites(linear, plain_recipe()));
  CHECK(t.sites == std::vector<std::uint32_t>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("steps are in proportion to rows, one at least, or the same everywhere") {
  const auto t =
      travel({.laps = 1, .steps = 8, .order = ring_order::fixed}, three_sites(linear, plain_recipe()));
  CHECK(t.steps == std::vector<std::uint64_t>{5, 12, 7}); // 8 * 3 * rows / 120: 4.6, 12, 7.4
  const auto even = travel({.laps = 1, .steps = 8, .proportional = false, .order = ring_order::fixed},
                           three_sites(linear, plain_recipe()));
  CHECK(even.steps == std::vector<std::uint64_t>{8, 8, 8});
  const ring_plan short_one{.steps = 1};
  CHECK(short_one.steps_at(1, 1'000'000, 4) == 1);
  CHECK(short_one.steps_at(999'997, 1'000'000, 4) == 4);
}

TEST_CASE("the agreed scaling and the first weights do not depend on how sites are numbered or visited") {
  const auto opened = [](std::vector<std::size_t> order, ring_order how) {
    ring_sites sites(linear);
    for (const auto s : order) sites.add(test::rows_of(rows_of_sites[s], 4, 3, s + 1), plain_recipe());
    ring r({.order = how, .seed = 5});
    r.open(sites.links(), sites.model());
    return std::pair(r.schema().scaling, copied(r.weights()));
  };
  const auto one = opened({0, 1, 2}, ring_order::fixed), other = opened({2, 0, 1}, ring_order::random);
  CHECK(one.first == other.first);
  CHECK(one.second == other.second);
}

TEST_CASE("sites with equal rows, whole batches and no momentum: their order changes nothing") {
  const auto data = test::rows_of(30, 4, 3, 1);
  const auto recipe = ring_recipe{chain(average_over_batch{}, sgd{.learning_rate = 0.2}), 30};
  const auto run = [&](ring_order order) {
    ring_sites sites(linear);
    for (int s = 0; s < 3; ++s) sites.add(data, recipe, 1);
    return travel({.laps = 5, .steps = 2, .order = order, .seed = 9}, sites).weights;
  };
  const auto fixed = run(ring_order::fixed), random = run(ring_order::random);
  for (std::size_t i = 0; i < fixed.size(); ++i) CHECK(fixed[i] == Approx(random[i]).margin(1e-5));
}

TEST_CASE("the pull of consolidation is the gradient of its parabola") {
  auto memory = std::make_shared<ring_memory>();
  memory->precision = {0.5f, 0, 3, 2};
  memory->anchor = {1, -1, 0.25f, 0};
  const detail::consolidation_pull pull{memory, 1.5};
  const auto penalty = [&](std::span<const double> w) {
    double sum = 0;
    for (std::size_t i = 0; i < w.size(); ++i)
      sum += 1.5 / 2 * memory->precision[i] * (w[i] - memory->anchor[i]) * (w[i] - memory->anchor[i]);
    return sum;
  };
  const std::vector<double> w{0.3, 2, -1, 0.7};
  std::vector<double> g(4, 0.125);
  // In two slices, as a step may do it.
  for (const std::size_t first : {0u, 3u}) {
    const std::size_t n = first ? 1 : 3;
    pull.update(std::span(g).subspan(first, n), first, state_slice<double>(nullptr, 4, n),
                update_context<double>{.parameters = std::span(w).subspan(first, n)});
  }
  for (std::size_t i = 0; i < w.size(); ++i) {
    auto up = w, down = w;
    up[i] += 1e-5, down[i] -= 1e-5;
    CHECK(g[i] - 0.125 == Approx((penalty(up) - penalty(down)) / 2e-5).margin(1e-8));
  }
  CHECK_FALSE(pull.scaling(0).has_value());
  CHECK(detail::consolidation_pull{std::make_shared<ring_memory>(), 1.5}.scaling(0) == 1.0);
}

TEST_CASE("memories of several sites are one parabola: the sum of theirs, older ones decayed") {
  ring_memory all{{0, 0}, {0, 0}};
  const std::vector<float> w1{1, 2}, w2{-1, 3};
  const std::vector<double> f1{2, 0}, f2{4, 0};
  all.add(w1, f1, 0.25, 0.5);
  all.add(w2, f2, 0.5, 0.5);
  CHECK(all.precision == std::vector<float>{2.25f, 0});
  // The minimum of 0.25 / 2 (w - 1)^2 + 2 / 2 (w + 1)^2.
  CHECK(all.anchor[0] == Approx((0.25 * 1 - 2) / 2.25));
  CHECK(all.anchor[1] == 0);
}

TEST_CASE("the Fisher diagonal is the mean of squared gradients of single rows, by finite differences") {
  const network net(linear);
  const auto data = test::rows_of(12, 4, 3, 2);
  auto p = initialise<float>(net, 3);
  fisher_diagonal<network, softmax_cross_entropy> fisher(net, {});
  const auto found = fisher.of(p, data.view(), data.labels);
  const auto loss = [&](const parameters<float>& at, std::uint32_t r) {
    return evaluate(net, at, data.select({&r, 1})).log_loss;
  };
  REQUIRE(found.size() == 15);
  for (std::size_t i = 0; i < found.size(); ++i) {
    double sum = 0;
    for (std::uint32_t r = 0; r < data.rows(); ++r) {
      auto up = p, down = p;
      up.shared()[i] += 0.01f, down.shared()[i] -= 0.01f;
      const double g = (loss(up, r) - loss(down, r)) /
                       (static_cast<double>(up.shared()[i]) - static_cast<double>(down.shared()[i]));
      sum += g * g / static_cast<double>(data.rows());
    }
    CHECK(found[i] == Approx(sum).margin(2e-4).epsilon(2e-3));
  }
}

TEST_CASE("a released Fisher diagonal is the clipped one plus noise of the stated size") {
  const network net(linear);
  auto data = test::rows_of(40, 4, 3, 2);
  row(data.features, 7)[2] = std::numeric_limits<float>::infinity(); // counts as zero
  const auto p = initialise<float>(net, 3);
  fisher_diagonal<network, softmax_cross_entropy> fisher(net, {});
  const private_weight_consolidation quiet{.noise_multiplier = 1e-3, .bound = 0.5};
  const auto released = fisher.release(quiet, p, data.view(), data.labels);
  double total = 0;
  for (const double x : released) {
    CHECK(std::isfinite(x));
    CHECK(x >= 0);
    total += x;
  }
  CHECK(total <= 0.25 + 0.01); // each row's gradient was cut to 0.5
  CHECK(total > 0.1);
  // 15 numbers, 200 releases; noise 8 * 0.25 / 40 = 0.05 on each, halves of it cut off at 0.
  const private_weight_consolidation loud{.noise_multiplier = 8, .bound = 0.5};
  double mean = 0;
  for (int i = 0; i < 200; ++i)
    for (const double x : fisher.release(loud, p, data.view(), data.labels)) mean += x / 3000;
  const double half_normal = 0.05 * 0.3989;
  CHECK(mean > half_normal);
  CHECK(mean < half_normal + 0.25 / 15 + 0.005);
  CHECK(quiet.event(15).relation == neighbours::add_remove);
  CHECK(std::get<event::gaussian>(loud.event(15).mechanism).noise_multiplier == Approx(8).epsilon(1e-3));
}

TEST_CASE("a released Fisher diagonal cannot be refuted; the claim of four times its noise can", "[slow]") {
  // The neighbour has one row more than a row that counts as zero, with the largest gradient there is.
  const sequential two{dense<1, 2>{}};
  const network net(two);
  const parameters<float> p = two.make_parameters<float>();
  dataset<float> without = test::rows_of(1, 1, 2, 1), with = test::rows_of(2, 1, 2, 1);
  without.features(0, 0) = with.features(0, 0) = std::numeric_limits<float>::infinity();
  with.features(1, 0) = 1e6f;
  fisher_diagonal<network, softmax_cross_entropy> fisher(net, {});
  const private_weight_consolidation how{.noise_multiplier = 1, .bound = 3};
  const auto sum = [&](const dataset<float>& data) {
    const auto f = fisher.release(how, p, data.view(), data.labels);
    double all = 0;
    for (std::size_t i = 0; i < 2; ++i) all += f[i] * static_cast<double>(data.rows());
    return all;
  };
  const auto runs = test::run_both(
      60'000, [&] { return sum(without); }, [&] { return sum(with); });
  const auto claims = [](privacy_event event) {
    pld_accountant accountant;
    accountant.compose(event);
    std::vector<test::privacy_claim> all;
    for (const double epsilon : {0.1, 0.5, 1.0}) all.push_back({epsilon, accountant.delta(epsilon).upper});
    return all;
  };
  for (const auto& claim : claims(how.event(4))) test::check_kept(claim, runs);
  for (const auto& claim : claims(private_weight_consolidation{.noise_multiplier = 4}.event(4)))
    test::check_refuted(claim, runs);
}

TEST_CASE("consolidation keeps what the first site knows, and strength 0 changes nothing") {
  // Each site knows two of three classes; one lap, so that the last would have its way.
  const auto all = test::rows_of(300, 4, 3, 1);
  const auto site = [&](std::int32_t missing) {
    std::vector<std::uint32_t> which;
    for (std::uint32_t r = 0; r < all.rows(); ++r)
      if (all.labels[r] != missing) which.push_back(r);
    return all.select(which);
  };
  struct outcome {
    double first, all; // log losses
    std::vector<float> weights;
  };
  const auto run = [&](std::optional<weight_consolidation> c) {
    ring_sites sites(linear);
    const auto recipe = ring_recipe{chain(average_over_batch{}, sgd{.learning_rate = 0.05}), 10, c};
    for (const std::int32_t missing : {0, 1}) sites.add(site(missing), recipe, 1);
    ring r({.laps = 1, .steps = 1500, .order = ring_order::fixed, .consolidate = c.has_value()});
    r.open(sites.links(), sites.model());
    r.run();
    REQUIRE(r.halted().empty());
    CHECK(r.memory().empty() == !c.has_value());
    const auto scaling = standardiser::from(r.scaling());
    const auto loss_on = [&](const dataset<float>& rows) {
      return evaluate(linear, r.weights_for(linear), scaling.apply(rows)).log_loss;
    };
    return outcome{loss_on(site(0)), loss_on(all), copied(r.weights())};
  };
  const auto none = run({}), zero = run(weight_consolidation{.strength = 0}),
             kept = run(weight_consolidation{.strength = 100, .decay = 1});
  CHECK(none.weights == zero.weights);
  CHECK(kept.first < none.first * 0.85);
  CHECK(kept.all < none.all * 0.95);
}

TEST_CASE("a ring and its sites must agree on whether weights are consolidated") {
  const auto halted = [](bool plan, std::optional<weight_consolidation> recipe) {
    const auto sites = three_sites(linear, plain_recipe(recipe));
    ring r({.consolidate = plan});
    r.open(sites.links(), sites.model());
    const auto before = copied(r.weights());
    CHECK(r.run() == 0);
    CHECK(copied(r.weights()) == before);
    return r.halted();
  };
  CHECK_THAT(halted(true, {}),
             Catch::Contains("[N010") && Catch::Contains("consolidates no weights, the ring does"));
  CHECK_THAT(halted(false, weight_consolidation{}),
             Catch::Contains("consolidates weights, the ring does not"));
}

TEST_CASE("a private site pays for every visit before it trains, and the ring halts when it cannot") {
  std::vector<receipt> paid;
  const auto sites = three_sites(linear, private_recipe_of(paying(paid, 5)));
  ring r({.laps = 4, .steps = 6, .standardise = false});
  r.open(sites.links(), sites.model());
  CHECK(paid.empty());
  std::vector<float> last;
  CHECK(r.run([&](const ring_report& report) { last = copied(report.weights); }) == 5);
  CHECK_THAT(r.halted(), Catch::Contains("lap 2") && Catch::Contains("the budget is spent"));
  CHECK(copied(r.weights()) == last); // what the fifth handed on
  CHECK(r.visits() == 5);
  CHECK(r.run() == 0); // halted for good
  REQUIRE(paid.size() == 5);
  CHECK(paid[0].what == "lap 1");
  CHECK(paid[4].what == "lap 2");
  std::uint64_t steps = 0;
  for (const auto& p : paid) {
    steps += p.event.count;
    CHECK(std::get<event::subsampled_gaussian>(p.event.mechanism).rate >= 0.3);
    CHECK(std::get<event::subsampled_gaussian>(p.event.mechanism).noise_multiplier <= 1);
  }
  CHECK(steps == r.steps());
}

TEST_CASE("training stops before a ledger's epsilon is exceeded, whatever the plan says") {
  const network net(linear);
  const auto terms_for = [](const privacy_event& all) {
    return ledger_terms{
        .delta = 1e-5, .epsilon = 2, .filter = schedule_filter{{all}, stop_rule::public_only}};
  };
  ring_sites sites(linear);
  std::vector<std::shared_ptr<ledger>> books;
  for (std::size_t s = 0; s < 3; ++s) {
    const std::uint64_t visit = ring_plan{.steps = 6}.steps_at(rows_of_sites[s], 120, 3);
    const auto draft = private_recipe_of({}, {}, 1);
    auto all = draft.events(net, rows_of_sites[s], visit)[0];
    all.count *= 7; // laps that are paid for
    const double noise = draft.noise_to_ask(net, rows_of_sites[s], noise_multiplier_for(all, 2, 1e-5));
    auto declared = private_recipe_of({}, {}, noise).events(net, rows_of_sites[s], visit)[0];
    declared.count *= 7;
    const auto book = books.emplace_back(std::make_shared<ledger>(terms_for(declared)));
    sites.add(test::rows_of(rows_of_sites[s], 4, 3, s + 1),
              private_recipe_of(
                  [book](const privacy_event& e, std::string_view what) { return book->debit(e, what); }, {},
                  noise));
  }
  ring r({.laps = 50, .steps = 6, .standardise = false});
  r.open(sites.links(), sites.model());
  CHECK(r.run() == 21); // seven laps of three
  CHECK_THAT(r.halted(), Catch::Contains("lap 8"));
  for (const auto& book : books) {
    CHECK(book->spent().epsilon.upper <= 2);
    CHECK(book->spent().epsilon.upper > 1.99);
  }
}

TEST_CASE("every step of a private visit carries noise: two visits from the same weights differ everywhere") {
  std::vector<receipt> paid;
  const auto once = [&] {
    const auto sites = three_sites(linear, private_recipe_of(paying(paid)));
    ring r({.laps = 1, .steps = 1, .proportional = false, .order = ring_order::fixed, .standardise = false});
    r.open(sites.links(), sites.model());
    std::vector<std::vector<float>> seen;
    r.run([&](const ring_report& report) { seen.push_back(copied(report.weights)); });
    return seen;
  };
  const auto one = once(), other = once();
  REQUIRE(one.size() == 3);
  for (std::size_t v = 0; v < 3; ++v)
    for (std::size_t i = 0; i < one[v].size(); ++i) CHECK(one[v][i] != other[v][i]);
}

TEST_CASE("private Fisher diagonals are paid for at every visit, beside the steps") {
  std::vector<receipt> paid;
  const auto sites = three_sites(
      linear, private_recipe_of(paying(paid), private_weight_consolidation{.noise_multiplier = 30}));
  ring r({.laps = 2, .steps = 2, .consolidate = true, .standardise = false});
  r.open(sites.links(), sites.model());
  CHECK(r.run() == 6);
  CHECK(r.halted().empty());
  REQUIRE(paid.size() == 12);
  for (std::size_t i = 0; i < paid.size(); i += 2) {
    CHECK(std::holds_alternative<event::subsampled_gaussian>(paid[i].event.mechanism));
    const auto& fisher = std::get<event::gaussian>(paid[i + 1].event.mechanism);
    CHECK(fisher.noise_multiplier == Approx(30).epsilon(1e-3));
    CHECK(fisher.noise_multiplier <= 30);
    CHECK(paid[i + 1].event.count == 1);
  }

  // Nobody pays for the diagonal: it does not leave, and neither do weights.
  std::vector<receipt> few;
  const auto poor = three_sites(
      linear, private_recipe_of(paying(few, 1), private_weight_consolidation{.noise_multiplier = 30}));
  ring stopped({.consolidate = true, .standardise = false});
  stopped.open(poor.links(), poor.model());
  CHECK(stopped.run() == 0);
  CHECK_THAT(stopped.halted(), Catch::Contains("the budget is spent"));

  // Without noise there is no way to say it.
  using recipe = decltype(private_recipe_of({}));
  STATIC_REQUIRE_FALSE(std::is_assignable_v<decltype(recipe::consolidation)&, weight_consolidation>);
}

TEST_CASE("a private ring gives no moments out and takes no rows with missing values") {
  std::vector<receipt> paid;
  const auto sites = three_sites(linear, private_recipe_of(paying(paid)));
  ring r({.standardise = true});
  CHECK_THROWS_WITH(r.open(sites.links(), sites.model()), Catch::Contains("public constants"));
  auto rows = test::rows_of(20, 4, 3, 1);
  row(rows.features, 3)[1] = std::numeric_limits<float>::quiet_NaN();
  ring_sites broken(linear);
  CHECK_THROWS_WITH(broken.add(rows, private_recipe_of(paying(paid))), Catch::Contains("[N007"));
  CHECK(paid.empty());
}

TEST_CASE("sites compose in parallel over a declared and disjoint key only") {
  const ledger_spending spent{{0, 1.5, false},
                              1e-5,
                              privacy_unit::example,
                              neighbours::add_remove,
                              ledger_spending::basis_type::used};
  auto more = spent;
  more.epsilon.upper = 2.5;
  std::vector<ring_account> sites{{"north", spent, {}}, {"south", more, {}}};
  CHECK(spent_in_ring(sites).epsilon.upper == Approx(4));
  CHECK(spent_in_ring(sites).epsilon.upper >= 4);
  CHECK(spent_in_ring(sites).delta == Approx(2e-5));
  const disjoint_patients by_id{"patient id"};
  CHECK_THROWS_WITH(spent_in_ring(sites, by_id), Catch::Contains("[N001") && Catch::Contains("'patient id'"));
  const digest anna = sha256("anna"), bert = sha256("bert"), cleo = sha256("cleo");
  sites[0].keys = {anna, bert}, sites[1].keys = {cleo};
  CHECK(spent_in_ring(sites, by_id).epsilon.upper == 2.5);
  CHECK(spent_in_ring(sites, by_id).delta == 1e-5);
  sites[1].keys = {cleo, bert}; // one patient of both
  CHECK_THROWS_WITH(
      spent_in_ring(sites, by_id),
      Catch::Contains("[N010") && Catch::Contains("1 of 2 values of 'patient id' are at north"));
}

TEST_CASE("what a site hands on is not believed") {
  const auto run_with = [](std::function<void(ring_state&)> change) {
    const auto fresh = three_sites(linear, plain_recipe());
    impostor liar(*fresh.links()[1], [&](message& m) {
      auto s = decode_ring_state(m.body).value();
      change(s);
      m.body = encode_ring_state(s);
    });
    const std::vector<transport*> ends{fresh.links()[0], &liar, fresh.links()[2]};
    ring r({.order = ring_order::fixed});
    r.open(ends, fresh.model());
    r.run();
  };
  CHECK_THROWS_WITH(
      run_with([](ring_state& s) { s.weights[3] = std::numeric_limits<float>::quiet_NaN(); }),
      Catch::Contains("[N009") && Catch::Contains("number 3 is nan") && Catch::Contains("(site 2)"));
  CHECK_THROWS_WITH(run_with([](ring_state& s) { s.weights.pop_back(); }), Catch::Contains("site 2"));
  CHECK_THROWS_WITH(run_with([](ring_state& s) { s.step += 1; }), Catch::Contains("site 2"));
  CHECK_THROWS_WITH(run_with([](ring_state& s) {
                      s.memory = {std::vector<float>(s.weights.size()), std::vector<float>(s.weights.size())};
                    }),
                    Catch::Contains("site 2"));
}

TEST_CASE("a site refuses what is no state of its ring, and trains nothing") {
  std::vector<receipt> paid;
  ring_site site(1, test::rows_of(20, 4, 3, 1), private_recipe_of(paying(paid)), 1);
  const auto said = [&](message_kind kind, std::vector<std::byte> body, std::uint64_t hash) {
    const auto reply = decode_message(site.answer(encode({kind, hash, 0, 0, std::move(body)}))).value();
    CHECK(reply.kind == message_kind::refusal);
    return std::string(text_of(reply.body));
  };
  const auto hash = site.data().schema.hash();
  ring_state good{0, 0, 3, 60, std::vector<float>(15), {}};
  const auto with = [&](auto change) {
    auto s = good;
    change(s);
    return said(ring_visit, encode_ring_state(s), hash);
  };
  CHECK_THAT(with([](auto&) {}), Catch::Contains("before it was sent a model"));
  const network net(linear);
  const auto text = json_text(describe(net));
  const auto bytes = bytes_of(text);
  (void)site.answer(encode({message_kind::agree, hash, 0, 0, {}}));
  REQUIRE(decode_message(
              site.answer(encode({message_kind::architecture, hash, 0, 0, {bytes.begin(), bytes.end()}})))
              .value()
              .kind == message_kind::ready);

  CHECK_THAT(with([](auto& s) { s.weights.push_back(0); }),
             Catch::Contains("got 16 weights, the model has 15"));
  CHECK_THAT(with([](auto& s) { s.weights[2] = std::numeric_limits<float>::infinity(); }),
             Catch::Contains("number 2 is inf"));
  CHECK_THAT(with([](auto& s) { s.steps = 0; }), Catch::Contains("asked for 0 steps"));
  CHECK_THAT(with([](auto& s) { s.rows = 19; }), Catch::Contains("has 20 rows, the ring 19"));
  CHECK_THAT(said(ring_visit, {}, hash), Catch::Contains("0 bytes, at least 33"));
  CHECK_THAT(said(ring_visit, encode_ring_state(good), hash + 1), Catch::Contains("another schema"));
  CHECK_THAT(said(message_kind::train, encode_order(60, good.weights), hash),
             Catch::Contains("none that a site of a ring answers"));
  CHECK(paid.empty());
  const auto answer = site.answer(encode({ring_visit, hash, 0, 0, encode_ring_state(good)}));
  CHECK(decode_message(answer).value().kind == ring_visited);
  CHECK(answer.size() ==
        message_header_bytes + 33 + 15 * 4); // weights and public counts, no loss, no classes
  CHECK(paid.size() == 1);
}

TEST_CASE("a state of a ring survives its bytes, and bytes that are none are errors") {
  const ring_state s{2, 40, 5, 920, {1, -2, 0.5f}, {{0, 1, 2}, {3, 4, 5}}};
  const auto bytes = encode_ring_state(s);
  CHECK(bytes.size() == 33 + 9 * 4);
  const auto back = decode_ring_state(bytes).value();
  CHECK(back.lap == 2);
  CHECK(back.step == 40);
  CHECK(back.steps == 5);
  CHECK(back.rows == 920);
  CHECK(back.weights == s.weights);
  CHECK(back.memory.precision == s.memory.precision);
  CHECK(back.memory.anchor == s.memory.anchor);
  const auto said = [](std::vector<std::byte> b) { return decode_ring_state(b).error().message; };
  auto shorter = bytes;
  shorter.resize(bytes.size() - 4);
  CHECK_THAT(said(shorter), Catch::Contains("8 numbers, expected a multiple of 3"));
  shorter.resize(bytes.size() - 6);
  CHECK_THAT(said(shorter), Catch::Contains("whole number"));
  auto flagged = bytes;
  flagged[32] = std::byte{2};
  CHECK(decode_ring_state(flagged).error().kind == fault::message);
  auto negative = s;
  negative.memory.precision[1] = -1;
  CHECK_THAT(said(encode_ring_state(negative)), Catch::Contains("precision 1 is -1"));
}

TEST_CASE("settings of a ring that make no sense are refused") {
  CHECK_THROWS_WITH(ring({.laps = 0}), Catch::Contains("[N001") && Catch::Contains("0 laps"));
  CHECK_THROWS_WITH(ring({.steps = 0}), Catch::Contains("every 0 steps"));
  CHECK_THROWS_WITH(ring({}).run(), Catch::Contains("[N010"));
  ring_sites sites(linear);
  CHECK_THROWS_WITH(sites.add(test::rows_of(9, 4, 3, 1), plain_recipe(weight_consolidation{.strength = -1})),
                    Catch::Contains("strength -1"));
  CHECK_THROWS_WITH(sites.add(test::rows_of(9, 4, 3, 1), plain_recipe(weight_consolidation{.decay = 2})),
                    Catch::Contains("decay 2"));
  CHECK_THROWS_WITH(
      sites.add(test::rows_of(9, 4, 3, 1), private_recipe_of({}, private_weight_consolidation{.bound = 0})),
      Catch::Contains("bound 0"));
}
