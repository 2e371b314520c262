#pragma once
// A ring: the weights go from site to site and learn at each; no server adds anything up.

#include <privet/federated/offices.hpp>
#include <privet/federated/ring_site.hpp>
#include <privet/federated/server.hpp>
#include <privet/privacy/ledger_group.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// Who comes after whom in a lap.
enum class ring_order {
  fixed, ///< as the sites are numbered
  random ///< drawn anew for each lap, from the seed of the plan
};

/// What all sites of a ring agree on.
///
/// Source    cyclical weight transfer: Chang and others, JAMIA 2018; proportional local steps: Balachandar and
///           others, JAMIA 2020
struct ring_plan {
  std::size_t laps = 10;
  std::size_t steps = 1;    ///< between two transfers; with `proportional`, at a site of average size
  bool proportional = true; ///< a site takes steps in proportion to its rows, one at least
  ring_order order = ring_order::random;
  bool consolidate =
      false; ///< memories go round beside the weights; the sites' recipes say how they are used
  bool standardise =
      true; ///< agree on one mean and deviation per column before the first lap; not in private rings
  std::uint64_t seed = 0;

  /// Throws N001 for no laps or no steps, or more than fit into the streams of the seed.
  void check() const {
    require(laps > 0 && laps < std::size_t{1} << 24, fault::argument, "ring: ", laps,
            " laps, expected 1 to 2^24 - 1");
    require(steps > 0, fault::argument, "ring: a transfer after every 0 steps, needs at least 1");
  }
  /// Steps of one visit at a site of `rows` rows, of `all` rows at `sites` sites.
  std::uint64_t steps_at(std::uint64_t rows, std::uint64_t all, std::size_t sites) const {
    if (!proportional) return steps;
    const double share = static_cast<double>(rows) * static_cast<double>(sites) / static_cast<double>(all);
    return static_cast<std::uint64_t>(std::max(std::round(static_cast<double>(steps) * share), 1.0));
  }
  /// The sites of a lap, numbered from 0.
  std::vector<std::uint32_t> order_of(std::size_t lap, std::size_t sites) const {
    std::vector<std::uint32_t> all(sites);
    std::iota(all.begin(), all.end(), 0u);
    if (order == ring_order::random) {
      replayable_random source(seed, stream_id(purpose::client_sampling, lap));
      permutation(source, all);
    }
    return all;
  }
};

/// What an observer hears after each visit.
struct ring_report {
  std::size_t lap = 0, visit = 0; ///< from 1; visits count over all laps
  std::uint32_t site = 0;         ///< from 1
  std::uint64_t steps = 0;        ///< of this visit
  std::uint64_t bytes = 0;        ///< handed on since the ring opened
  std::span<const float> weights; ///< as they are handed on
};
using ring_observer = std::function<void(const ring_report&)>;

/// Runs a ring over links to its sites. Schema, scaling and model are agreed on as in a federation; then each site
/// hands its message to the next, and this class only carries it. What is wrong with a message is thrown and names
/// the site; nothing of it is used.
///
/// Halts     when a site refuses, as one does whose privacy budget is spent: the weights stay as they were handed to
///           it, `halted` says why, and `run` returns
/// Memory    O(parameters), whatever the number of sites and laps
/// Privacy   docs/federated/ring.md: what a neighbour sees
/// Test      tests/federated/ring.test.cpp
class ring {
 public:
  explicit ring(ring_plan plan) : plan_(plan) { plan_.check(); }

  /// Compares schemas, agrees on the scaling, sends the model and its first weights: drawn from the seed, or given.
  /// Throws as `aggregation_server::open`.
  void open(std::span<transport* const> sites, const network& model, std::span<const float> weights = {}) {
    aggregation_server<> agreement(fedavg{}, {.standardise = plan_.standardise, .seed = plan_.seed});
    agreement.open(sites, model, weights);
    links_.assign(sites.begin(), sites.end());
    schema_ = agreement.schema();
    moments_ = agreement.scaling();
    rows_ = agreement.rows();
    const auto first = agreement.weights();
    state_ = {};
    state_.weights.assign(first.begin(), first.end());
    if (plan_.consolidate)
      state_.memory = {std::vector<float>(first.size()), std::vector<float>(first.size())};
    state_.rows = std::accumulate(rows_.begin(), rows_.end(), std::uint64_t{0});
    visits_ = bytes_ = 0;
    halted_.clear();
  }

  /// All laps that are left; returns how many visits were made. Throws N010 before `open`.
  std::size_t run(const ring_observer& observe = {}) {
    require(!links_.empty(), fault::state, "ring: run before open");
    const std::size_t sites = links_.size(), before = visits_;
    while (visits_ < plan_.laps * sites && halted_.empty()) {
      const std::size_t lap = visits_ / sites;
      if (!visit(plan_.order_of(lap, sites)[visits_ % sites], lap)) break;
      if (observe) observe({lap + 1, visits_, last_site_ + 1, state_.steps, bytes_, state_.weights});
    }
    return visits_ - before;
  }

