#pragma once
// What a run of `offices` is told to do: options, the recipe of each kind of data, and their
// record in a checkpoint.

#include "../support/command_line.hpp"

#include <privet/core/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace apps {

struct settings {
  std::string data = "synthetic", kind, partition;
  std::size_t offices = 4;
  std::size_t wearers = 64, windows = 50; ///< of generated data
  std::vector<std::size_t> hidden;
  std::size_t rounds = 25, local_epochs = 0, batch = 0;
  std::string optimizer;
  double lr = 0, momentum = 0, weight_decay = 0, smoothing = 0;
  bool cosine = false, standardise = true, validate = false;
  double final_rate = 0;          ///< share of the rate that a cosine ends at
  std::size_t average_rounds = 1; ///< the result is the mean of so many last models
  std::uint64_t seed = 1;
  std::string label, group; ///< columns of a CSV file

  // Of a private run; epsilon is 0 in any other.
  std::string unit; ///< example or user
  double epsilon = 0, delta = 1e-5;
  double clip = 0;          ///< bound on the gradient of a row, or on the update of a person
  double rate = 0;          ///< share of an office's rows in a batch, or of its persons in a round
  std::size_t samples = 20; ///< of persons, in a round
  double column_bound = 0;  ///< columns are cut to it for a private scaling; 0: no scaling
  bool is_private() const noexcept { return epsilon > 0; }
  bool protects_persons() const noexcept { return unit == "user"; }
  std::string noise; ///< own of each office, or shared by all
  bool shares_noise() const noexcept { return is_private() && noise == "shared"; }

  std::string aggregation = "plain"; ///< plain, paillier or threshold-paillier
  std::size_t key_bits = 3072;
  bool is_encrypted() const noexcept { return aggregation != "plain"; }

  std::string upload; ///< how updates are encoded; empty: they are sent whole
  double momentum_correction = 0;
  std::size_t warm_up = 0; ///< rounds
  bool encodes() const noexcept { return !upload.empty(); }

  std::string strategy = "fedavg"; ///< what the server makes of updates
  double server_lr = 0, server_momentum = 0, trim = 0, norm_bound = 0, fairness = 0;
  std::size_t attackers = 0, keep = 0;
  double proximal = 0;    ///< strength of the pull towards the weights received; FedProx
  double drop_outs = 0;   ///< share of the offices that fail in a round
  std::size_t quorum = 0; ///< updates that make a round; 0: all

  /// Share of the rate that is left at the end of the last round.
  double rate_floor() const noexcept { return cosine ? final_rate : 1.0; }
};

/// What `--upload` says, taken apart.
struct upload_words {
  std::string name; ///< top-k, random-k, quantise or sign
  double fraction = 1;
  unsigned bits = 32;
};

/// Reads NAME[:FRACTION][:BITS]; the second is why not, or empty.
inline std::pair<upload_words, std::string> read_upload(const std::string& text) {
  static const std::vector<std::string> known = {"top-k", "random-k", "quantise", "sign"};
  std::vector<std::string> words;
  for (std::size_t from = 0;;) {
    const auto colon = text.find(':', from);
    words.push_back(text.substr(from, colon - from));
    if (colon == std::string::npos) break;
    from = colon + 1;
  }
  upload_words u{words[0]};
  if (std::ranges::find(known, u.name) == known.end())
    return {u, "'" + u.name + "' is not known, the nearest is '" + nearest(u.name, known) + "'"};
  const auto read = [&](std::size_t i, auto& into) {
    const auto* end = words[i].data() + words[i].size();
    const auto done = std::from_chars(words[i].data(), end, into);
    return done.ec == std::errc() && done.ptr == end;
  };
  const bool sparse = u.name == "top-k" || u.name == "random-k";
  const std::size_t fewest = u.name == "sign" ? 1 : 2, most = fewest + sparse;
  if (words.size() < fewest || words.size() > most)
    return {u, u.name == "sign" ? "'sign' takes no number"
               : sparse         ? "'" + u.name + "' needs the fraction of the numbers that is sent, as in '" +
                              u.name + ":0.1', and may name their bits, as in '" + u.name + ":0.1:8'"
                        : "'quantise' needs the bits of a number, as in 'quantise:8'"};
  if (sparse && !(read(1, u.fraction) && u.fraction > 0 && u.fraction <= 1))
    return {u, "the fraction of '" + text + "' must be a number above 0 and at most 1"};
  if (words.size() == 1 || (sparse && words.size() == 2)) return {u, ""};
  const bool good =
      read(words.size() - 1, u.bits) && (u.bits == 8 || u.bits == 4 || (sparse && u.bits == 32));
  return {u, good
                 ? ""
                 : "'" + text + "': a number has 8 or 4 bits" + (sparse ? ", or 32" : "; one bit is 'sign'")};
}
inline upload_words upload_of(const std::string& text) { return read_upload(text).first; }

