#pragma once

#include <functional>
#include <span>
#include <string>

namespace peers {

/// Fills `out`, which must outlive it, with standard normals at every call.
std::function<void()> torch_normal(std::span<float> out);
std::string torch_name();

} // namespace peers
