#include "modular.hpp"

#include <gmp.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace peers {

namespace {

struct integer {
  integer() { mpz_init(value); }
  explicit integer(std::span<const std::uint64_t> words) : integer() {
    mpz_import(value, words.size(), -1, sizeof(std::uint64_t), 0, 0, words.data());
  }
  integer(const integer&) = delete;
  integer& operator=(const integer&) = delete;
  ~integer() { mpz_clear(value); }
  void write(std::span<std::uint64_t> words) const {
    std::ranges::fill(words, 0);
    mpz_export(words.data(), nullptr, -1, sizeof(std::uint64_t), 0, 0, value);
  }
  mpz_t value;
};
using integers = std::vector<std::unique_ptr<integer>>;

integers all(std::span<const std::uint64_t> words, std::size_t size) {
  integers out;
  for (; !words.empty(); words = words.subspan(size))
    out.push_back(std::make_unique<integer>(words.first(size)));
  return out;
}

/// Calls f(result, i) for each number. An empty `out` gets nothing, so that only the work is timed.
template <class F>
modular_work work(std::size_t size, std::size_t count, F f) {
  return [size, results = std::make_shared<integers>(all(std::vector<std::uint64_t>(size * count), size)),
          f](std::span<std::uint64_t> out) {
    for (std::size_t i = 0; i < results->size(); ++i) {
      f((*results)[i]->value, i);
      if (!out.empty()) (*results)[i]->write(out.subspan(i * size, size));
    }
  };
}

} // namespace

modular_work gmp_power(std::span<const std::uint64_t> n, std::span<const std::uint64_t> bases,
                       std::span<const std::uint64_t> exponent, bool constant_time) {
  const auto modulus = std::make_shared<integer>(n), power = std::make_shared<integer>(exponent);
  const auto base = std::make_shared<integers>(all(bases, n.size()));
  return work(n.size(), base->size(), [=](mpz_ptr out, std::size_t i) {
    (constant_time ? mpz_powm_sec : mpz_powm)(out, (*base)[i]->value, power->value, modulus->value);
  });
}

modular_work gmp_product(std::span<const std::uint64_t> n, std::span<const std::uint64_t> a,
                         std::span<const std::uint64_t> b) {
  const auto modulus = std::make_shared<integer>(n);
  const auto left = std::make_shared<integers>(all(a, n.size())),
             right = std::make_shared<integers>(all(b, n.size()));
  return work(n.size(), left->size(), [=](mpz_ptr out, std::size_t i) {
    mpz_mul(out, (*left)[i]->value, (*right)[i]->value);
    mpz_mod(out, out, modulus->value);
  });
}

std::string gmp_name() { return std::string("GMP ") + gmp_version; }

} // namespace peers