/// What `--strategy` knows, and the numbers that each takes.
struct strategy_words {
  std::string name;
  std::vector<std::string> takes{}; ///< options
  double server_lr = 1;             ///< unless said otherwise
};
inline const std::vector<strategy_words>& strategies() {
  static const std::vector<strategy_words> all = {
      {"fedavg"},
      {"fedavgm", {"--server-lr", "--server-momentum"}, 0.5},
      {"fedadam", {"--server-lr", "--server-momentum"}, 0.01},
      {"fedyogi", {"--server-lr", "--server-momentum"}, 0.01},
      {"fedadagrad", {"--server-lr"}, 0.01},
      {"fednova"},
      {"q-fedavg", {"--fairness"}},
      {"scaffold", {"--server-lr"}},
      {"class-aware"},
      {"median"},
      {"trimmed-mean", {"--trim-fraction"}},
      {"geometric-median"},
      {"krum", {"--attackers"}},
      {"multi-krum", {"--attackers", "--keep"}},
      {"bulyan", {"--attackers"}},
      {"norm-bound", {"--norm-bound"}},
  };
  return all;
}

/// Chosen on validation subjects, never on test subjects; docs/offices.md says how.
struct recipe {
  const char* kind;
  std::vector<std::size_t> hidden;
  const char* partition;
  std::size_t local_epochs, batch;
  double lr, momentum, weight_decay, smoothing;
  bool standardise;
};
inline const std::vector<recipe>& recipes() {
  static const std::vector<recipe> all = {
      {"synthetic", {128}, "subject", 5, 32, 0.05, 0.9, 0, 0, true},
      {"wisdm", {128}, "subject", 2, 32, 0.05, 0.9, 1e-2, 0, true},
      {"uci-har", {512, 512}, "stratified", 2, 16, 0.01, 0.9, 0, 0.2, false},
      {"csv", {64}, "stratified", 2, 32, 0.05, 0.9, 1e-3, 0, true},
  };
  return all;
}

inline privet::json to_json(const settings& s) {
  return {{"data", s.data},
          {"kind", s.kind},
          {"partition", s.partition},
          {"offices", s.offices},
          {"wearers", s.wearers},
          {"windows", s.windows},
          {"hidden", s.hidden},
          {"rounds", s.rounds},
          {"local_epochs", s.local_epochs},
          {"batch", s.batch},
          {"optimizer", s.optimizer},
          {"lr", s.lr},
          {"momentum", s.momentum},
          {"weight_decay", s.weight_decay},
          {"smoothing", s.smoothing},
          {"cosine", s.cosine},
          {"final_rate", s.final_rate},
          {"average_rounds", s.average_rounds},
          {"standardise", s.standardise},
          {"validate", s.validate},
          {"seed", s.seed},
          {"label", s.label},
          {"group", s.group},
          {"unit", s.unit},
          {"epsilon", s.epsilon},
          {"delta", s.delta},
          {"clip", s.clip},
          {"rate", s.rate},
          {"samples", s.samples},
          {"column_bound", s.column_bound},
          {"noise", s.noise},
          {"aggregation", s.aggregation},
          {"key_bits", s.key_bits},
          {"upload", s.upload},
          {"momentum_correction", s.momentum_correction},
          {"warm_up", s.warm_up},
          {"strategy", s.strategy},
          {"server_lr", s.server_lr},
          {"server_momentum", s.server_momentum},
          {"attackers", s.attackers},
          {"keep", s.keep},
          {"trim", s.trim},
          {"norm_bound", s.norm_bound},
          {"fairness", s.fairness},
          {"proximal", s.proximal},
          {"drop_outs", s.drop_outs},
          {"quorum", s.quorum}};
}

