#include "support/catch.hpp"

#include <privet/core/parallel.hpp>

#include <mutex>
#include <set>
#include <stdexcept>
#include <string>

using namespace privet;

TEST_CASE("parallel: every piece is done exactly once, for any number of threads") {
  for (const std::size_t threads : {0u, 1u, 2u, 3u, 50u})
    for (const std::size_t n : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<int> done(n);
      for_each_parallel(n, threads, [&](std::size_t i) { ++done[i]; });
      CHECK(done == std::vector<int>(n, 1));
    }
}

TEST_CASE("parallel: one thread means this one, two mean at most two") {
  std::mutex lock;
  for (const std::size_t threads : {1u, 2u}) {
    std::set<std::thread::id> seen;
    for_each_parallel(200, threads, [&](std::size_t) {
      const std::lock_guard hold(lock);
      seen.insert(std::this_thread::get_id());
    });
    CHECK(seen.size() <= threads);
    if (threads == 1) CHECK(seen.contains(std::this_thread::get_id()));
  }
}

TEST_CASE("parallel: all pieces are done before the first failure in order is thrown") {
  for (const std::size_t threads : {1u, 2u, 3u}) {
    std::atomic<int> done{0};
    std::string first;
    try {
      for_each_parallel(100, threads, [&](std::size_t i) {
        ++done;
        if (i % 30 == 20) throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& e) {
      first = e.what();
    }
    CHECK(done == 100);
    CHECK(first == "20");
  }
}
