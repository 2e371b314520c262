#pragma once
// What is not taken, and what is said of it.

#include "support/catch.hpp"

#include <privet/core/result.hpp>

#include <string>

namespace privet::test {

/// The message of an outcome that has to be an error of this kind.
template <class T>
std::string refused(const result<T>& outcome, fault kind = fault::format) {
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().kind == kind);
  return outcome.error().message;
}

} // namespace privet::test