/// Throws when a member is missing or of another type.
inline settings settings_from(const privet::json& j) {
  settings s;
  const auto read = [&]<class T>(const char* name, T& into) {
    into = privet::read_member<T>(j, name, "checkpoint settings").value();
  };
  read("data", s.data), read("kind", s.kind), read("partition", s.partition), read("offices", s.offices),
      read("hidden", s.hidden);
  read("wearers", s.wearers), read("windows", s.windows);
  read("rounds", s.rounds), read("local_epochs", s.local_epochs), read("batch", s.batch),
      read("optimizer", s.optimizer), read("lr", s.lr);
  read("momentum", s.momentum), read("weight_decay", s.weight_decay), read("smoothing", s.smoothing),
      read("cosine", s.cosine);
  read("standardise", s.standardise), read("validate", s.validate), read("seed", s.seed),
      read("label", s.label), read("group", s.group);
  read("unit", s.unit), read("epsilon", s.epsilon), read("delta", s.delta), read("clip", s.clip),
      read("rate", s.rate), read("column_bound", s.column_bound), read("noise", s.noise),
      read("samples", s.samples), read("aggregation", s.aggregation), read("key_bits", s.key_bits);
  read("upload", s.upload), read("momentum_correction", s.momentum_correction), read("warm_up", s.warm_up);
  if (j.contains("strategy")) { // a run of before there were others has the first
    read("strategy", s.strategy), read("server_lr", s.server_lr), read("server_momentum", s.server_momentum),
        read("attackers", s.attackers), read("keep", s.keep), read("trim", s.trim);
    read("norm_bound", s.norm_bound), read("fairness", s.fairness), read("proximal", s.proximal),
        read("drop_outs", s.drop_outs), read("quorum", s.quorum);
  }
  if (j.contains("average_rounds")) // as above
    read("average_rounds", s.average_rounds), read("final_rate", s.final_rate);
  privet::require(s.upload.empty() || read_upload(s.upload).second.empty(), privet::fault::state,
                  "checkpoint settings: upload ", privet::in_quotes(s.upload));
  privet::require(s.offices > 0 && s.rounds > 0 && s.local_epochs > 0 && s.batch > 0, privet::fault::state,
                  "checkpoint settings: ", s.offices, " offices, ", s.rounds, " rounds, ", s.local_epochs,
                  " local epochs, batch ", s.batch, "; expected at least 1 of each");
  privet::require(s.average_rounds > 0 && s.average_rounds <= s.rounds, privet::fault::state,
                  "checkpoint settings: an average of ", s.average_rounds, " rounds of ", s.rounds);
  privet::require(s.final_rate >= 0 && s.final_rate <= 1, privet::fault::state,
                  "checkpoint settings: final rate ", s.final_rate, ", expected 0 to 1");
  privet::require(std::ranges::find(strategies(), s.strategy, &strategy_words::name) != strategies().end(),
                  privet::fault::state, "checkpoint settings: strategy ", privet::in_quotes(s.strategy));
  return s;
}

/// What the command line said, before a recipe fills the rest.
struct options {
  settings chosen;
  std::optional<double> lr, momentum, weight_decay, smoothing;
  std::optional<std::size_t> rounds, local_epochs, batch;
  std::string privacy;
  std::optional<double> column_bound, clip, rate;
  std::optional<double> server_lr, server_momentum, trim, norm_bound, fairness;
  std::optional<std::size_t> attackers, keep, quorum;
  std::optional<double> final_rate;
  bool federation_only = false;
  std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
  std::string out = "offices-run", json, resume, ledgers, wire_dump;
};

inline std::string guess_kind(const std::string& data) {
  if (data == "synthetic") return "synthetic";
  if (data.ends_with(".arff")) return "wisdm";
  if (data.ends_with(".csv") || data.ends_with(".tsv") || data.ends_with(".data")) return "csv";
  return "uci-har";
}

/// The classes of each office, of 'labels:0,1/2,3'; empty if it does not read like that.
inline std::vector<std::vector<std::size_t>> labels_of(const std::string& text) {
  std::vector<std::vector<std::size_t>> all(1);
  const char* at = text.data() + text.find(':') + 1;
  const char* const end = text.data() + text.size();
  for (;; ++at) {
    std::size_t label = 0;
    const auto read = std::from_chars(at, end, label);
    if (read.ec != std::errc()) return {};
    all.back().push_back(label);
    at = read.ptr;
    if (at == end) return all;
    if (*at == '/')
      all.emplace_back();
    else if (*at != ',')
      return {};
  }
}

