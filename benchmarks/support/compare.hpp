#pragma once
// A table of timings: each row is one job, done by privet and by its peers in one run.
//
// Every (row, side) is a benchmark of its own, and the repetitions of all of them are interleaved at
// random, so that a change of clock or load meets every side alike. The numbers are medians of
// thread CPU time.

#include "machine.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/core/version.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace compare {

/// One row: its name, and what one call of it is worth.
struct job {
  std::string name;
  double flop = 0;  ///< 0: percent of the peak does not apply
  double items = 0; ///< above 0: the row shows items per second, otherwise microseconds
};

inline constexpr const char* ours = "privet";

class table {
 public:
  /// Makes the process fair and reads the command line: `--json FILE` adds to the list in FILE, and
  /// Google Benchmark's own options. Call it before anything else.
  table(std::string title, int count, char** words) : title_(std::move(title)), words_(words, words + count) {
    machine::settle_environment(words);
    machine::keep_freed_memory();
    core_ = machine::pin_to_one_core();
    json_ = option("--json");
    if (!json_.empty() && std::filesystem::exists(json_)) {
      const auto text = privet::read_text(json_);
      auto list = text ? privet::parse_json(*text, json_) : text.error();
      if (!list || !list->is_array()) {
        std::fprintf(stderr, "%s holds no list of an earlier run; remove it first\n", json_.c_str());
        std::exit(2);
      }
      list_ = std::move(*list);
    }
  }

  /// Takes `name VALUE` out of the command line; empty if it is not there.
  std::string option(std::string_view name) {
    const auto found = std::ranges::find(words_, name);
    if (words_.end() - found < 2) return {};
    const std::string value = found[1];
    words_.erase(found, found + 2);
    return value;
  }

  /// Times `f()` as `side` of a row. Sides are columns, in the order they come up, ours first. What
  /// `prepare()` does before each call is not counted.
  template <class F, class Prepare = std::nullptr_t>
  void time(const job& row, const std::string& side, F f, Prepare prepare = {}) {
    place(row, side);
    benchmark::RegisterBenchmark((row.name + '/' + side).c_str(),
                                 [f, prepare](benchmark::State& state) mutable {
                                   static_cast<void>(prepare); // clang: unused where it is null
                                   for (auto _ : state) {
                                     if constexpr (!std::is_null_pointer_v<Prepare>) {
                                       state.PauseTiming();
                                       prepare();
                                       state.ResumeTiming();
                                     }
                                     f();
                                     benchmark::ClobberMemory();
                                   }
                                 });
  }

  /// A side that was timed elsewhere, in seconds of CPU time.
  void measured(const job& row, const std::string& side, double seconds) {
    place(row, side);
    seconds_[row.name + '/' + side] = {seconds};
  }

  void left_out(const std::string& side) { notes_.push_back(side + " is not installed and left out."); }
  /// Something is wrong: the sentence stands below the table and the program fails.
  void complain(const std::string& sentence) {
    notes_.push_back("WRONG: " + sentence);
    wrong_ = true;
  }

  /// Runs and prints everything; returns what `main` returns.
  int run() {
    std::vector<std::string> all{words_.front(), "--benchmark_enable_random_interleaving=true",
                                 "--benchmark_repetitions=15", "--benchmark_min_time=0.02"};
    all.insert(all.end(), words_.begin() + 1, words_.end()); // the last one wins
    std::vector<char*> words;
    for (auto& word : all) words.push_back(word.data());
    int count = static_cast<int>(words.size());
    benchmark::Initialize(&count, words.data());
    if (benchmark::ReportUnrecognizedArguments(count, words.data())) return 2;
    const double before = machine::multiply_add_peak();
    collector reporter(*this);
    benchmark::RunSpecifiedBenchmarks(&reporter);
    peak_ = std::max(before, machine::multiply_add_peak());
    print();
    if (!json_.empty()) write();
    return wrong_ ? 1 : 0;
  }

