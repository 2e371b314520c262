// The code of docs/nn/recurrent.md.

#include <privet/nn/network.hpp>

#include <cstdio>
#include <utility>

namespace {

using namespace privet;

[[maybe_unused]] std::size_t sequences(std::size_t words) {
  // clang-format off
  // 28 steps of 28 numbers; the last of 28 states of 64 numbers.
  const sequential digits{lstm<28, 28, 64, 1>{}, dense<64, 10>{}};
  // 20 words out of 5000 as 20 vectors of 32 numbers; all states of the first layer, the last of the second.
  const sequential sentiment{embedding<20, 5000, 32>{}, lstm<20, 32, 64>{}, gru<20, 64, 64, 1>{},
                             dense<64, 2>{}};
  const network known_later({embedding<>{20, words, 32}, gru<>{20, 32, 64, 1}, dense<>{64, 2}});
  // clang-format on
  static_assert(decltype(digits)::parameter_count == 4 * 64 * (28 + 64 + 2) + 650);
  return digits.depth() + sentiment.depth() + known_later.depth();
}

[[maybe_unused]] void check(const rows_view<float>& rows) {
  const embedding<20, 5000, 32> layer;
  if (const auto checked = layer.check_rows(rows); !checked)
    std::puts(checked.error().message.c_str()); // row 7, column 3 is 5000, expected a whole number from 0 to 4999
}

} // namespace