/// A partition's name, with Dirichlet's number or the classes of each office after a colon.
inline std::string check_partition(std::string& text) {
  static const std::vector<std::string> known = {"subject",  "stratified", "majority",
                                                 "pick-two", "dirichlet",  "labels"};
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  if (std::ranges::find(known, name) == known.end())
    return "'" + name + "' is not known, the nearest is '" + nearest(name, known) + "'";
  if (name == "labels") {
    if (colon == std::string::npos)
      return "'labels' needs the classes of each office, as in 'labels:0,1/2,3'";
    return labels_of(text).empty() ? "'" + text + "' must name classes by number, as in 'labels:0,1/2,3'"
                                   : "";
  }
  if (name != "dirichlet") return colon == std::string::npos ? "" : "'" + name + "' takes no number";
  if (colon == std::string::npos) return "'dirichlet' needs its alpha, as in 'dirichlet:0.3'";
  double alpha = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, alpha);
  return read.ec == std::errc() && read.ptr == end && alpha > 0
             ? ""
             : "alpha of '" + text + "' must be a positive number";
}

/// A unit and its epsilon.
inline std::string check_privacy(std::string& text) {
  const auto colon = text.find(':');
  const auto unit = text.substr(0, colon);
  if (unit != "example" && unit != "user")
    return "'" + unit + "' is no unit that offices protect, write example:EPSILON or user:EPSILON";
  double epsilon = 0;
  const auto* end = text.data() + text.size();
  if (colon == std::string::npos) return "'" + unit + "' needs its epsilon, as in '" + unit + ":3'";
  const auto read = std::from_chars(text.data() + colon + 1, end, epsilon);
  return read.ec == std::errc() && read.ptr == end && epsilon > 0 && epsilon <= 100
             ? ""
             : "epsilon of '" + text + "' must be a number above 0 and at most 100";
}

