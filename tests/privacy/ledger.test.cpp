#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/ledger_file.hpp>
#include <privet/privacy/ledger_group.hpp>
#include <privet/random/replayable.hpp>

#include <sys/wait.h>

#include <cmath>
#include <csignal>
#include <limits>

using namespace privet;
using Catch::Contains;
namespace fs = std::filesystem;
using basis = ledger_spending::basis_type;

namespace {

const privacy_event step{event::subsampled_gaussian{1.1, 0.01}, 1};
const privacy_event histogram{event::laplace{20}, 1};

privacy_event times(privacy_event e, std::uint64_t count) {
  e.count = count;
  return e;
}

ledger_terms terms_of(ledger_filter filter, double epsilon = 8) {
  ledger_terms t;
  t.data = sha256("rows");
  t.unit = privacy_unit::user;
  t.delta = 1e-5;
  t.epsilon = epsilon;
  t.filter = std::move(filter);
  return t;
}
/// A hundred steps and three histograms, in this order where it counts.
ledger_terms schedule(stop_rule stop = stop_rule::any) {
  return terms_of(schedule_filter{{times(step, 60), times(step, 40), times(histogram, 3)}, stop});
}
/// Room for ten Gaussian queries of noise 10.
ledger_terms zcdp() { return terms_of(zcdp_filter{0.05}); }
const privacy_event query{event::gaussian{10}, 1}; // rho = 0.005
/// A hundred of them.
ledger_terms queries(stop_rule stop) {
  return terms_of(schedule_filter{{times(query, 60), times(query, 40)}, stop});
}

double epsilon_of(std::initializer_list<privacy_event> events, double delta = 1e-5) {
  pld_accountant a;
  for (const auto& e : events) a.compose(e);
  return a.epsilon(delta).upper;
}

std::string message(const status& s) {
  REQUIRE_FALSE(s);
  return s.error().message;
}
template <class T>
std::string message(const result<T>& r) {
  REQUIRE_FALSE(r);
  return r.error().message;
}

/// A folder with a path for a ledger.
struct one_file {
  scratch_folder here;
  fs::path path = here.path() / "budget.jsonl";

