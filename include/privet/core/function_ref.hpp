#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace privet {

template <class Signature>
class function_ref;

/// Anything that can be called, lent for the time of a call: what takes it is compiled once, whoever calls. Copies
/// nothing and allocates nothing; must not outlive what it was made of.
///
/// As std::function_ref of C++26, for functions without const or noexcept in their signature.
template <class Result, class... Arguments>
class function_ref<Result(Arguments...)> {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, function_ref> &&
             std::is_invocable_r_v<Result, F&, Arguments...> &&
             !std::is_function_v<std::remove_reference_t<F>>)
  function_ref(F&& f) noexcept
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Arguments... arguments) -> Result {
          return (*static_cast<std::add_pointer_t<F>>(object))(std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(object_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

} // namespace privet
