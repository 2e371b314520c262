#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace peers {

/// Works on numbers below n, each of n.size() little-endian words, one after the other; writes as many to
/// `out`, or nothing if that is empty.
using modular_work = std::function<void(std::span<std::uint64_t> out)>;

/// base[i]^exponent modulo n by mpz_powm, or by mpz_powm_sec, whose time does not depend on the exponent.
modular_work gmp_power(std::span<const std::uint64_t> n, std::span<const std::uint64_t> bases,
                       std::span<const std::uint64_t> exponent, bool constant_time = false);
/// a[i] b[i] modulo n by mpz_mul and mpz_mod.
modular_work gmp_product(std::span<const std::uint64_t> n, std::span<const std::uint64_t> a,
                         std::span<const std::uint64_t> b);
std::string gmp_name();

} // namespace peers