  ledger create(const ledger_terms& t, const ledger_opening& how = {}) const {
    return create_ledger(path, t, how).value();
  }
  result<ledger> open(const ledger_terms& t, const ledger_opening& how = {}) const {
    return open_ledger(path, t.data, t.unit, t.relation, how);
  }
  std::string text() const { return read_text(path).value(); }
  /// The file then holds this, with the mode of a ledger.
  void put(std::string_view bytes) const {
    (void)write_file_atomically(path, bytes).value();
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
};

std::uint64_t uses(const ledger_log& log) { return log.state.balance().uses(); }

} // namespace

TEST_CASE("terms that promise more than the budget are refused with both numbers") {
  auto t = schedule();
  t.epsilon = 0.1;
  CHECK_THROWS_WITH(ledger(t), Contains("N001") && Contains("schedule") && Contains("budget 0.1"));
  t = zcdp();
  t.epsilon = 1;
  CHECK_THROWS_WITH(ledger(t), Contains("zcdp filter lets epsilon 1.") && Contains("budget 1"));
  CHECK_THROWS_WITH(ledger(terms_of(schedule_filter{})), Contains("without events"));
  CHECK_THROWS_WITH(ledger(terms_of(zcdp_filter{-1})), Contains("rho -1"));
  CHECK_THROWS_WITH(ledger(terms_of(renyi_filter{1, 1})), Contains("order 1"));
  CHECK_THROWS_WITH(ledger(terms_of(renyi_filter{8, std::numeric_limits<double>::infinity()})),
                    Contains("inf"));
  CHECK_THROWS_WITH(ledger(terms_of(zcdp_filter{0.05, 1e-5})), Contains("delta"));
  t = schedule();
  t.relation = neighbours::zero_out;
  CHECK_THROWS_WITH(ledger(t), Contains("N010") && Contains("add-remove") && Contains("zero-out"));
  t = zcdp();
  t.delta = 0;
  CHECK_THROWS_WITH(ledger(t), Contains("delta 0"));
}

TEST_CASE("a schedule takes its events in any order, no more of them, and spends what was declared") {
  ledger book(schedule());
  CHECK(book.spent().epsilon.upper == 0);
  CHECK(book.spent().basis == basis::nothing);
  REQUIRE(book.debit(histogram, "first the histogram"));
  REQUIRE(book.debit(times(step, 99), "training"));
  CHECK_THAT(message(book.debit(times(step, 2), "more")), Contains("N010") && Contains("99 of 100") &&
                                                              Contains("2 more") &&
                                                              Contains("budget of epsilon 8"));
  CHECK_THAT(message(book.may(times(histogram, 3))), Contains("1 of 3"));
  CHECK_THAT(message(book.debit({event::laplace{19}, 1}, "less noise")),
             Contains("scale 19") && Contains("declares"));
  CHECK(book.entries().size() == 2);
  CHECK(book.may(step));
  CHECK(book.spent().epsilon.upper == epsilon_of({times(step, 100), times(histogram, 3)}));
  CHECK(book.spent().basis == basis::declared);
  CHECK(book.spent().sentence().find("one user") != std::string::npos);
  CHECK_FALSE(book.odometer());
}

TEST_CASE("under a public stop a schedule is kept in order and what was used is what is spent") {
  ledger book(schedule(stop_rule::public_only));
  CHECK_THAT(message(book.debit(histogram, "too early")),
             Contains("laplace") && Contains("subsampled_gaussian"));
  REQUIRE(book.debit(times(step, 30), "training"));
  CHECK(book.spent().epsilon.upper == epsilon_of({times(step, 30)}));
  CHECK(book.spent().basis == basis::used);
  CHECK_THAT(message(book.debit(times(step, 71), "over the block")),
             Contains("30 of 100") && Contains("71 more"));
  REQUIRE(book.debit(times(step, 70), "training"));
  REQUIRE(book.debit(times(histogram, 3), "histograms"));
  CHECK(book.spent().epsilon.upper == book.terms().bound().upper);
  CHECK_THAT(message(book.may(histogram)), Contains("all 103") && Contains("1 more"));
}

TEST_CASE("an event composed n times is n events, under every filter") {
  const auto renyi = renyi_filter::for_budget(5, 1e-5, query);
  for (const auto& t : {queries(stop_rule::any), queries(stop_rule::public_only),
                        terms_of(zcdp_filter{50}, 200), terms_of(renyi)}) {
    ledger at_once(t), singly(t);
    REQUIRE(at_once.debit(times(query, 50), "all"));
    for (int i = 0; i < 50; ++i) REQUIRE(singly.debit(query, "one"));
    CHECK(at_once.spent().epsilon.upper == singly.spent().epsilon.upper);
    CHECK(at_once.odometer() == singly.odometer());
    // and the same one more fits
    for (std::uint64_t n = 1; n < 200'000; n *= 2)
      CHECK(at_once.may(times(query, n)).has_value() == singly.may(times(query, n)).has_value());
  }
}

TEST_CASE("the zCDP filter adds rho and reports the budget, not what was used at the stop") {
  ledger book(zcdp());
  const double all = zcdp_epsilon(0.05, 1e-5);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(book.may(query));
    REQUIRE(book.debit(query, "one tenth")); // ten tenths fit in spite of rounding
    CHECK(book.spent().epsilon.upper == Approx(all).epsilon(1e-8));
    CHECK(book.spent().epsilon.upper >= all);
    CHECK(book.spent().basis == basis::declared);
  }
  CHECK_THAT(message(book.debit({event::gaussian{1000}, 1}, "a little more")),
             Contains("N010") && Contains("of 0.05 rho is used") && Contains("5e-07 more"));
  CHECK(book.entries().size() == 10);

  // Parameters that follow from results are what a filter is for.
  ledger adaptive(zcdp());
  double noise = 7;
  for (; adaptive.may({event::gaussian{noise}, 1}); noise *= 1.1)
    REQUIRE(adaptive.debit({event::gaussian{noise}, 1}, "next"));
  CHECK(adaptive.spent().epsilon.upper == book.spent().epsilon.upper);

  const double fine = zcdp_filter::for_budget(1, 1e-6).rho;
  CHECK(zcdp_epsilon(fine, 1e-6) <= 1);
  CHECK(zcdp_epsilon(fine * (1 + 1e-7), 1e-6) > 1);
  CHECK(zcdp_filter::for_budget(800, 1e-6).rho > 500);
}

TEST_CASE("the Renyi filter knows sampling and lets through what its order allows") {
  const auto filter = renyi_filter::for_budget(1.5, 1e-5, step);
  const auto t = terms_of(filter, 1.5);
  CHECK(t.bound().upper <= 1.5);
  CHECK(t.bound().upper == Approx(1.5).epsilon(1e-7));
  rdp_accountant one({filter.order});
  std::uint64_t most = 1;
  for (std::uint64_t n = 1 << 20; n > 0; n /= 2) {
    rdp_accountant a({filter.order});
    a.compose(times(step, most + n));
    if (a.epsilon(1e-5).upper <= 1.5) most += n;
  }
  ledger book(t);
  CHECK(book.may(times(step, most)));
  CHECK_THAT(message(book.may(times(step, most + 1))), Contains("Renyi divergence"));
  REQUIRE(book.debit(step, "a first step"));
  CHECK(book.spent().epsilon.upper == t.bound().upper);
  // No order does better than the accountant that picks the best in hindsight, nor much worse.
  CHECK(most <= uses_for<rdp_accountant>(step, 1.5, 1e-5));
  CHECK(static_cast<double>(most) > 0.98 * static_cast<double>(uses_for<rdp_accountant>(step, 1.5, 1e-5)));
  CHECK_THROWS_WITH(renyi_filter::for_budget(1e-6, 1e-12, step), Contains("no order"));

  // Of exact noise it knows whole orders.
  const privacy_event exact{event::subsampled_discrete_gaussian{1.1, 0.01}};
  const auto whole = renyi_filter::for_budget(1.5, 1e-5, exact);
  CHECK(whole.order == std::round(whole.order));
  ledger drawn(terms_of(whole, 1.5));
  const auto uses = uses_for<rdp_accountant>(exact, 1.5, 1e-5);
  CHECK(drawn.may(times(exact, uses - uses / 50)));
  CHECK_THAT(message(drawn.may(times(exact, uses + 1))), Contains("Renyi divergence"));
  REQUIRE(drawn.debit(exact, "a first step"));

  // Noise too small for the quadrature counts as if nobody had been left out.
  ledger hasty(terms_of(renyi_filter{1000, 1e9}, 1e10));
  REQUIRE(hasty.debit({event::subsampled_gaussian{0.01, 1e-6}, 1}, "hardly any noise"));
  REQUIRE(hasty.debit({event::subsampled_discrete_gaussian{0.01, 1e-6}, 1}, "hardly any exact noise"));
  CHECK(*hasty.odometer() >= 1000 / (2 * 0.01 * 0.01));
}

TEST_CASE("the odometer bounds the loss so far at any stop") {
  ledger book(zcdp());
  CHECK(book.odometer() == 0.0);
  const double log_odds = std::log(20 / 1e-5);
  double last = 0;
  for (int i = 1; i <= 10; ++i) {
    REQUIRE(book.debit(query, "one tenth"));
    const double rho = 0.005 * i;
    // the least of the halved budgets that holds what was used
    double level = 0.05;
    while (level / 2 >= rho * (1 - 1e-9)) level /= 2;
    CHECK(*book.odometer() == Approx(level + 2 * std::sqrt(level * log_odds)).epsilon(1e-8));
    CHECK(*book.odometer() >= last);
    last = *book.odometer();
  }
  // A Gaussian query's loss is normal with mean rho and variance 2 rho: the bound is exceeded by delta at
  // most.
  CHECK(0.5 * std::erfc((last - 0.05) / std::sqrt(4 * 0.05)) <= 1e-5);
  ledger renyi(terms_of(renyi_filter{11, 1}));
  REQUIRE(renyi.debit({event::gaussian{std::sqrt(11.0)}, 1}, "divergence one half"));
  CHECK(*renyi.odometer() == Approx(0.5 + log_odds / 10).epsilon(1e-8));
}

TEST_CASE("noise of finite precision is debited as a distance and has a budget of its own") {
  const privacy_event rough{event::gaussian{10}, 1, neighbours::add_remove, 1e-9};
  CHECK_THAT(message(ledger(zcdp()).may(rough)), Contains("distance of 0 of 0") && Contains("1e-09 more"));
  const auto filter = zcdp_filter::for_budget(2, 1e-5, 4e-9);
  CHECK(filter.rho < zcdp_filter::for_budget(2, 1e-5).rho);
  const auto t = terms_of(filter, 2);
  CHECK(t.bound().upper <= 2);
  CHECK(t.bound().upper == Approx(2).epsilon(1e-4));
  ledger book(t);
  REQUIRE(book.debit(times(rough, 4), "four"));
  CHECK_THAT(message(book.may(rough)), Contains("distance"));
  CHECK(book.may(query)); // rho is left
  CHECK_THROWS_WITH(zcdp_filter::for_budget(2, 1e-5, 1e-5), Contains("distance 1e-05"));

  ledger listed(terms_of(schedule_filter{{times(rough, 3)}}));
  CHECK_THAT(message(listed.may(query)), Contains("gaussian of noise 10") && Contains("declares"));
  REQUIRE(listed.debit(times(rough, 3), "three"));
  CHECK(listed.spent().epsilon.upper > epsilon_of({times(query, 3)}));
}

TEST_CASE("what has no theorem under a filter, or another relation, does not fit") {
  ledger book(zcdp());
  CHECK_THAT(message(book.debit({event::gaussian{10}, 1, neighbours::zero_out}, "other")),
             Contains("N010") && Contains("zero-out") && Contains("add-remove") && Contains("do not add up"));
  auto t = terms_of(zcdp_filter{1}, 20);
  t.relation = neighbours::replace_one;
  CHECK_THAT(message(ledger(t).may({event::shuffle{1, 100}, 1, neighbours::replace_one})),
             Contains("N011") && Contains("shuffle"));
  // The privacy loss of exact noise has no known law, so no schedule holds it: neither new nor on disk.
  const auto scheduled = terms_of(schedule_filter{{{event::subsampled_discrete_gaussian{1, 0.01}, 10}}});
  const char *name = "subsampled_discrete_gaussian", *cure = "renyi or zcdp filter";
  CHECK_THROWS_WITH(ledger(scheduled), Contains("N011") && Contains(name) && Contains(cure));
  CHECK_THROWS_WITH(create_ledger(one_file().path, scheduled), Contains("N011") && Contains(name));
  CHECK_THAT(message(parse_ledger(detail::ledger_text(scheduled) + '\n', "x")),
             Contains("x:1") && Contains("N011") && Contains(name) && Contains(cure));
  CHECK_THROWS_WITH(book.debit({event::gaussian{0}, 1}, "no noise"), Contains("N001"));
  CHECK_THROWS_WITH(book.debit(query, std::string(1001, 'x')), Contains("1001"));
  CHECK_THROWS_WITH(book.debit(query, "\xc3("), Contains("UTF-8"));
  CHECK(book.entries().empty());
}

TEST_CASE("a reservation pays ahead and a settlement gives the rest back") {
  for (const auto& t :
       {queries(stop_rule::any), queries(stop_rule::public_only), terms_of(zcdp_filter{50}, 200)}) {
    ledger book(t), plain(t);
    auto ahead = book.reserve(times(query, 50), "an epoch").value();
    const double reserved = book.spent().epsilon.upper;
    for (int i = 0; i < 20; ++i) CHECK(ahead.draw());
    CHECK_FALSE(ahead.draw(31));
    CHECK(ahead.left() == 30);
    CHECK(ahead.used() == 20);
    REQUIRE(book.settle(ahead));
    CHECK(ahead.left() == 0);
    CHECK_FALSE(ahead.draw());
    CHECK_THAT(message(book.settle(ahead)), Contains("N001"));

    REQUIRE(plain.debit(times(query, 20), "the same"));
    CHECK(book.spent().epsilon.upper == plain.spent().epsilon.upper);
    CHECK(book.spent().epsilon.upper <= reserved);
    REQUIRE(book.debit(times(query, 80), "what was given back, too"));
    CHECK(plain.debit(times(query, 80), "to the end").has_value());
    CHECK(book.spent().epsilon.upper == plain.spent().epsilon.upper);
  }
  ledger book(queries(stop_rule::any)), other(book.terms());
  auto mine = book.reserve(times(query, 100), "all").value();
  CHECK_FALSE(book.reserve(query, "one more"));
  auto theirs = other.reserve(times(query, 100), "all").value();
  CHECK_THAT(message(book.settle(theirs)), Contains("not open here"));
  REQUIRE(book.settle(mine)); // none was drawn
  CHECK(book.spent().epsilon.upper == 0);
  CHECK(book.may(times(query, 100)));
  auto moved = std::move(theirs);
  CHECK(theirs.left() == 0); // NOLINT(bugprone-use-after-move): that nothing is left to draw is the point
  CHECK(moved.draw(100));
}

TEST_CASE("in an ordered schedule only the last uses can be given back") {
  ledger book(schedule(stop_rule::public_only));
  auto ahead = book.reserve(times(step, 50), "first").value();
  auto then = book.reserve(times(step, 50), "second").value();
  REQUIRE(then.draw(50));
  REQUIRE(book.debit(histogram, "after both"));
  REQUIRE(ahead.draw(49));
  CHECK_THAT(message(book.settle(ahead)), Contains("N010") && Contains("1 uses") && Contains("in order"));
  REQUIRE(book.settle(then)); // nothing to give back
  CHECK(book.spent().epsilon.upper == epsilon_of({times(step, 100), histogram}));
}

TEST_CASE("a journal that fails leaves the debit counted and takes no other") {
  struct full_disk : ledger_journal {
    int left = 1;
    status append(const ledger_entry&) override {
      if (left-- > 0) return nothing{};
      return error::of(fault::file, "disk full");
    }
    ledger_head head() const override { return {}; }
    std::string place() const override { return "stub"; }
  };
  ledger book(ledger_state(schedule()), std::make_unique<full_disk>());
  REQUIRE(book.debit(step, "fits"));
  CHECK_THAT(message(book.debit(step, "fails")), Contains("disk full"));
  CHECK(book.entries().size() == 2);
  CHECK_THAT(message(book.debit(step, "refused")), Contains("disk full"));
  CHECK_THAT(message(book.may(step)), Contains("disk full"));
  CHECK(book.entries().size() == 2);
}

TEST_CASE("a ledger on disk holds what its debits returned for, and several runs add up") {
  const one_file f;
  const auto t = schedule(stop_rule::public_only);
  {
    auto book = f.create(t);
    CHECK((fs::status(f.path).permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(book.head().count == 0);
    REQUIRE(book.debit(times(step, 10), "run one, \"quoted\"\n\tZürich", "2026-01-01T00:00:00Z"));
    CHECK_THAT(f.text(), Contains("run one") && Contains("2026-01-01T00:00:00Z"));
    CHECK(read_ledger(f.path)->head() == book.head()); // readable while it is open
    CHECK_THAT(message(f.open(t)), Contains("N002") && Contains(f.path.string()) && Contains("elsewhere"));
    CHECK_THAT(message(create_ledger(f.path, t)), Contains("N002") && Contains("exists"));
  }
  {
    auto book = f.open(t).value();
    CHECK(book.entries().front().what == "run one, \"quoted\"\n\tZürich");
    CHECK(book.entries().front().time == "2026-01-01T00:00:00Z");
    CHECK(book.spent().epsilon.upper == epsilon_of({times(step, 10)}));
    REQUIRE(book.debit(times(step, 10), "run two"));
    CHECK(book.entries().back().session == 2);
  }
  auto book = open_or_create_ledger(f.path, t).value();
  CHECK(book.spent().epsilon.upper == epsilon_of({times(step, 20)}));
  CHECK(book.terms().unit == privacy_unit::user);
  CHECK(fs::exists(f.path));
  CHECK(std::ranges::distance(fs::directory_iterator(f.here.path())) == 1); // no part files
}

TEST_CASE("a run stopped at a clean boundary and resumed spends what an uninterrupted one does") {
  for (const auto& t : {schedule(stop_rule::public_only), terms_of(zcdp_filter{50}, 200)}) {
    const one_file f;
    {
      auto book = f.create(t);
      auto ahead = book.reserve(times(step, 60), "epoch").value();
      REQUIRE(ahead.draw(25));
      REQUIRE(book.settle(ahead));
    }
    {
      auto book = f.open(t).value();
      auto ahead = book.reserve(times(step, 60), "epoch").value();
      REQUIRE(ahead.draw(25));
      REQUIRE(book.settle(ahead));
    }
    ledger whole(t);
    REQUIRE(whole.debit(times(step, 50), "uninterrupted"));
    auto book = f.open(t).value();
    CHECK(book.spent().epsilon.upper == whole.spent().epsilon.upper);
    CHECK(book.odometer() == whole.odometer());

    // Without the settlement the reservation stays spent, also for later openings.
    { const auto crashed = book.reserve(times(step, 50), "epoch"); }
    auto closed = std::move(book);
    { const auto gone = std::move(closed); }
    CHECK(uses(read_ledger(f.path).value()) == 100);
    CHECK(f.open(t)->debit(query, "next").has_value() == std::holds_alternative<zcdp_filter>(t.filter));
  }
}

TEST_CASE("a settlement is believed only in the session of its reservation") {
  const one_file f;
  const auto t = terms_of(zcdp_filter{50}, 200);
  { auto lost = f.create(t).reserve(times(step, 60), "epoch"); }
  auto log = read_ledger(f.path).value();
  const auto settled = [&](std::uint64_t session, std::uint64_t of, std::uint64_t used) {
    ledger_entry e;
    e.kind = ledger_entry::type::settlement;
    e.index = 2, e.session = session, e.reservation = of, e.used = used;
    return parse_ledger(f.text() + detail::ledger_text(e, log.digests.back()) + '\n', "x");
  };
  CHECK(uses(settled(1, 1, 7).value()) == 7);
  CHECK_THAT(message(settled(2, 1, 7)), Contains("x:3") && Contains("no reservation open in session 2"));
  CHECK_THAT(message(settled(1, 2, 7)), Contains("settles entry 2"));
  CHECK_THAT(message(settled(1, 1, 61)), Contains("61") && Contains("60"));
}

TEST_CASE("a ledger of other data, unit, relation, terms or version is refused with both sides") {
  const one_file f;
  const auto t = schedule();
  { const auto made = f.create(t); }
  auto other = t;
  other.data = sha256("other rows");
  CHECK_THAT(message(f.open(other)), Contains("N010") && Contains(f.path.string() + ":1") &&
                                         Contains(hex(t.data)) && Contains(hex(other.data)));
  other = t, other.unit = privacy_unit::site;
  CHECK_THAT(message(f.open(other)), Contains("unit user, expected site"));
  other = t, other.relation = neighbours::zero_out;
  CHECK_THAT(message(f.open(other)), Contains("relation add-remove, expected zero-out"));
  other = t, other.delta = 1e-6;
  CHECK_THAT(message(open_or_create_ledger(f.path, other)), Contains("1e-05") && Contains("1e-06"));
  CHECK(open_or_create_ledger(f.path, t));

  std::string text = f.text();
  text.replace(text.find("\"version\":1"), 11, "\"version\":2");
  CHECK_THAT(message(parse_ledger(text, "x")),
             Contains("N011") && Contains("x:1") && Contains("version 2") && Contains("version 1"));
}

TEST_CASE("a path that is no ledger is refused") {
  const one_file f;
  const auto t = schedule();
  CHECK_THAT(message(f.open(t)), Contains("N002") && Contains(f.path.string()));
  fs::create_directory(f.path);
  CHECK_THAT(message(f.open(t)), Contains("N002"));
  CHECK_THAT(message(create_ledger(f.path, t)), Contains("N002"));
  fs::remove(f.path);
  CHECK_THAT(message(create_ledger(f.path / "below", t)), Contains("N002"));
  { const auto made = f.create(t); }
  fs::permissions(f.path, fs::perms::group_write, fs::perm_options::add);
  CHECK_THAT(message(f.open(t)), Contains("0600"));
  fs::permissions(f.path, fs::perms::group_write, fs::perm_options::remove);
  fs::create_symlink(f.path, f.here.path() / "link");
  CHECK_THAT(message(open_ledger(f.here.path() / "link", t.data, t.unit, t.relation)), Contains("N002"));
  f.put("");
  CHECK_THAT(message(f.open(t)), Contains("N004") && Contains(":1: no complete first line"));
  f.put("{}\n");
  CHECK_THAT(message(f.open(t)), Contains("N004"));
}

namespace {

/// Entries of every kind, written by three processes as it were, and the uses spent after each line.
struct small_ledger {
  std::string text;
  std::vector<std::uint64_t> spent_after{0}; // the first line
  ledger_terms terms = terms_of(zcdp_filter{50}, 200);

  explicit small_ledger(const one_file& f) {
    const auto note = [&] { spent_after.push_back(uses(read_ledger(f.path).value())); };
    {
      auto book = f.create(terms);
      CHECK(book.debit(times(step, 3), "J*:Zz"));
      note();
      auto ahead = book.reserve(times(query, 20), "ahead").value();
      note();
      CHECK(ahead.draw(5));
      CHECK(book.settle(ahead));
      note();
    }
    auto book = f.open(terms).value();
    CHECK(book.debit(query, "", "noon"));
    note();
    CHECK(book.reserve(times(query, 9), "never settled").has_value());
    note();
    text = f.text();
  }
  std::size_t lines_in(std::string_view part) const {
    return static_cast<std::size_t>(std::ranges::count(part, '\n'));
  }
};

} // namespace

TEST_CASE("a ledger cut at any byte never spends less than the debits that had returned") {
  const one_file made, cut;
  const small_ledger whole(made);
  REQUIRE(whole.spent_after == std::vector<std::uint64_t>{0, 3, 23, 8, 9, 18});
  std::size_t charged = 0;
  for (std::size_t n = 0; n <= whole.text.size(); ++n) {
    const auto part = std::string_view(whole.text).substr(0, n);
    const auto lines = whole.lines_in(part);
    const auto log = parse_ledger(part, "cut");
    if (lines == 0) {
      CHECK_THAT(message(log), Contains("cut:1"));
      continue;
    }
    INFO(n << " bytes, " << lines << " lines");
    REQUIRE(log);
    const auto returned = whole.spent_after[lines - 1];
    CHECK(uses(*log) >= returned);
    charged += uses(*log) > returned;
    // What was torn off may be one more debit, as it was, and nothing else.
    if (uses(*log) != returned) CHECK(uses(*log) == std::max(whole.spent_after[lines], returned));
  }
  CHECK(charged > 400); // torn lines that count
}

TEST_CASE("a ledger cut anywhere goes on after it is opened", "[slow]") {
  const one_file made, cut;
  const small_ledger whole(made);
  for (std::size_t n = whole.text.find('\n') + 1; n < whole.text.size(); n += 3) {
    cut.put(std::string_view(whole.text).substr(0, n));
    const auto before = read_ledger(cut.path).value();
    {
      auto book = cut.open(whole.terms).value();
      CHECK(book.entries().size() == before.state.entries().size());
      REQUIRE(book.debit(query, "after the crash"));
    }
    INFO(n);
    const auto after = read_ledger(cut.path);
    REQUIRE(after);
    CHECK(uses(*after) == uses(before) + 1);
    CHECK(after->torn == 0);
    CHECK(cut.text().substr(0, before.whole) == whole.text.substr(0, before.whole));
  }
}

TEST_CASE("a ledger with one flipped bit is refused or spends no less") {
  const one_file made;
  const small_ledger whole(made);
  const auto honest = parse_ledger(whole.text).value();
  std::size_t accepted = 0;
  for (std::size_t byte = 0; byte < whole.text.size(); ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      std::string text = whole.text;
      text[byte] = static_cast<char>(text[byte] ^ (1 << bit));
      const auto log = parse_ledger(text, "flipped");
      if (!log) {
        CHECK(log.error().message.find("flipped:") != std::string::npos);
        continue;
      }
      ++accepted;
      INFO("byte " << byte << ", bit " << bit);
      CHECK(uses(*log) >= uses(honest));
      CHECK(log->state.balance().used() >= honest.state.balance().used());
      CHECK(log->state.terms().epsilon == whole.terms.epsilon);
    }
  CHECK(accepted == 8); // the last line end alone: the line is then torn, and counts
}

TEST_CASE("lines that were changed, lost, doubled or exchanged are refused by number") {
  const one_file made;
  const small_ledger whole(made);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < whole.text.size();) {
    const auto end = whole.text.find('\n', at);
    lines.push_back(whole.text.substr(at, end + 1 - at));
    at = end + 1;
  }
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string all;
    for (const auto& p : parts) all += p;
    return all;
  };
  REQUIRE(parse_ledger(joined(lines)));
  auto changed = lines;
  changed[1].replace(changed[1].find("\"steps\":3"), 9, "\"steps\":1");
  CHECK_THAT(message(parse_ledger(joined(changed), "x")), Contains("N004") && Contains("x:2: broken line"));
  // Sealed again, the line is sound but the next no longer follows it.
  changed[1] = detail::sealed_line(changed[1].substr(0, changed[1].size() - 1 - detail::seal_length)) + '\n';
  CHECK_THAT(message(parse_ledger(joined(changed), "x")),
             Contains("x:3: broken chain") && Contains("the line before is"));
  auto lost = lines;
  lost.erase(lost.begin() + 2);
  CHECK_THAT(message(parse_ledger(joined(lost), "x")), Contains("x:3: broken chain"));
  auto twice = lines;
  twice.push_back(twice.back());
  CHECK_THAT(message(parse_ledger(joined(twice), "x")), Contains("x:7: broken chain"));
  auto swapped = lines;
  std::swap(swapped[1], swapped[2]);
  CHECK_THAT(message(parse_ledger(joined(swapped), "x")), Contains("x:2: broken chain"));
  auto junk = lines;
  junk.insert(junk.begin() + 4, "\n");
  CHECK_THAT(message(parse_ledger(joined(junk), "x")), Contains("x:5"));
}

TEST_CASE("entries that no ledger writes are refused even when their digests are right") {
  const std::string head = detail::ledger_text(zcdp());
  const auto sealed = [&](const std::string& body) {
    const digest first = sha256(head.substr(0, head.size() - detail::seal_length));
    return parse_ledger(
        head + '\n' + detail::sealed_line(concat("{", body, ",\"previous\":\"", hex(first), '"')) + '\n',
        "x");
  };
  const std::string event = R"("event":{"mechanism":"gaussian","sigma":10})";
  CHECK(uses(sealed(event + R"(,"index":1,"session":1,"kind":"debit")").value()) == 1);
  CHECK(uses(sealed(R"("index":1,"session":1,"kind":"torn")").value()) == 0);
  CHECK_THAT(message(sealed(event + R"(,"index":2,"session":1,"kind":"debit")")),
             Contains("entry 2, expected 1"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":0,"kind":"debit")")), Contains("session 0"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":1,"kind":"credit")")), Contains("'credit'"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":1)")), Contains("neither"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":1,"settles":1,"used":0)")),
             Contains("a settlement with"));
  CHECK_THAT(message(sealed(R"("index":1,"session":1,"kind":"debit")")), Contains("a debit without"));
  CHECK_THAT(message(sealed(R"("index":1,"session":1,"kind":"debit","settles":1,"used":1)")),
             Contains("neither"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":1,"kind":"debit","note":1)")),
             Contains("'note'"));
  CHECK_THAT(message(sealed(event + R"(,"index":1,"session":1,"kind":"debit","what":1)")), Contains("what"));
  CHECK_THAT(
      message(sealed(R"("event":{"mechanism":"gaussian","sigma":1},"index":1,"session":1,"kind":"debit")")),
      Contains("x:2") && Contains("of 0.05 rho") && Contains("0.5 more"));
  CHECK_THAT(
      message(sealed(
          R"("event":{"mechanism":"gaussian","sigma":1e9,"relation":"zero-out"},"index":1,"session":1,"kind":"debit")")),
      Contains("zero-out"));
  // A torn line that would overdraw the budget was not written by a ledger either.
  CHECK_THAT(message(parse_ledger(head + "\n{\"event\":{\"mechanism\":\"gaussian\",\"sigma\":1},", "x")),
             Contains("x:2"));
  CHECK_THAT(message(parse_ledger(head + '\n' + std::string(40000, '0'), "x")), Contains("40000 bytes"));
}

