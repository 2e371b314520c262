#pragma once
// Where the time of an encrypted federation goes.

#include <ctime>

namespace privet {

/// CPU seconds of the calling thread since it was made.
class thread_stopwatch {
 public:
  double seconds() const noexcept { return now() - start_; }

 private:
  static double now() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  double start_ = now();
};

/// CPU seconds of one client, one thread, added up over all its sums.
struct phase_times {
  double training = 0, encrypting = 0, checking = 0, sharing = 0, opening = 0;
};

} // namespace privet
