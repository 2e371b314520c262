// Four offices train one model and keep their rows. Prints one table; writes a report, a record and
// the weights. `offices --help` lists what can be chosen, docs/offices.md explains it.

#include "offices/federation.hpp"

#include <privet/federated/key_authority.hpp>
#include <privet/federated/progress.hpp>
#include <privet/federated/report.hpp>

#include <fmt/format.h>

#include <unistd.h>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <mutex>

namespace {

using namespace apps;
namespace fs = std::filesystem;

std::atomic<bool> interrupted{false};
extern "C" void on_interrupt(int) { interrupted = true; }

struct stop : std::exception {};

/// A bar on the terminal, nothing elsewhere.
class terminal_bar {
 public:
  terminal_bar(std::string name, std::size_t total, std::size_t done = 0)
      : bar_{std::move(name), total, 72}, done_(done), first_(done) {
    show();
  }
  ~terminal_bar() {
    if (shown()) std::fputs("\n", stderr);
  }
  void advance() {
    const std::lock_guard hold(lock_);
    ++done_;
    show();
  }

 private:
  static bool shown() { return isatty(STDERR_FILENO) == 1; }
  void show() {
    // The pace is that of this run: rounds done before a restart took no time here.
    const double pace = done_ > first_ ? watch_.seconds() / static_cast<double>(done_ - first_) : 0;
    if (shown()) fmt::print(stderr, "\r{}", bar_.line(done_, pace * static_cast<double>(done_)));
  }
  privet::progress_bar bar_;
  std::size_t done_, first_;
  stopwatch watch_;
  std::mutex lock_;
};

void expect(const privet::status& s) {
  if (!s) throw privet::exception(s.error());
}

// These fail before any training when results could not be written after it.
void try_folder(const fs::path& folder) {
  expect(privet::write_file_atomically(folder / ".privet", std::string_view()));
  std::error_code ignored;
  fs::remove(folder / ".privet", ignored);
}
void prepare_folder(const fs::path& folder) {
  std::error_code why;
  fs::create_directories(folder, why);
  if (why) privet::fail(privet::fault::file, folder.string(), ": cannot be made: ", why.message());
  try_folder(folder);
}
void try_file(const fs::path& file) {
  privet::require(!fs::exists(file) || fs::is_regular_file(file), privet::fault::file, file.string(),
                  ": not a regular file");
  try_folder(file.has_parent_path() ? file.parent_path() : ".");
}

std::string text_of(const std::vector<std::size_t>& widths) {
  return fmt::format("{}", fmt::join(widths, ","));
}

std::vector<std::pair<std::string, std::string>> shown(const settings& s, const study& data) {
  using fmt::format;
  // How many rows they have is part of what is hidden where persons are.
  const bool persons = s.protects_persons();
  std::vector<std::size_t> sizes;
  for (const auto& office : data.offices)
    sizes.push_back(persons ? privet::groups_of(office).size() : office.rows());
  std::vector<std::pair<std::string, std::string>> lines{
      {"data", s.kind == "synthetic" ? s.data : fs::path(s.data).filename().string()},
      {"kind", s.kind},
      {"offices", format("{} ({} {})", s.offices, persons ? "persons" : "rows", text_of(sizes))},
      {"partition", s.partition},
      {"test rows", format("{}", data.test.rows())},
      {"hidden", text_of(s.hidden)},
      {"rounds", format("{}", s.rounds)},
      {"local epochs", format("{}", s.local_epochs)},
      {"batch",
       s.is_private() && !persons ? format("each row with probability {}", s.rate) : format("{}", s.batch)},
      {"optimizer",
       format("{}, rate {}{}{}", s.optimizer, s.lr, s.momentum > 0 ? format(", momentum {}", s.momentum) : "",
              s.cosine ? s.final_rate > 0 ? format(", cosine down to {} of it", s.final_rate) : ", cosine"
                       : "")},
      {"weight decay", format("{}", s.weight_decay)},
      {"label smoothing", format("{}", s.smoothing)},
      {"scaling", !s.standardise ? "as in the file"
                  : s.is_private()
                      ? format("mean 0, deviation 1, by noisy sums of columns cut to +-{}", s.column_bound)
                      : "mean 0, deviation 1; in the federation by sums over all offices"},
      {"seed", format("{}", s.seed)}};
  lines.push_back(
      {"aggregation", s.is_encrypted() ? format("{}, {} bits", s.aggregation, s.key_bits) : "plain"});
  lines.push_back({"strategy", strategy_text(s)});
  if (s.average_rounds > 1)
    lines.push_back({"result", format("mean of the models of the last {} rounds", s.average_rounds)});
  if (s.proximal > 0) lines.push_back({"proximal", format("{}", s.proximal)});
  if (s.quorum > 0) lines.push_back({"quorum", format("{} of {} offices", s.quorum, s.offices)});
  if (s.drop_outs > 0)
    lines.push_back(
        {"drop-outs", format("each office fails in a round with probability {:.4g}", s.drop_outs)});
  if (s.encodes()) lines.push_back({"upload", upload_text(s)});
  if (persons) lines.push_back({"persons", format("each with probability {} in a round", s.rate)});
  if (s.is_private()) lines.push_back({persons ? "updates" : "gradients", format("clipped to {}", s.clip)});
  return lines;
}

/// What a private run promises, in words.
std::vector<std::pair<std::string, std::string>> promised(const settings& s, const federated_run& run) {
  double most = 0;
  for (const auto& account : run.ledgers) most = std::max(most, account->spent().epsilon.upper);
  const std::string unit = s.protects_persons() ? "person" : "row";
  const std::string covers =
      !s.shares_noise() ? "every model that was sent or saved"
      : s.is_encrypted()
          ? fmt::format(
                "every global model, which is all that the offices open; the server sees ciphertexts. One "
                "noise for all, of which each office knows its own part: that of {} of {} is counted",
                std::max<std::size_t>(s.offices, 2) - 1, s.offices)
          : "every global model that was sent or saved, towards everybody but the server, who sees single "
            "shares";
  return {{"unit",
           s.protects_persons() ? "one person of one office, with all their rows" : "one row of one office"},
          {"neighbours", "add-remove: with the " + unit + " or without it"},
          {"epsilon spent", fmt::format("{}", std::ceil(most * 1e5 - 1e-9) / 1e5)},
          {"epsilon declared", fmt::format("{:.6g}", s.epsilon)},
          {"delta", fmt::format("{}", s.delta)},
          {"covers", covers + (s.standardise ? "; the scaling of the columns" : "")},
          {"composition", "a " + unit + " is in one office, so the office that spent most counts"},
          {"left out",
           "runs on the same rows that paid from other ledgers, such as to choose settings: their epsilons "
           "add to this one"}};
}

std::string bytes_text(std::uint64_t bytes) {
  return bytes ? fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6) : "-";
}

