#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace peers {

/// Finds the k largest magnitudes of `x` at every call, in any order, and the places they come from.
/// The magnitudes themselves are taken beforehand.
std::function<std::span<const float>()> torch_topk(std::span<const float> x, std::size_t k);
std::string torch_name();

} // namespace peers