TEST_CASE("terms that no ledger writes are refused even when their digest is right") {
  const auto refuse = [](const ledger_terms& t, std::string_view from, std::string_view to) {
    std::string line = detail::ledger_text(t);
    line.resize(line.size() - detail::seal_length);
    const auto at = line.find(from);
    REQUIRE(at != line.npos);
    return message(parse_ledger(detail::sealed_line(line.replace(at, from.size(), to)) + '\n', "x"));
  };
  const auto z = zcdp(), s = schedule(), r = terms_of(renyi_filter{8, 1});
  CHECK_THAT(refuse(z, "privet", "others"), Contains("x:1") && Contains("'others'"));
  CHECK_THAT(refuse(z, "\"version\":1", "\"verse\":1"), Contains("verse"));
  CHECK_THAT(refuse(z, hex(z.data), "00"), Contains("64 hexadecimal"));
  CHECK_THAT(refuse(z, "user", "group"), Contains("'group'") && Contains("'user'"));
  CHECK_THAT(refuse(z, "add-remove", "sub"), Contains("'sub'"));
  CHECK_THAT(refuse(z, "\"delta\":1e-05", "\"delta\":1"), Contains("delta 1"));
  CHECK_THAT(refuse(z, "\"epsilon\":8.0", "\"epsilon\":0"), Contains("epsilon 0"));
  CHECK_THAT(refuse(z, "\"epsilon\":8.0", "\"epsilon\":1"), Contains("x:1") && Contains("lets epsilon 1."));
  CHECK_THAT(refuse(z, "\"distance\":0.0", "\"distance\":0.5"), Contains("N011"));
  CHECK_THAT(refuse(z, "zcdp", "adp"), Contains("'adp'"));
  CHECK_THAT(refuse(z, "\"rho\":0.05", "\"rho\":-0.05"), Contains("rho -0.05"));
  CHECK_THAT(refuse(z, "\"rho\":0.05", "\"rho\":0.05,\"more\":1"), Contains("4 members"));
  CHECK_THAT(refuse(r, "\"order\":8.0", "\"order\":1e9"), Contains("order 1e+09"));
  CHECK_THAT(refuse(r, "\"divergence\":1.0", "\"divergence\":\"1\""), Contains("divergence"));
  CHECK_THAT(refuse(s, "\"stop\":\"any\"", "\"stop\":\"maybe\""), Contains("'maybe'"));
  CHECK_THAT(refuse(s, "laplace", "laplas"), Contains("event 2") && Contains("'laplas'"));
  CHECK_THAT(refuse(s, "add-remove\",\"delta", "zero-out\",\"delta"), Contains("zero-out"));
}