void print_table(const privet::run_record& record) {
  fmt::print("\n{:<12} {:>9} {:>9} {:>11} {:>11} {:>8}\n", "model", "accuracy", "macro-F1", "sent",
             "received", "time");
  const auto line = [](const privet::model_result& m) {
    fmt::print("{:<12} {:>8.2f}% {:>9.4f} {:>11} {:>11} {:>7.1f}s\n", m.name, 100 * m.accuracy, m.macro_f1,
               bytes_text(m.bytes_up), bytes_text(m.bytes_down), m.seconds);
  };
  if (std::isfinite(record.central.accuracy)) line(record.central);
  for (const auto& office : record.alone) line(office);
  line(record.federated);
  for (const auto* facts : {&record.privacy, &record.encryption}) {
    if (!facts->empty()) fmt::print("\n");
    for (const auto& [name, value] : *facts) fmt::print("{}: {}\n", name, value);
  }
}

struct files {
  fs::path folder;
  fs::path checkpoint() const { return folder / "checkpoint.safetensors"; }
  fs::path lines() const { return folder / "run.jsonl"; }
  fs::path model() const { return folder / "model.safetensors"; }
  fs::path report() const { return folder / "report.html"; }
};

privet::json heads_of(const federated_run& run) {
  auto all = privet::json::array();
  for (const auto& head : run.heads) all.push_back(head.value_or(privet::ledger_head{}).text());
  return all;
}
std::vector<std::optional<privet::ledger_head>> heads_from(const std::vector<std::string>& all) {
  std::vector<std::optional<privet::ledger_head>> heads;
  for (const auto& text : all) heads.push_back(privet::read_head(text, "checkpoint ledgers").value());
  return heads;
}

