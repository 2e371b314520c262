#include "support/catch.hpp"

#include <privet/core/function_ref.hpp>

#include <memory>
#include <string>

using namespace privet;

static_assert(!std::is_constructible_v<function_ref<int(int)>, int>);
static_assert(!std::is_constructible_v<function_ref<int(int)>, std::string (*)(int)>);

TEST_CASE("function_ref calls what it was made of, and keeps no copy") {
  int calls = 0;
  auto count = [&calls](int by) { return calls += by; };
  const function_ref<int(int)> f = count;
  CHECK(f(2) == 2);
  const auto copy = f;
  CHECK(copy(3) == 5);
  CHECK(calls == 5);

  struct counter {
    int value = 0;
    int operator()(int by) { return value += by; }
  } own;
  const function_ref<int(int)> g = own;
  g(4);
  CHECK(own.value == 4);
}

TEST_CASE("function_ref calls what is const, and passes what can only be moved") {
  const auto length = [](std::unique_ptr<std::string> text) { return text->size(); };
  const function_ref<std::size_t(std::unique_ptr<std::string>)> f = length;
  CHECK(f(std::make_unique<std::string>("four")) == 4);
}