TEST_CASE("a rolled-back copy is refused by a head or an anchor") {
  const one_file f;
  const fs::path anchor = f.here.path() / "elsewhere" / "budget.head";
  fs::create_directory(anchor.parent_path());
  const auto t = schedule();
  std::string early, late;
  ledger_head at_two;
  {
    auto book = f.create(t, {.anchor = anchor});
    CHECK(load_head(anchor).value() == book.head());
    REQUIRE(book.debit(step, "one"));
    early = f.text();
    REQUIRE(book.debit(step, "two"));
    at_two = book.head();
    REQUIRE(book.debit(step, "three"));
    CHECK(load_head(anchor).value() == book.head());
    late = f.text();
  }
  CHECK(at_two.count == 2);
  CHECK(read_head(at_two.text()).value() == at_two);
  CHECK(f.open(t, {.contains = at_two, .anchor = anchor})); // a later ledger holds an earlier head

  f.put(early);
  CHECK_THAT(message(f.open(t, {.contains = at_two})),
             Contains("N010") && Contains("older copy") && Contains("1 entries") && Contains("knows of 2"));
  CHECK_THAT(message(f.open(t, {.anchor = anchor})),
             Contains("older copy") && Contains("budget.head knows of 3"));
  REQUIRE(f.open(t)->debit(step, "another second")); // alone a ledger cannot know
  CHECK_THAT(message(f.open(t, {.contains = at_two})),
             Contains(":3: another history") && Contains(hex(at_two.last)));

  fs::remove(f.path);
  CHECK_THAT(message(open_or_create_ledger(f.path, t, {.contains = at_two})),
             Contains("no such ledger") && Contains("2"));
  CHECK_THAT(message(create_ledger(f.path, t, {.anchor = anchor})),
             Contains("anchor") && Contains("missing"));
  f.put(late);
  fs::remove(anchor);
  CHECK_THAT(message(f.open(t, {.anchor = anchor})), Contains("N002") && Contains(anchor.string()));
  REQUIRE(save_head(anchor, read_ledger(f.path)->head()));
  CHECK(f.open(t, {.anchor = anchor}));
  for (const std::string_view junk : {"", ":", "1:", "x:00", "-1:00", "1:zz"}) {
    CHECK_THAT(message(read_head(junk, "here")), Contains("N004") && Contains("here"));
    f.here.write("elsewhere/budget.head", junk);
    CHECK_FALSE(f.open(t, {.anchor = anchor}));
  }
}