void save_progress(const files& at, const settings& s, const std::string& rows, const federated_run& run,
                   const privet::network& model) {
  std::string lines;
  for (const auto& m : run.metrics) lines += privet::json_text(privet::round_line(m)) + '\n';
  expect(privet::save_checkpoint(at.checkpoint(), {model,
                                                   run.weights,
                                                   run.metrics.size(),
                                                   {{"settings", to_json(s)},
                                                    {"rows", rows},
                                                    {"metrics", to_json(run.metrics)},
                                                    {"scaling", run.scaling.values},
                                                    {"ledgers", heads_of(run)}},
                                                   run.optimizer,
                                                   run.memories,
                                                   run.average}));
  expect(privet::write_file_atomically(at.lines(), lines));
}

/// The report of a run that goes on.
void show_progress(const files& at, const settings& s, privet::run_record so_far, federated_run& run) {
  const auto& last = run.metrics.back();
  add_up_rounds(run);
  so_far.federated = run.result;
  so_far.history = run.metrics;
  so_far.central.accuracy = so_far.central.macro_f1 = so_far.central.log_loss =
      std::numeric_limits<double>::quiet_NaN();
  for (std::uint32_t id = 1; id <= last.asked.size(); ++id) so_far.clients.push_back({.id = id});
  if (s.is_private()) so_far.privacy = {{"so far", "what is paid for is in the ledgers"}};
  so_far.progress = privet::progress_text("Round", last.round, s.rounds, last.seconds_left);
  so_far.seconds = run.result.seconds;
  expect(privet::write_file_atomically(at.report(), privet::html_report(so_far)));
}

/// Central and alone do not depend on each other, so they share the threads.
void train_baselines(const settings& s, const study& data, std::size_t threads, privet::run_record& record) {
  terminal_bar bar("central, alone", (1 + data.offices.size()) * s.rounds);
  const auto after_round = [&] {
    bar.advance();
    if (interrupted) throw stop{};
  };
  record.alone.resize(data.offices.size());
  privet::for_each_parallel(1 + data.offices.size(), threads, [&](std::size_t i) {
    if (i == 0)
      record.central = train_in_one_place(s, "central", data.train, data.test, 0, after_round);
    else
      record.alone[i - 1] = train_in_one_place(s, fmt::format("office {}", i), data.offices[i - 1], data.test,
                                               static_cast<std::uint32_t>(i), after_round);
  });
}