/// The command line. Returns the exit status, or -1 to go on.
inline int read_options(int count, char** words, options& o) {
  CLI::App app{
      "Several offices train one model; their rows stay where they are. Compares the federation with "
      "training on all\n"
      "data in one place and with each office alone, on people whom no model has seen."};
  auto& s = o.chosen;
  const auto& positive = CLI::PositiveNumber;
  app.add_option("--data", s.data, "'synthetic', or a file or folder")->capture_default_str();
  app.add_option("--kind", s.kind, "what the data is (guessed from its name)")
      ->check(one_of({"synthetic", "wisdm", "uci-har", "csv"}));
  app.add_option("--offices", s.offices, "how many offices share the data")
      ->check(positive)
      ->capture_default_str();
  app.add_option(
         "--partition", s.partition,
         "how they share it: subject, stratified, majority, pick-two, dirichlet:ALPHA, or which classes "
         "each has, as in labels:0,1/2,3")
      ->check(CLI::Validator(check_partition, "NAME"));
  app.add_option("--wearers", s.wearers, "generated data: how many people")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--windows", s.windows, "generated data: windows of ten seconds of each, on average")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--hidden", s.hidden, "widths of the hidden layers, as in 512,512")
      ->delimiter(',')
      ->check(positive);
  app.add_option("--rounds", o.rounds, "how often the offices' models are averaged (25)")->check(positive);
  app.add_option("--local-epochs", o.local_epochs, "times an office goes through its rows in a round")
      ->check(positive);
  app.add_option("--batch", o.batch, "rows per step")->check(positive);
  app.add_option("--optimizer", s.optimizer,
                 "plain optimiser with a constant rate, instead of the kind's recipe")
      ->check(one_of({"sgd", "rmsprop", "adam"}));
  app.add_option("--lr", o.lr, "learning rate")->check(number_from(1e-12, 1e6));
  app.add_option("--momentum", o.momentum, "momentum of sgd")->check(number_from(0, 1));
  app.add_option("--final-rate", o.final_rate,
                 "share of the learning rate that the recipe's fall over all rounds ends at (0)")
      ->check(number_from(0, 1));
  app.add_option(
         "--average-rounds", s.average_rounds,
         "the result is the mean of the models of so many last rounds; it costs no privacy, as each of "
         "them was sent out")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "weight decay")->check(number_from(0, 1e6));
  app.add_option("--smoothing", o.smoothing, "label smoothing")->check(number_from(0, 1));
  app.add_flag("--validate", s.validate,
               "test on some of the training people and leave the test people alone: for choosing settings");
  app.add_option("--privacy", o.privacy,
                 "train privately: example:EPSILON promises epsilon for one row of an office, user:EPSILON "
                 "for all rows of one person")
      ->check(CLI::Validator(check_privacy, "UNIT:EPSILON"));
  app.add_option("--delta", s.delta, "the chance that the promise of --privacy leaves out")
      ->check(number_from(1e-15, 0.1))
      ->capture_default_str();
  app.add_option("--clip", o.clip, "private: bound on the gradient of one row, or the update of one person")
      ->check(number_from(1e-6, 1e6));
  app.add_option("--sample-rate", o.rate,
                 "private: share of an office's rows in a batch, or of its persons in a round")
      ->check(number_from(1e-6, 1));
  app.add_option("--samples", s.samples, "private, for persons: samples of persons in a round")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--column-bound", o.column_bound,
                 "private: a constant that all columns are cut to before they are scaled; 0 for no scaling")
      ->check(number_from(0, 1e9));
  app.add_option("--noise", s.noise,
                 "private: 'own' hides each office's rows in its own model, 'shared' is one noise for all "
                 "(the default where updates are encrypted)")
      ->check(one_of({"own", "shared"}))
      ->capture_default_str();
  app.add_option(
         "--aggregation", s.aggregation,
         "who sees an office's model: 'plain' the server, 'paillier' nobody while all offices keep their "
         "common key from the server, 'threshold-paillier' nobody, and nobody has the key")
      ->check(one_of({"plain", "paillier", "threshold-paillier"}))
      ->capture_default_str();
  app.add_option("--key-bits", s.key_bits, "bits of a Paillier key: 2048, 3072, 4096 or 7680")
      ->check(CLI::IsMember({2048, 3072, 4096, 7680}))
      ->capture_default_str();
  app.add_option("--upload", s.upload,
                 "send updates in fewer bytes: top-k:FRACTION, random-k:FRACTION (both may add :BITS), "
                 "quantise:BITS or sign; what is left out is added to the next update")
      ->check(CLI::Validator([](std::string& text) { return read_upload(text).second; }, "HOW"));
  app.add_option("--momentum-correction", s.momentum_correction,
                 "with --upload top-k or random-k: momentum of what an office remembers")
      ->check(number_from(0, 0.999));
  app.add_option("--warm-up", s.warm_up,
                 "with --upload top-k: rounds in which the fraction falls to it from a quarter");
  std::vector<std::string> known;
  for (const auto& one : strategies()) known.push_back(one.name);
  app.add_option("--strategy", s.strategy, "what the server makes of the offices' updates")
      ->check(one_of(known))
      ->capture_default_str();
  app.add_option("--server-lr", o.server_lr, "rate of the server's optimiser, and of scaffold's server")
      ->check(number_from(1e-12, 1e6));
  app.add_option("--server-momentum", o.server_momentum, "momentum of the server's optimiser")
      ->check(number_from(0, 1));
  app.add_option("--attackers", o.attackers,
                 "krum, multi-krum, bulyan: offices that may lie (as many as it withstands)");
  app.add_option("--keep", o.keep, "multi-krum: updates that are averaged (as many as it can)")
      ->check(positive);
  app.add_option("--trim-fraction", o.trim, "trimmed-mean: share of the offices cut at either end (0.25)")
      ->check(number_from(0, 0.5));
  app.add_option("--norm-bound", o.norm_bound, "norm-bound: l2 norm that an update is cut to (1)")
      ->check(number_from(1e-12, 1e6));
  app.add_option("--fairness", o.fairness, "q-fedavg: the power q of its loss that an office counts by (1)")
      ->check(number_from(0, 100));
  app.add_option("--proximal", s.proximal, "FedProx: strength of the pull towards the weights of the round")
      ->check(number_from(0, 1e6));
  app.add_option("--drop-outs", s.drop_outs, "share of the offices that fail in a round, others each time")
      ->check(number_from(0, 1));
  app.add_option("--quorum", o.quorum,
                 "updates that make a round (all; with --drop-outs the fewest that the strategy works with)")
      ->check(positive);
  app.add_flag("--federation-only", o.federation_only, "leave out the models to compare with");
  app.add_option("--wire-dump", o.wire_dump, "write every message that the server sees into this folder");
  app.add_option("--ledgers", o.ledgers,
                 "private: folder where the offices' privacy ledgers lie (the one of --out)");
  app.add_option("--seed", s.seed, "the same seed gives the same weights on any number of threads")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "threads to use")->check(positive);
  app.add_option("--label", s.label, "class column of a CSV file (the last)");
  app.add_option("--group", s.group, "column of a CSV file that names the person or site of a row");
  app.add_option("--out", o.out, "folder for report.html, run.jsonl, model.safetensors and the checkpoint")
      ->capture_default_str();
  app.add_option("--json", o.json, "also write the whole record to this file");
  app.add_option("--resume", o.resume,
                 "continue the run whose checkpoint lies in this folder; takes only --threads, --json, "
                 "--ledgers, --wire-dump and --federation-only beside it");
  if (const int status = parse(app, count, words); status >= 0) return status;
  if (o.resume.empty()) return -1;
  for (const auto* option : app.get_options())
    if (const auto& name = option->get_name();
        option->count() > 0 && name != "--resume" && name != "--threads" && name != "--json" &&
        name != "--ledgers" && name != "--wire-dump" && name != "--federation-only") {
      std::cerr << "--resume takes its settings from the checkpoint, so " << name
                << " cannot be given beside it\n";
      return 2;
    }
  return -1;
}

