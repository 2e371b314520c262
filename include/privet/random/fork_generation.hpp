#pragma once
// Tells a process from the copy of itself that fork() makes, so that secrets are never used twice.

#include <privet/core/error.hpp>

#include <atomic>
#include <cstdint>

#include <pthread.h>

namespace privet {

namespace detail {
inline std::atomic<std::uint64_t> forks_seen{0};
}

/// Differs between a process and every child forked from it after the first call; costs one load.
/// Children made by a bare `clone` system call, `_Fork` or `vfork` are not seen: they must not
/// draw secrets before `exec`.
///
/// Errors  N011 when the system cannot register the fork handler
inline std::uint64_t fork_generation() {
  static const int refused =
      pthread_atfork(nullptr, nullptr, [] { detail::forks_seen.fetch_add(1, std::memory_order_relaxed); });
  if (refused) fail(fault::unsupported, "fork_generation: pthread_atfork returned ", refused, ", expected 0");
  return detail::forks_seen.load(std::memory_order_relaxed);
}

} // namespace privet
