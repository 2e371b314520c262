#pragma once
// The gateway to Catch2, 2.13 and 3. Tests include this and nothing of Catch2 itself.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp> // 3
using Catch::Approx;
namespace Catch {
inline auto Contains(const std::string& part) {
  return Matchers::ContainsSubstring(part);
} // its name in 2.13
using Matchers::EndsWith, Matchers::StartsWith;
} // namespace Catch
#elif __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp> // 2.13 exports Approx by itself
#else
#error "the tests need Catch2 2.13 or 3: apt install catch2"
#endif