TEST_CASE("a ledger that is changed, replaced or removed while open takes no more debits") {
  for (const int way : {0, 1, 2}) {
    const one_file f;
    auto book = f.create(schedule());
    REQUIRE(book.debit(step, "one"));
    const std::string before = f.text();
    if (way == 0) f.put(before); // another file of the same bytes
    if (way == 1) fs::remove(f.path);
    if (way == 2) fs::resize_file(f.path, before.size() - 1);
    const auto said = message(book.debit(step, "two"));
    INFO(way);
    CHECK_THAT(said, Contains("N002") && Contains("while it was open"));
    CHECK_THAT(message(book.may(step)), Contains("N002"));
    if (way == 0) CHECK(f.text() == before);
  }
}

TEST_CASE("a forked child can neither debit nor draw") {
  const one_file f;
  auto book = f.create(schedule());
  auto ahead = book.reserve(times(step, 10), "ahead").value();
  const std::string before = f.text();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool held = !book.debit(step, "twice") && !book.may(step) && !ahead.draw() && !book.settle(ahead) &&
                      !f.open(book.terms());
    ::_exit(held ? 0 : 1);
  }
  int how = -1;
  REQUIRE(::waitpid(child, &how, 0) == child);
  CHECK(WIFEXITED(how));
  CHECK(WEXITSTATUS(how) == 0);
  CHECK(f.text() == before);
  CHECK(ahead.draw());
}

