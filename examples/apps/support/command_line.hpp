#pragma once
// A command line that refuses what it does not know and names the nearest thing it does.

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iostream>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

/// Insertions, deletions and replacements that turn one word into the other (Levenshtein).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

inline std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  return *std::ranges::min_element(known, {}, [&](const std::string& k) { return edit_distance(word, k); });
}

/// One of these words; anything else is refused with the nearest of them.
inline CLI::Validator one_of(std::vector<std::string> known) {
  std::string all;
  for (const auto& k : known) all += (all.empty() ? "" : "|") + k;
  return {[known](std::string& word) {
            if (std::ranges::find(known, word) != known.end()) return std::string();
            return "'" + word + "' is not known, the nearest is '" + nearest(word, known) + "'";
          },
          all};
}

/// A number from `least` to below `limit`; never NaN or infinity, which CLI11's own ranges let through.
inline CLI::Validator number_from(double least, double limit) {
  return {[=](std::string& word) {
            double x = 0;
            const auto read = std::from_chars(word.data(), word.data() + word.size(), x);
            const bool good =
                read.ec == std::errc() && read.ptr == word.data() + word.size() && x >= least && x < limit;
            return good ? std::string()
                        : "'" + word + "' must be a number in [" + CLI::detail::to_string(least) + ", " +
                              CLI::detail::to_string(limit) + ")";
          },
          "NUMBER"};
}

/// Parses; on a mistake or a request for help prints what CLI11 would, with the nearest option for
/// an unknown one, and returns the exit status. -1 means go on.
inline int parse(CLI::App& app, int count, char** words) {
  try {
    app.parse(count, words);
    return -1;
  } catch (const CLI::ExtrasError&) {
    std::vector<std::string> known;
    for (const auto* option : app.get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    for (const auto& word : app.remaining()) {
      const auto bare = word.substr(0, word.find('='));
      std::cerr << "unknown option '" << bare << "', the nearest is '" << nearest(bare, known) << "'\n";
    }
    std::cerr << "Run with --help for all of them.\n";
    return 2;
  } catch (const CLI::ParseError& mistake) {
    return app.exit(mistake) == 0 ? 0 : 2;
  }
}

/// The exit status of `run()`; 1 after it has thrown, with the reason behind the program's name.
template <class F>
int guarded(std::string_view program, F run) {
  try {
    return run();
  } catch (const std::exception& why) {
    std::cerr << program << ": " << why.what() << '\n';
    return 1;
  }
}

} // namespace apps
