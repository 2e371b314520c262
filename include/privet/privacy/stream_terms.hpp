#pragma once
// What mechanisms over a stream of steps have in common: a unit's steps keep their places.

#include <privet/core/error.hpp>
#include <privet/privacy/event.hpp>

#include <cstddef>
#include <string_view>

namespace privet::detail {

/// Throws N001 for numbers out of range, N011 for a relation under which steps would move.
inline void check_stream(std::string_view who, double noise_multiplier, double sensitivity, double rounding,
                         neighbours relation, std::size_t dimension) {
  require(noise_multiplier >= 1e-3 && noise_multiplier <= 1e9, fault::argument, who,
          ": got the noise multiplier ", noise_multiplier, ", expected 1e-3 to 1e9");
  require(sensitivity >= 1e-100 && sensitivity <= 1e100 && rounding >= 0 && rounding <= 1, fault::argument,
          who, ": got the sensitivity ", sensitivity, " and the rounding ", rounding,
          ", expected 1e-100 to 1e100 and 0 to 1");
  require(relation != neighbours::add_remove, fault::unsupported, who, ": got the relation ",
          name_of(relation), ", expected ", name_of(neighbours::zero_out), " or ",
          name_of(neighbours::replace_one), ": a unit that is gone would move all others to other steps");
  require(dimension >= 1, fault::argument, who, ": got no numbers, expected 1 or more");
}

} // namespace privet::detail
