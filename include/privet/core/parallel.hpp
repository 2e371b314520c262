#pragma once
// Independent pieces of work on a few threads.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace privet {

/// Calls `f(i)` for every i below n on up to `threads` threads, this one among them. Every call is
/// made; the first exception in order of i is thrown again afterwards.
template <class F>
void for_each_parallel(std::size_t n, std::size_t threads, F&& f) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> failures(n);
  const auto work = [&] {
    for (std::size_t i = next++; i < n; i = next++) {
      try {
        f(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t t = 1; t < std::min(threads, n); ++t) helpers.emplace_back(work);
    work();
  }
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

} // namespace privet