/// The recipe of a private run: a linear model, few large batches, no scaling that nobody paid for. Chosen on
/// validation subjects of UCI HAR; docs/offices.md says how.
inline void complete_privacy(const options& o, settings& s) {
  using privet::fault;
  if (o.privacy.empty()) {
    privet::require(
        !o.clip && !o.rate && !o.column_bound && o.ledgers.empty() && s.noise.empty(), fault::argument,
        "--clip, --sample-rate, --column-bound, --noise and --ledgers belong to --privacy, which is missing");
    return;
  }
  if (s.noise.empty()) s.noise = s.is_encrypted() ? "shared" : "own";
  s.unit = o.privacy.substr(0, o.privacy.find(':'));
  const bool persons = s.protects_persons();
  privet::require(persons || !o.batch, fault::argument,
                  "--batch does not go with --privacy example: batches are samples, say --sample-rate");
  privet::require(!persons || s.partition == "subject", fault::argument,
                  "--privacy user needs --partition subject, got ", s.partition,
                  ": a person with rows in two offices would lose the epsilon of both");
  privet::require(s.optimizer == "sgd" || s.optimizer == "adam", fault::argument,
                  "--privacy knows --optimizer sgd "
                  "and adam, not ",
                  s.optimizer);
  s.epsilon = std::stod(o.privacy.substr(o.privacy.find(':') + 1));
  s.clip = o.clip.value_or(0.3), s.rate = o.rate.value_or(0.3);
  // By the data's documentation, not read off the rows. Of WISDM's kind each column has its own constant.
  s.column_bound = o.column_bound.value_or(s.kind == "csv" ? 0 : 1);
  s.standardise = s.column_bound > 0;
  s.local_epochs = o.local_epochs.value_or(3);
  s.cosine = true, s.weight_decay = 0, s.smoothing = 0;
  s.lr = s.optimizer == "sgd" ? (s.kind == "uci-har" ? 0.3 : 1.0) / s.clip : 0.01,
  s.momentum = s.optimizer == "sgd" ? 0.9 : 0;
  if (s.noise == "shared") {
    privet::require(persons || !o.local_epochs, fault::argument,
                    "--local-epochs does not go with --noise shared: a round is one step of all offices");
    s.clip = o.clip.value_or(0.5), s.rate = o.rate.value_or(0.2), s.rounds = o.rounds.value_or(300);
    s.local_epochs = 1;
    s.cosine = false;
    if (s.optimizer == "sgd") s.lr = 0.75 / s.clip, s.momentum = 0.5;
  }
  if (persons) {
    privet::require(s.optimizer == "sgd", fault::argument, "--privacy user knows --optimizer sgd, not ",
                    s.optimizer);
    if (s.hidden.empty() && s.kind == "synthetic") s.hidden = {64};
    s.clip = o.clip.value_or(0.5), s.rate = o.rate.value_or(0.1), s.batch = o.batch.value_or(10);
    s.local_epochs = o.local_epochs.value_or(1), s.lr = 0.4, s.momentum = 0.9;
  }
}

