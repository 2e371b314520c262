#include "support/catch.hpp"

#include <privet/core/indexed_list.hpp>

#include <memory>
#include <string>
#include <type_traits>

using namespace privet;

namespace {

struct empty {};
struct other_empty {};

constexpr indexed_list numbers{1, 2.5, 'c'};
static_assert(numbers.size() == 3 && numbers.get<0>() == 1 && numbers.get<1>() == 2.5 &&
              numbers.get<2>() == 'c');
static_assert(std::is_same_v<decltype(numbers), const indexed_list<int, double, char>>);
static_assert(indexed_list<>::size() == 0);

// Elements without members take no room.
static_assert(std::is_empty_v<indexed_list<empty, other_empty>>);
static_assert(sizeof(indexed_list<empty, int, other_empty>) == sizeof(int));

// The same type may stand in it twice.
static_assert(indexed_list{1, 2, 1}.get<1>() == 2);

constexpr int visited(std::size_t index) {
  int sum = 0;
  indexed_list{10, 20, 30}.visit(index, [&](int x) { sum += x; });
  return sum;
}
static_assert(visited(0) == 10 && visited(1) == 20 && visited(2) == 30 && visited(3) == 0);

} // namespace

TEST_CASE("for_each calls every element once, in order") {
  std::string seen;
  indexed_list{std::string("a"), 'b', std::string("c")}.for_each([&](const auto& x) { seen += x; });
  CHECK(seen == "abc");
}

TEST_CASE("visit calls the element at the index and no other") {
  const indexed_list list{std::string("first"), 2, std::string("third")};
  int strings = 0, ints = 0;
  list.visit(2, [&]<class X>(const X& x) {
    if constexpr (std::is_same_v<X, std::string>) {
      ++strings;
      CHECK(x == "third");
    } else {
      ++ints;
    }
  });
  CHECK(strings == 1);
  CHECK(ints == 0);
}

TEST_CASE("elements are held by value and can be changed") {
  indexed_list list{1, std::string("x")};
  const auto before = list;
  list.get<0>() = 5;
  list.get<1>() += "y";
  CHECK(list.get<0>() == 5);
  CHECK(list.get<1>() == "xy");
  CHECK(before.get<0>() == 1);
  CHECK(before.get<1>() == "x");
}

TEST_CASE("elements that only move are moved in") {
  const indexed_list list{std::make_unique<int>(3), 4};
  CHECK(*list.get<0>() == 3);
}
