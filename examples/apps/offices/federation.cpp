#include "federation.hpp"

#include <fmt/format.h>
#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/key_authority.hpp>
#include <privet/federated/unreliable.hpp>
#include <privet/federated/wire_dump.hpp>

namespace apps {

namespace {

/// Offices that encrypt, and the server that passes on what they send.
template <class Opener, class Aggregator>
class encrypted_federation {
  using member = privet::encrypted_office<Opener, Aggregator>;
  static constexpr bool remembers = !std::same_as<typename member::memory, privet::detail::no_memory>;

 public:
  encrypted_federation(const settings& s, std::size_t threads, const Aggregator& aggregator,
                       privet::dealt_keys<Opener> keys,
                       std::vector<std::unique_ptr<privet::participant>> in_clear, privet::wire_dump& wire,
                       const federated_run& run)
      : server_(aggregator, std::move(keys.server),
                // A scaling that was paid for is not asked for again.
                {.standardise = s.standardise && run.scaling.values.empty(),
                 .seed = s.seed,
                 .threads = threads}) {
    for (std::size_t k = 0; k < in_clear.size(); ++k) {
      const auto id = static_cast<std::uint32_t>(k + 1);
      offices_.push_back(std::make_unique<member>(
          id, std::move(in_clear[k]), std::move(keys.offices[k]),
          privet::encrypted_terms{.standardise = s.standardise, .least_deviation = least_deviation(s)},
          aggregator));
      offices_.back()->on_refusal = [id](const privet::error& why) {
        fmt::print(stderr, "office {}: {}\n", id, why.message);
      };
      std::optional<typename member::memory> kept;
      if constexpr (remembers)
        if (!run.metrics.empty()) kept = optimizer_of(run);
      offices_.back()->take_up(std::as_const(run.weights).shared(),
                               static_cast<std::uint32_t>(run.metrics.size()), run.scaling, std::move(kept));
      links_.push_back(std::make_unique<privet::in_process_link>(*offices_.back()));
      ends_.push_back(links_.back().get());
    }
    watched_ = wire.watch(ends_);
  }

  void open(const privet::network& model, const federated_run&) { server_.open(watched_, model); }
  privet::round_report round(std::size_t r) { return server_.round(r); }
  /// What every office has, and the server has not.
  std::span<const float> weights() const { return offices_[0]->weights(); }
  const privet::moments& scaling() const { return offices_[0]->scaling(); }
  void remember(federated_run& run) const {
    if constexpr (remembers)
      run.optimizer.assign(offices_[0]->kept().slots.begin(), offices_[0]->kept().slots.end());
    else
      run.optimizer.clear();
  }

  /// Mean CPU seconds of an office.
  privet::phase_times office_times() const {
    privet::phase_times mean;
    const auto all = static_cast<double>(offices_.size());
    for (const auto& office : offices_) {
      const auto& t = office->times();
      mean.training += t.training / all, mean.encrypting += t.encrypting / all,
          mean.checking += t.checking / all;
      mean.sharing += t.sharing / all, mean.opening += t.opening / all;
    }
    return mean;
  }
  double server_seconds() const { return server_.checking_seconds(); }
  std::size_t clipped() const {
    std::size_t all = 0;
    for (const auto& office : offices_) all += office->clipped();
    return all;
  }

 private:
  privet::encrypted_server<Aggregator> server_;
  std::vector<std::unique_ptr<member>> offices_;
  std::vector<std::unique_ptr<privet::in_process_link>> links_;
  std::vector<privet::transport*> ends_;
  std::span<privet::transport* const> watched_;
};

/// What an encrypted run reports of itself.
template <class Federation>
std::vector<std::pair<std::string, std::string>> told(const settings& s, const federated_run& run,
                                                      const Federation& federation,
                                                      const privet::wire_dump& wire) {
  using fmt::format;
  const auto t = federation.office_times();
  const double crypto = t.encrypting + t.checking + t.sharing + t.opening;
  double bytes = 0;
  for (const auto& m : run.metrics) bytes += static_cast<double>(m.bytes_up + m.bytes_down);
  const bool shared = s.aggregation == "threshold-paillier";
  return {
      {"scheme", format("Paillier, {} bits{}", s.key_bits,
                        shared ? format(", {0} shares, all {0} open", s.offices)
                               : ", every office has the secret key")},
      {"encrypted fraction",
       format("{:.4g} of the bytes that are made from rows", wire.encrypted_fraction())},
      {"who could read",
       shared ? "the dealer, which is this program, until it had erased the key before round 1; "
                "otherwise all offices together (this program plays them all)"
              : "any office, of what the server shows it"},
      {"what is opened", "one sum of all offices each round, to the offices; the server never has the model"},
      {"seconds of an office",
       format("{:.2f} training, {:.2f} encrypting, {:.2f} checking and adding, {:.2f} "
              "sharing, {:.2f} opening (one core each)",
              t.training, t.encrypting, t.checking, t.sharing, t.opening)},
      {"seconds of the server", format("{:.2f}", federation.server_seconds())},
      {"break-even link", crypto > 0
                              ? format("{:.1f} Mbit/s for each office: over a slower one the bytes take "
                                       "longer than the encryption",
                                       8e-6 * bytes / static_cast<double>(s.offices) / crypto)
                              : "-"},
      {"numbers cut to the range", format("{}", federation.clipped())}};
}

} // namespace

void train_federated(const settings& s, const study& data, std::size_t threads, federated_run& run,
                     const std::filesystem::path& ledgers, const std::filesystem::path& wire_folder,
                     const std::function<void(const privet::network&)>& after_round) {
  using namespace privet;
  const auto model = model_of(s, data.train.schema);
  auto parties = make_offices(s, data, model, run, ledgers);
  wire_dump wire(wire_folder);
  if (s.is_encrypted()) {
    const auto encrypted = [&](auto keys) {
      const auto train = [&](const auto& aggregator) {
        encrypted_federation federation(s, threads, aggregator, std::move(keys), std::move(parties), wire,
                                        run);
        run_rounds(s, data, model, federation, run, after_round);
        run.encryption = told(s, run, federation, wire);
      };
      if (!s.shares_noise()) return train(fedavg{}.run_by(curious{}));
      with_shared_sum(s, run.noise_multiplier, [&](const auto& sum) { train(sum.run_by(curious{})); });
    };
    system_random source;
    auto key = paillier_secret_key::generate(s.key_bits, source);
    if (s.aggregation == "paillier")
      encrypted(deal_whole_key(key, s.offices, source));
    else
      encrypted(
          deal_shares(paillier_dealer::deal(std::move(key), quorum::all_of(s.offices), source), source));
  } else {
    offices four(model);
    for (auto& party : parties) four.add(std::move(party));
    // A client that fails does so before, while or after it trains.
    const unreliable world{
        .before = s.drop_outs / 3, .during = s.drop_outs / 3, .after = s.drop_outs / 3, .seed = s.seed};
    std::vector<std::unique_ptr<unreliable_link>> weak;
    std::vector<transport*> ends;
    for (std::uint32_t id = 1; id <= four.size(); ++id)
      ends.push_back(weak.emplace_back(std::make_unique<unreliable_link>(*four.links()[id - 1], world, id,
                                                                         data.offices[id - 1].rows()))
                         .get());
    with_server(s, run, threads, [&]<class Server>(Server&& server) {
      const auto links = wire_folder.empty() ? std::span<transport* const>(ends) : wire.watch(ends);
      run_rounds(s, data, model, clear_federation<Server>{server, links}, run, after_round);
    });
  }
  add_up_rounds(run);
}

} // namespace apps