TEST_CASE("a process killed at any moment has spent at least what it reported", "[slow]") {
  replayable_random random(20261121);
  for (int round = 0; round < 60; ++round) {
    const one_file f;
    const auto t = terms_of(zcdp_filter{5000}, 1e5);
    { const auto made = f.create(t); }
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto book = f.open(t);
      for (std::uint64_t i = 0; book && i < 1'000'000; ++i) {
        std::uint64_t made = 1;
        if (i % 4 == 3) {
          auto ahead = book->reserve(times(query, 10), "ahead");
          if (!ahead || !ahead->draw(i % 7) || !book->settle(*ahead)) break;
          made = i % 7;
        } else if (!book->debit(query, "one")) {
          break;
        }
        if (::write(pipe_ends[1], &made, sizeof made) != sizeof made) break;
      }
      ::_exit(0);
    }
    ::close(pipe_ends[1]);
    std::array<std::uint32_t, 1> coin;
    random.fill(coin);
    ::usleep(2000 + coin[0] % 40'000);
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    std::uint64_t reported = 0, made = 0;
    while (::read(pipe_ends[0], &made, sizeof made) == sizeof made) reported += made;
    ::close(pipe_ends[0]);
    auto book = f.open(t); // the lock died with the child
    REQUIRE(book);
    const auto log = read_ledger(f.path).value();
    INFO("round " << round << ", " << reported << " uses reported");
    CHECK(uses(log) >= reported);
    CHECK(uses(log) <= reported + 10); // and no more than what was under way
    CHECK(book->debit(query, "afterwards"));
  }
}