  std::span<const float> weights() const noexcept { return state_.weights; }
  /// The same as the parameters of a model. Throws N003 for a model of another size.
  template <class Model>
  parameters<float> weights_for(const Model& model) const {
    return detail::parameters_of(model, state_.weights, "ring");
  }
  const ring_memory& memory() const noexcept { return state_.memory; }
  const privet::schema& schema() const noexcept { return schema_; }
  /// The sums that the sites scale by; empty when they do not.
  const moments& scaling() const noexcept { return moments_; }
  std::size_t visits() const noexcept { return visits_; }
  std::uint64_t steps() const noexcept { return state_.step; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Why the ring came to a halt before its last lap; empty if it did not.
  const std::string& halted() const noexcept { return halted_; }

 private:
  message ask(std::size_t site, const message& m) {
    const auto named = [&](auto r) {
      if (!r) throw exception(error{r.error().kind, concat(r.error().message, " (site ", site + 1, ')')});
      return *std::move(r);
    };
    const auto request = encode(m);
    (void)named(links_[site]->send(request));
    const auto reply = named(links_[site]->receive());
    auto read = named(decode_message(reply));
    bytes_ += request.size();
    require(read.sender == site + 1 && read.round == m.round, fault::message, "site ", site + 1,
            ": answered as sender ", read.sender, " to visit ", read.round, ", expected visit ", m.round);
    return read;
  }

  bool visit(std::uint32_t site, std::size_t lap) {
    auto request = state_;
    request.lap = lap;
    request.steps = plan_.steps_at(rows_[site], state_.rows, links_.size());
    const auto reply = ask(site, {ring_visit, schema_.hash(), static_cast<std::uint32_t>(visits_), 0,
                                  encode_ring_state(request)});
    if (reply.kind == message_kind::refusal) {
      halted_ = concat("site ", site + 1, ", lap ", lap + 1, ": ", printable(text_of(reply.body), 1000));
      return false;
    }
    require(reply.kind == ring_visited && reply.schema_hash == schema_.hash(), fault::message, "site ",
            site + 1, ": answered kind ", static_cast<unsigned>(reply.kind), ", expected ",
            static_cast<unsigned>(ring_visited));
    auto next = decode_ring_state(reply.body);
    if (!next)
      throw exception(error{next.error().kind, concat(next.error().message, " (site ", site + 1, ')')});
    const auto same = [](const ring_state& a) {
      return std::tuple(a.lap, a.steps, a.rows, a.weights.size(), a.memory.precision.size());
    };
    require(same(*next) == same(request) && next->step == request.step + request.steps, fault::message,
            "site ", site + 1, ": handed on another state than that of step ", request.step + request.steps,
            " with ", request.weights.size(), " weights");
    state_ = *std::move(next);
    last_site_ = site;
    ++visits_;
    return true;
  }

  ring_plan plan_;
  std::vector<transport*> links_;
  std::vector<std::uint64_t> rows_;
  privet::schema schema_;
  moments moments_;
  ring_state state_;
  std::string halted_;
  std::size_t visits_ = 0;
  std::uint32_t last_site_ = 0;
  std::uint64_t bytes_ = 0;
};

/// The sites of a ring in one program, and the model they will be sent.
class ring_sites : public offices {
 public:
  template <class List>
  explicit ring_sites(const layer_stack<List>& model) : offices(model) {}

  /// The next site; ids count from 1. The seed is the ring's.
  template <class Recipe>
  void add(dataset<float> data, Recipe recipe, std::uint64_t seed = 0) {
    const auto id = static_cast<std::uint32_t>(size() + 1);
    offices::add(std::make_unique<ring_site<Recipe>>(id, std::move(data), std::move(recipe), seed));
  }
};

/// Says that no patient has rows at two sites, and which column shows it: all rows of one patient have the same value
/// there, and no value is at two sites.
struct disjoint_patients {
  std::string key;
};

/// One site for the account of a ring: what its ledger says, and a hash of each value of the key.
struct ring_account {
  std::string site;
  ledger_spending spent;
  std::vector<digest> keys{};
};

/// What one patient loses to all sites of a ring: the sum, as anybody may be a patient of all of them.
/// Throws N010 for accounts of different units or relations.
inline ledger_spending spent_in_ring(std::span<const ring_account> sites) {
  ledger_group all;
  for (const auto& s : sites) (void)all.add(s.site, s.spent).value();
  return all.spent();
}

/// The same for sites that share no patient: the largest (parallel composition). Throws N010 also for a key value at
/// two sites, which disproves it, and N001 for a site that shows none.
inline ledger_spending spent_in_ring(std::span<const ring_account> sites, const disjoint_patients& declared) {
  ledger_group all(declared.key);
  for (const auto& s : sites) (void)all.add(s.site, s.spent, s.keys).value();
  return all.spent();
}

} // namespace privet