/// Throws where an upload makes no sense.
inline void check_upload(const settings& s) {
  using privet::fault;
  const auto u = upload_of(s.upload);
  privet::require(s.momentum_correction == 0 || u.name == "top-k" || u.name == "random-k", fault::argument,
                  "--momentum-correction belongs to --upload top-k or random-k");
  privet::require(s.warm_up == 0 || u.name == "top-k", fault::argument,
                  "--warm-up belongs to --upload top-k");
  if (!s.encodes()) return;
  privet::require(!s.is_encrypted(), fault::argument, "--upload does not go with --aggregation ",
                  s.aggregation, ": ciphertexts are added number by number, so they hold whole updates");
  privet::require(!s.shares_noise(), fault::argument,
                  "--upload does not go with --noise shared: shares of the noise cancel only as they are");
  privet::require(
      !s.is_private() || u.name == "random-k" || u.name == "quantise", fault::argument, "--upload ", u.name,
      " does not go with --privacy: what it picks is picked by the data, and of noisy numbers the "
      "largest are noise. Take random-k or quantise");
  privet::require(!s.is_private() || s.momentum_correction == 0, fault::argument,
                  "--momentum-correction does not go with --privacy");
}

/// Throws unless the strategy takes what was said of it, and goes with the rest.
inline void complete_strategy(const options& o, settings& s) {
  using privet::fault;
  const auto& known = *std::ranges::find(strategies(), s.strategy, &strategy_words::name);
  const auto number = [&](const std::string& option, const auto& said, auto& into, auto otherwise) {
    const bool takes = std::ranges::find(known.takes, option) != known.takes.end();
    if (said && !takes) {
      std::string others;
      for (const auto& one : strategies())
        if (std::ranges::find(one.takes, option) != one.takes.end())
          others += (others.empty() ? "" : ", ") + one.name;
      privet::fail(fault::argument, option, " does not go with --strategy ", s.strategy, ", it belongs to ",
                   others);
    }
    if (takes) into = said ? *said : static_cast<std::remove_cvref_t<decltype(into)>>(otherwise);
  };
  number("--server-lr", o.server_lr, s.server_lr, known.server_lr);
  number("--server-momentum", o.server_momentum, s.server_momentum, 0.9);
  const std::size_t spare = s.offices > 3 ? s.offices - 3 : 0; // what the rule withstands of so many
  number("--attackers", o.attackers, s.attackers, spare / (s.strategy == "bulyan" ? 4 : 2));
  number("--trim-fraction", o.trim, s.trim, 0.25);
  number("--norm-bound", o.norm_bound, s.norm_bound, 1.0);
  number("--fairness", o.fairness, s.fairness, 1.0);
  // So many that all offices have to answer, unless some are expected to fail.
  const std::size_t most = s.offices > s.attackers + 2 ? s.offices - s.attackers - 2 : 1;
  number("--keep", o.keep, s.keep, s.drop_outs > 0 ? std::min(most, s.attackers + 1) : most);
  const auto alone = [&](const char* other, const char* why) {
    privet::fail(fault::argument, "--strategy ", s.strategy, " does not go with ", other, ": ", why);
  };
  if (s.strategy != "fedavg") {
    if (s.is_encrypted())
      alone("--aggregation paillier or threshold-paillier",
            "over ciphertexts the offices run fedavg: other rules read single updates, or keep a memory at "
            "the server");
    if (s.shares_noise())
      alone("--noise shared", "a round is one sum of shares, and one step of their optimiser");
  }
  if (s.is_private()) {
    if (s.strategy == "q-fedavg") alone("--privacy", "private offices do not tell their loss");
    if (s.strategy == "class-aware")
      alone("--privacy", "private offices do not tell how many rows a class has");
    if (s.strategy == "scaffold")
      alone("--privacy", "control variates are gradients of the rows, sent without noise");
    privet::require(s.proximal == 0, fault::argument, "--proximal does not go with --privacy");
  }
  if (s.strategy == "scaffold") {
    privet::require(
        o.weight_decay.value_or(0) == 0, fault::argument,
        "--weight-decay does not go with --strategy scaffold: its offices descend by gradients alone");
    s.weight_decay = 0;
    if (s.encodes()) alone("--upload", "an update holds a control variate too, which is sent whole");
    privet::require(
        s.proximal == 0, fault::argument,
        "--proximal does not go with --strategy scaffold: both hold offices back, and scaffold reckons "
        "with plain descent");
  }
  if (s.strategy == "fednova" || s.strategy == "scaffold" || s.strategy == "q-fedavg")
    privet::require(s.optimizer == "sgd", fault::argument, "--strategy ", s.strategy,
                    " reckons with the steps of descent: it knows --optimizer sgd, not ", s.optimizer);
  if (s.drop_outs > 0 || o.quorum)
    privet::require(!s.is_encrypted() && !s.shares_noise(), fault::argument,
                    o.quorum ? "--quorum" : "--drop-outs", " does not go with ",
                    s.is_encrypted() ? "--aggregation " + s.aggregation : "--noise shared",
                    ": every office has its part in each sum");
}

