#pragma once
// A value or the reason there is none. Everything that reads untrusted bytes returns one.

#include <privet/core/error.hpp>

#include <utility>
#include <variant>

namespace privet {

/// Either a `T` or an `error`. `value()` throws `exception` when it holds an error.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(privet::error e) : state_(std::in_place_index<1>, std::move(e)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return checked(), std::get<0>(state_); }
  const T& value() const& { return checked(), std::get<0>(state_); }
  T&& value() && { return checked(), std::get<0>(std::move(state_)); }

  /// Precondition: `has_value()`.
  T& operator*() { return *std::get_if<0>(&state_); }
  const T& operator*() const { return *std::get_if<0>(&state_); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  /// Precondition: `!has_value()`.
  const privet::error& error() const { return *std::get_if<1>(&state_); }

 private:
  void checked() const {
    if (!has_value()) throw exception(error());
  }
  std::variant<T, privet::error> state_;
};

/// Success or an error, for operations that yield nothing.
struct nothing {};
using status = result<nothing>;

} // namespace privet