TEST_CASE("sites compose in parallel over disjoint keys only, and otherwise add") {
  const auto site = [](double epsilon) {
    auto t = terms_of(zcdp_filter::for_budget(epsilon, 1e-5), epsilon);
    ledger book(t);
    REQUIRE(book.debit({event::gaussian{1000}, 1}, "one"));
    return book.spent();
  };
  const auto keys = [](int from, int to) {
    std::vector<digest> out;
    for (int i = from; i < to; ++i) out.push_back(sha256(concat("user ", i)));
    return out;
  };
  const auto one = site(1), two = site(2);
  ledger_group together;
  REQUIRE(together.add("north", one));
  REQUIRE(together.add("south", two));
  CHECK(together.spent().epsilon.upper == Approx(3).epsilon(1e-6));
  CHECK(together.spent().epsilon.upper >= one.epsilon.upper + two.epsilon.upper);
  CHECK(together.spent().delta == Approx(2e-5));
  CHECK(together.spent().basis == basis::declared);
  CHECK_THAT(message(together.add("west", one, keys(0, 3))),
             Contains("3 keys") && Contains("without a key column"));

  ledger_group apart("user_id");
  REQUIRE(apart.add("north", one, keys(0, 30)));
  REQUIRE(apart.add("south", two, keys(30, 60)));
  CHECK(apart.spent().epsilon.upper == two.epsilon.upper);
  CHECK(apart.spent().delta == 1e-5);
  CHECK_THAT(message(apart.add("east", one, keys(58, 70))),
             Contains("N010") && Contains("east: 2 of 12") && Contains("'user_id'") && Contains("south"));
  CHECK_THAT(message(apart.add("west", one)), Contains("0 keys") && Contains("user_id"));
  auto other = one;
  other.relation = neighbours::zero_out;
  CHECK_THAT(message(apart.add("west", other, keys(70, 80))), Contains("zero-out") && Contains("add-remove"));
  other = one, other.unit = privacy_unit::example;
  CHECK_THAT(message(apart.add("west", other, keys(70, 80))), Contains("example") && Contains("user"));
  CHECK(apart.spent().epsilon.upper == two.epsilon.upper); // nothing of what was refused counts

  CHECK(ledger_group().spent().epsilon.upper == 0);
  CHECK_THROWS_WITH(ledger_group(""), Contains("empty key column"));
}
