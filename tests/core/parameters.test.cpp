#include "support/catch.hpp"

#include <privet/core/parameters.hpp>

#include <algorithm>
#include <cstdint>

using namespace privet;

TEST_CASE("parameters start as zeros on a cache line") {
  const parameters<float> p({.shared = 5, .local = 3, .buffers = 2, .frozen = 4});
  CHECK(p.sizes() == group_sizes{5, 3, 2, 4});
  CHECK(std::ranges::all_of(p.trained(), [](float x) { return x == 0; }));
  CHECK(std::ranges::all_of(p.buffers(), [](float x) { return x == 0; }));
  CHECK(std::ranges::all_of(p.frozen(), [](float x) { return x == 0; }));
  CHECK(reinterpret_cast<std::uintptr_t>(p.trained().data()) % cache_line == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(p.frozen().data()) % cache_line == 0);
}

TEST_CASE("shared, local and buffers lie one after another in one vector") {
  parameters<double> p({.shared = 5, .local = 3, .buffers = 2});
  CHECK(p.shared().size() == 5);
  CHECK(p.local().data() == p.shared().data() + 5);
  CHECK(p.local().size() == 3);
  CHECK(p.trained().data() == p.shared().data());
  CHECK(p.trained().size() == 8);
  CHECK(p.buffers().data() == p.local().data() + 3);
  CHECK(p.buffers().size() == 2);
  CHECK(std::as_const(p).local().data() == p.local().data());
  CHECK(std::as_const(p).buffers().data() == p.buffers().data());
}

TEST_CASE("a copy has its own parameters but shares what is frozen") {
  parameters<float> p({.shared = 2, .frozen = 3});
  auto copy = p;
  copy.trained()[0] = 1;
  CHECK(p.trained()[0] == 0);
  CHECK(copy.frozen().data() == p.frozen().data());
}

TEST_CASE("models can point to one frozen vector, of the right length") {
  const auto table = std::make_shared<const aligned_vector<float>>(aligned_vector<float>{1, 2, 3});
  parameters<float> a({.shared = 1, .frozen = 3}), b({.shared = 1, .frozen = 3}),
      other({.shared = 1, .frozen = 4});
  a.share_frozen(table);
  b.share_frozen(table);
  CHECK(a.frozen().data() == table->data());
  CHECK(b.frozen().data() == table->data());
  CHECK_THROWS_WITH(other.share_frozen(table), "[N003 shape] frozen parameters: got 3 scalars, expected 4");
  CHECK_THROWS_WITH(a.share_frozen(nullptr), "[N003 shape] frozen parameters: got 0 scalars, expected 3");
  CHECK(a.frozen().data() == table->data());
}

TEST_CASE("parameters without any are empty spans") {
  const parameters<float> none;
  CHECK(none.sizes() == group_sizes{});
  CHECK(none.trained().empty());
  CHECK(none.buffers().empty());
  CHECK(none.frozen().empty());
}