/// Fills what was not said from the recipe of the kind. Throws on a contradiction.
inline settings complete(const options& o) {
  settings s = o.chosen;
  if (s.kind.empty()) s.kind = guess_kind(s.data);
  using privet::fault;
  privet::require((s.kind == "synthetic") == (s.data == "synthetic"), fault::argument, "--kind ", s.kind,
                  " with --data ", s.data, ": generated data is of kind 'synthetic', and only that is");
  privet::require(s.kind == "csv" || (s.label.empty() && s.group.empty()), fault::argument,
                  "--label and --group name columns of a CSV file, the kind is '", s.kind, "'");
  const auto& r = *std::ranges::find(recipes(), s.kind, &recipe::kind);
  if (s.hidden.empty() && o.privacy.empty()) s.hidden = r.hidden;
  if (s.partition.empty()) s.partition = r.partition;
  s.local_epochs = o.local_epochs.value_or(r.local_epochs);
  s.batch = o.batch.value_or(r.batch);
  s.standardise = r.standardise;
  s.rounds = o.rounds.value_or(s.rounds);
  const bool plain = !s.optimizer.empty();
  if (!plain) {
    s.optimizer = "sgd";
    s.lr = r.lr, s.momentum = r.momentum, s.weight_decay = r.weight_decay, s.smoothing = r.smoothing,
    s.cosine = true;
  } else {
    s.lr = s.optimizer == "sgd" ? 0.05 : 0.001;
  }
  privet::require(!o.momentum || s.optimizer == "sgd", fault::argument,
                  "--momentum belongs to --optimizer sgd, not to ", s.optimizer);
  complete_privacy(o, s);
  privet::require(!s.is_encrypted() || (s.offices >= 3 && s.offices <= 64), fault::argument, "--aggregation ",
                  s.aggregation, " with ", s.offices,
                  " offices, expected 3 to 64: of two, each would know what the other sent");
  s.lr = o.lr.value_or(s.lr);
  s.momentum = o.momentum.value_or(s.momentum);
  s.weight_decay = o.weight_decay.value_or(s.weight_decay);
  s.smoothing = o.smoothing.value_or(s.smoothing);
  privet::require(s.average_rounds <= s.rounds, fault::argument, "--average-rounds ", s.average_rounds,
                  ", the run has ", s.rounds, " rounds");
  privet::require(!o.final_rate || s.cosine, fault::argument,
                  "--final-rate belongs to a rate that falls, here it is constant",
                  s.shares_noise() ? " as --noise is shared" : " as --optimizer is given");
  s.final_rate = o.final_rate.value_or(0);
  check_upload(s);
  complete_strategy(o, s);
  if (s.partition.starts_with("labels"))
    privet::require(labels_of(s.partition).size() == s.offices, fault::argument, "--partition ", s.partition,
                    " names the classes of ", labels_of(s.partition).size(), " offices, --offices is ",
                    s.offices);
  return s;
}

} // namespace apps
