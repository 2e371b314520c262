#pragma once
// What every optimiser asks of its learning rate.

#include <privet/core/error.hpp>

#include <cmath>
#include <string_view>

namespace privet::detail {

inline void check_rate(std::string_view who, double rate) {
  require(rate >= 0 && std::isfinite(rate), fault::argument, who, ": learning rate ", rate,
          ", expected a finite number of at least 0");
}

} // namespace privet::detail
