// The k largest of a million floats by magnitude.

#include "peers/topk.hpp"
#include "support/compare.hpp"

#include <privet/core/aligned.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/simd/top_k.hpp>

#include <cmath>
#include <functional>
#include <memory>

namespace {

using namespace privet;

constexpr std::size_t size = 1'000'000;

std::vector<float> sorted_magnitudes(std::span<const float> values) {
  std::vector<float> all;
  for (const float v : values) all.push_back(std::abs(v));
  std::ranges::sort(all);
  return all;
}

void row(compare::table& table, const std::string& name, std::span<const float> x, std::size_t k) {
  const compare::job job{.name = name};
  const auto all = std::make_shared<std::vector<float>>(sorted_magnitudes(x));
  const std::vector<float> expected(all->end() - static_cast<std::ptrdiff_t>(k), all->end());
  std::ranges::transform(x, all->begin(), [](float v) { return std::abs(v); }); // as they lie in x
  const auto check = [&](const std::string& side, std::span<const float> found) {
    if (sorted_magnitudes(found) != expected) table.complain(name + ": " + side + " found others.");
  };

  std::vector<std::uint32_t> indices(k);
  std::vector<float> values(k);
  simd::top_k(x, indices, values);
  check(compare::ours, values);
  for (std::size_t i = 0; i < k; ++i) values[i] = x[indices[i]];
  check(compare::ours, values);
  table.time(job, compare::ours, [=]() mutable { simd::top_k(x, indices, values); });

  if constexpr (PEER_TORCH) {
    auto search = peers::torch_topk(x, k);
    check(peers::torch_name(), search());
    table.time(job, peers::torch_name(), [search]() mutable { search(); });
  }

  // It moves what it searches, so it gets a new copy of the magnitudes each time; turned by another
  // amount, because the luck of its pivots is worth a factor of two.
  const auto copy = std::make_shared<std::vector<float>>(size);
  const auto prepare = [=, turn = std::ptrdiff_t{0}]() mutable {
    turn = (turn + 79'999) % static_cast<std::ptrdiff_t>(size);
    std::ranges::rotate_copy(*all, all->begin() + turn, copy->begin());
  };
  const auto search = [=] {
    std::nth_element(copy->begin(), copy->begin() + static_cast<std::ptrdiff_t>(k), copy->end(),
                     std::greater());
  };
  std::ranges::copy(*all, copy->begin());
  search();
  check("std::nth_element", std::span(*copy).first(k));
  table.time(job, "std::nth_element", search, prepare);
}

} // namespace

int main(int count, char** words) {
  compare::table table("topk", count, words);
  if constexpr (!PEER_TORCH) table.left_out("libtorch");
  aligned_vector<float> x(size);
  replayable_random source(1);
  fill_normal(source, std::span<float>(x));
  row(table, "topk 1e6 k 1e3", x, 1'000);
  row(table, "topk 1e6 k 1e4", x, 10'000);
  row(table, "topk 1e6 k 1e5", x, 100'000);
  return table.run();
}
