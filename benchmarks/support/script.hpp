#pragma once
// Peers that are Python: a script that times itself.

#include <privet/core/error.hpp>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace compare {

/// Runs a script, which prints `row<tab>side<tab>seconds` in each line, and calls each(row, side, seconds).
/// It runs by itself before everything else, on the same core, and keeps freed memory as this process does.
template <class F>
bool run_script(const std::string& script, F each) {
  const auto command = privet::concat(
      "MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824 /usr/bin/python3 -P '", script, "'");
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  privet::require(pipe != nullptr, privet::fault::file, "cannot run ", command);
  char line[256];
  bool any = false;
  while (std::fgets(line, sizeof line, pipe.get())) {
    const std::string text(line, std::strcspn(line, "\n"));
    const auto first = text.find('\t'), second = text.rfind('\t');
    if (first == text.npos || second == first) continue;
    each(text.substr(0, first), text.substr(first + 1, second - first - 1),
         std::stod(text.substr(second + 1)));
    any = true;
  }
  return any;
}

} // namespace compare
