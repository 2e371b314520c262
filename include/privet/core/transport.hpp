#pragma once
// The seam between two parties: bytes out, bytes in.

#include <privet/core/result.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace privet {

/// A link to one peer. A dropped, late, repeated or corrupt message is an error value.
class transport {
 public:
  virtual ~transport() = default;
  virtual status send(std::span<const std::byte> message) = 0;
  virtual result<std::vector<std::byte>> receive() = 0;
};

} // namespace privet