int run(const options& o) {
  const stopwatch watch;
  const files at{o.resume.empty() ? o.out : o.resume};
  settings s;
  federated_run run;
  std::string begun_with;
  if (o.resume.empty()) {
    s = complete(o);
    settle_quorum(o.quorum, s);
  } else {
    auto saved = privet::load_checkpoint(at.checkpoint()).value();
    s = settings_from(saved.run.value("settings", privet::json()));
    run.metrics = metrics_from(saved.run.value("metrics", privet::json::array()));
    privet::require(run.metrics.size() == saved.rounds_done && saved.rounds_done <= s.rounds,
                    privet::fault::state, at.checkpoint().string(), ": has ", saved.rounds_done,
                    " rounds done and metrics of ", run.metrics.size());
    run.weights = std::move(saved.weights);
    run.optimizer = std::move(saved.optimizer);
    run.memories = std::move(saved.clients);
    run.average = std::move(saved.average);
    run.scaling.values =
        privet::read_member<std::vector<double>>(saved.run, "scaling", at.checkpoint().string()).value();
    if (s.is_private())
      run.heads = heads_from(
          privet::read_member<std::vector<std::string>>(saved.run, "ledgers", at.checkpoint().string())
              .value());
    begun_with = privet::read_member<std::string>(saved.run, "rows", at.checkpoint().string()).value();
  }
  const study data = load_study(s);
  // Tells whether a run that is taken up again meets the rows it began with.
  const std::string rows = privet::hex(fingerprint_of({&data.train, &data.test}));
  privet::require(begun_with.empty() || begun_with == rows, privet::fault::state, at.checkpoint().string(),
                  ": began with other rows than ", s.data, " holds now");
  prepare_folder(at.folder);
  // What was paid for cannot be made again: the budget of these rows is spent.
  privet::require(
      !s.is_private() || !o.resume.empty() || !(fs::exists(at.checkpoint()) || fs::exists(at.model())),
      privet::fault::state, at.folder.string(),
      ": holds the results of a run, and a private one has spent its budget on them; continue it with "
      "--resume. A "
      "run that pays from other ledgers loses the rows both epsilons, added up");
  if (o.resume.empty()) // the results of an older run must not stand beside this one's
    for (const auto& old : {at.checkpoint(), at.lines(), at.model(), at.report()}) fs::remove(old);
  if (!o.json.empty()) try_file(o.json);
  if (!o.wire_dump.empty()) prepare_folder(o.wire_dump);
  const fs::path ledgers = o.ledgers.empty() ? at.folder : fs::path(o.ledgers);
  prepare_folder(ledgers);

  privet::run_record record;
  record.title = fmt::format("{} offices, one model", s.offices);
  record.settings = shown(s, data);
  record.classes = data.train.schema.classes;
  record.notes = data.notes;
  record.parameters = model_of(s, data.train.schema).sizes().shared;
  fmt::print("{} offices, {} training {}, {} test rows, {} columns, {} classes; {} parameters, {} rounds\n",
             s.offices, s.protects_persons() ? privet::groups_of(data.train).size() : data.train.rows(),
             s.protects_persons() ? "persons" : "rows", data.test.rows(), data.train.columns(),
             data.train.classes(), record.parameters, s.rounds);
  std::fflush(stdout);

  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  try {
    {
      terminal_bar bar("federated", s.rounds, run.metrics.size());
      train_federated(s, data, o.threads, run, ledgers, o.wire_dump, [&](const privet::network& model) {
        save_progress(at, s, rows, run, model);
        if (!run.metrics.empty()) {
          show_progress(at, s, record, run);
          bar.advance();
        }
        if (interrupted) throw stop{};
      });
    }
    // Models trained on the same rows without noise would tell what the noise hides.
    if (s.is_private() || o.federation_only)
      record.central.accuracy = record.central.macro_f1 = record.central.log_loss =
          std::numeric_limits<double>::quiet_NaN();
    else
      train_baselines(s, data, o.threads, record);
  } catch (const stop&) {
    fmt::print(stderr, "\nstopped after round {} of {}; continue with --resume {}\n", run.metrics.size(),
               s.rounds, at.folder.string());
    return 130;
  }
  record.federated = run.result;
  if (s.is_private()) record.privacy = promised(s, run);
  record.encryption = run.encryption;
  record.history = run.metrics, record.clients = run.clients, record.people = run.people;
  if (!run.stopped.empty())
    record.notes.push_back(
        fmt::format("Stopped after round {} of {}: {}", run.metrics.size(), s.rounds, run.stopped));
  if (s.average_rounds > 1 && run.averaged < s.average_rounds)
    record.notes.push_back(
        run.averaged > 0
            ? fmt::format("The model is the mean of the last {} rounds that there were.", run.averaged)
            : "The model is that of the last round: no round that was to be averaged was reached.");
  if (s.encodes()) {
    const double whole = 4.0 * static_cast<double>(record.parameters * s.offices * run.metrics.size());
    record.settings.push_back(
        {"bytes up", fmt::format("{:.2f} MB, {:.4g} of what whole updates have",
                                 static_cast<double>(run.result.bytes_up) / 1e6,
                                 whole > 0 ? static_cast<double>(run.result.bytes_up) / whole : 0)});
    fmt::print("\nuploads: {}; {}\n", upload_text(s), record.settings.back().second);
  }
  record.seconds = watch.seconds();

  expect(privet::write_file_atomically(at.model(),
                                       privet::write_weights(model_of(s, data.train.schema), run.weights)));
  expect(privet::write_file_atomically(at.report(), privet::html_report(record)));
  if (!o.json.empty())
    expect(privet::write_file_atomically(o.json, privet::json_text(privet::to_json(record), 2) + '\n'));
  print_table(record);
  for (const auto& note : record.notes) fmt::print("note: {}\n", note);
  fmt::print("\nwritten: {}, {}, {}\n", at.report().string(), at.lines().string(), at.model().string());
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  if (const int status = read_options(count, words, o); status >= 0) return status;
  return apps::guarded("offices", [&] { return run(o); });
}