 private:
  struct collector : benchmark::BenchmarkReporter {
    explicit collector(table& t) : to(t) {}
    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
      for (const auto& run : runs)
        if (run.run_type == Run::RT_Iteration)
          to.seconds_[run.run_name.function_name].push_back(run.cpu_accumulated_time /
                                                            static_cast<double>(run.iterations));
    }
    table& to;
  };

  void place(const job& row, const std::string& side) {
    const auto same = [&](const job& other) { return other.name == row.name; };
    if (std::ranges::none_of(rows_, same)) rows_.push_back(row);
    if (std::ranges::find(sides_, side) == sides_.end()) sides_.push_back(side);
  }

  /// The given quantile of the repetitions, 0 where there are none.
  double quantile(const job& row, const std::string& side, double q) const {
    const auto found = seconds_.find(row.name + '/' + side);
    if (found == seconds_.end() || found->second.empty()) return 0;
    auto sorted = found->second;
    std::ranges::sort(sorted);
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
  }
  double median(const job& row, const std::string& side) const { return quantile(row, side, 0.5); }

  static double shown(const job& row, double seconds) {
    return row.items > 0 ? row.items / seconds : seconds * 1e6;
  }
  double percent(const job& row, double seconds) const { return row.flop / seconds * 1e-9 / peak_ * 100; }

  static void print_number(double x) { // four digits
    std::printf("%9.*f", x < 10 ? 3 : x < 100 ? 2 : x < 1000 ? 1 : 0, x);
  }
  void print_side(const job& row, const std::string& side) const {
    const double seconds = median(row, side);
    if (seconds == 0) return void(std::printf("%*s", side == ours ? 19 : 27, "-"));
    const bool rate = row.items > 0;
    print_number(shown(row, seconds) * (rate ? 1e-6 : 1));
    std::printf(" %-3s", rate ? "M/s" : "us");
    if (row.flop > 0)
      std::printf("%5.0f%%", percent(row, seconds));
    else
      std::printf("%6s", "");
    const double base = median(row, ours);
    if (side != ours && base > 0)
      std::printf("%7.2fx", seconds / base);
    else if (side != ours)
      std::printf("%8s", "");
  }

  void print() const {
    std::size_t longest = 0;
    for (const auto& row : rows_) longest = std::max(longest, row.name.size());
    const int wide = static_cast<int>(longest);
    std::printf("\n%s: privet %d.%d.%d", title_.c_str(), PRIVET_VERSION_MAJOR, PRIVET_VERSION_MINOR,
                PRIVET_VERSION_PATCH);
    for (const auto& side : sides_)
      if (side != ours) std::printf("%s %s", side == sides_[1] ? " beside" : ",", side.c_str());
    std::printf(
        "\nOne thread on core %d; medians of thread CPU time; %% of the measured multiply-add peak,"
        " %.0f GFLOP/s (%s);\nx = how many times faster privet is.\n\n%-*s",
        core_, peak_, isa(), wide + 3, "");
    for (const auto& side : sides_)
      std::printf(side == ours ? "%-19s" : "     %-22.22s", side.substr(0, side.find(" (")).c_str());
    for (const auto& row : rows_) {
      if (std::ranges::all_of(sides_, [&](auto& side) { return median(row, side) == 0; })) continue;
      std::printf("\n%-*s", wide, row.name.c_str());
      for (const auto& side : sides_) print_side(row, side);
    }
    std::printf("\n\n");
    for (const auto& row : rows_)
      for (const auto& side : sides_)
        if (const double spread = quantile(row, side, 0.75) - quantile(row, side, 0.25);
            spread > 0.1 * median(row, side))
          std::printf("Unsteady: %s, %s: the quartiles are %.0f %% of the median apart.\n", row.name.c_str(),
                      side.c_str(), spread / median(row, side) * 100);
    for (const auto& note : notes_) std::printf("%s\n", note.c_str());
  }

  void write() {
    for (const auto& row : rows_) {
      const double base = median(row, ours);
      if (base == 0) continue;
      privet::json entry{{"name", row.name},
                         {"ours", shown(row, base)},
                         {"peer", nullptr},
                         {"peer_name", nullptr},
                         {"ratio", nullptr},
                         {"percent_of_peak", nullptr},
                         {"unit", row.items > 0 ? "items per second" : "microseconds"}};
      if (row.flop > 0) entry["percent_of_peak"] = percent(row, base);
      const std::size_t before = list_.size();
      for (const auto& side : sides_)
        if (const double seconds = median(row, side); side != ours && seconds > 0) {
          entry["peer"] = shown(row, seconds);
          entry["peer_name"] = side;
          entry["ratio"] = seconds / base;
          list_.push_back(entry);
        }
      if (list_.size() == before) list_.push_back(entry); // no peer is installed
    }
    privet::write_file_atomically(json_, privet::json_text(list_, 1) + '\n').value();
  }

  static const char* isa() {
#define PRIVET_TEXT_OF(x) #x
#define PRIVET_TEXT(x) PRIVET_TEXT_OF(x)
    return PRIVET_TEXT(PRIVET_ISA);
#undef PRIVET_TEXT
#undef PRIVET_TEXT_OF
  }

  std::string title_, json_;
  std::vector<std::string> words_, sides_, notes_;
  std::vector<job> rows_;
  std::map<std::string, std::vector<double>> seconds_; // of every repetition, by "row/side"
  privet::json list_ = privet::json::array();
  double peak_ = 0;
  int core_ = -1;
  bool wrong_ = false;
};

} // namespace compare
