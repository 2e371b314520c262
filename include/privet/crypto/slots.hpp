#pragma once
// Many numbers in one plaintext, and out of the opened sum of many.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/fixed_update.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/words.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// Whose plaintexts, of which round: what their canaries say.
struct canary_stamp {
  const cohort_key& key;
  std::uint32_t round;
  std::uint32_t client; ///< from 1 on; 0 is the server
};

namespace detail {

/// Whether any bit from `at` on is set.
inline bool has_bits_from(std::span<const std::uint64_t> words, std::size_t at) noexcept {
  std::uint64_t found = at / 64 < words.size() ? words[at / 64] >> at % 64 : 0;
  for (std::size_t i = at / 64 + 1; i < words.size(); ++i) found |= words[i];
  return found != 0;
}

/// One plaintext: slots of `bits` bits with number + bias in each, the others and the rest zero. Branches
/// on places only.
template <class Arch>
void write_slots(std::span<const std::int64_t> numbers, std::uint64_t bias, std::uint32_t bits,
                 std::span<std::uint64_t> words) noexcept {
  std::uint64_t word = 0;
  std::uint32_t filled = 0;
  std::size_t at = 0;
  for (const std::int64_t number : numbers) {
    const std::uint64_t value = static_cast<std::uint64_t>(number) + bias;
    word |= value << filled;
    filled += bits;
    if (filled >= 64) {
      words[at++] = word;
      filled -= 64;
      word = value >> 1 >> (bits - filled - 1);
    }
  }
  if (at < words.size()) words[at++] = word;
  for (; at < words.size(); ++at) words[at] = 0;
}
template <class Arch>
void write_canary(const packing& how, std::uint64_t canary, std::span<std::uint64_t> words) noexcept {
  const std::size_t word = how.canary_offset() / 64, shift = how.canary_offset() % 64;
  canary &= low_bits(how.canary_bits());
  words[word] |= canary << shift;
  if (word + 1 < words.size()) words[word + 1] |= canary >> 1 >> (63 - shift);
}

/// Calls `numbers_of(first, count, integers)` for each plaintext and writes it, until one returns an error;
/// then nothing stays written.
template <class Arch, class Numbers>
status write_plaintexts(const packing& how, const canary_stamp& stamp, std::size_t count,
                        std::span<std::uint64_t> out, const Numbers& numbers_of) {
  const std::size_t slots = how.slots(), words = how.words(), plaintexts = how.plaintexts(count);
  require(out.size() == plaintexts * words, fault::shape, "packing of ", count, " numbers: room for ",
          out.size(), " words, ", plaintexts, " plaintexts of ", words, " need ", plaintexts * words);
  require(stamp.client != 0, fault::argument, "packing: client 0 is the server");
  wiped_at_exit<std::uint64_t> guard(out);
  secret_words canaries(plaintexts);
  stamp.key.template canaries<Arch>(stamp.round, stamp.client, canaries);
  wiped_vector<std::int64_t> integers(slots);
  for (std::size_t p = 0; p < plaintexts; ++p) {
    const auto piece = std::span(integers).first(std::min(slots, count - p * slots));
    if (status made = numbers_of(p * slots, piece); !made) return made;
    const auto plaintext = out.subspan(p * words, words);
    write_slots<Arch>(piece, static_cast<std::uint64_t>(how.most()), how.slot_bits, plaintext);
    write_canary<Arch>(how, canaries[p], plaintext);
  }
  guard.keep();
  return nothing{};
}

/// Each client once, and no more than the guard bits are for.
inline status check_cohort(const packing& how, std::span<const std::uint32_t> cohort) {
  if (cohort.empty() || cohort.size() > how.clients)
    return error::of(fault::message, "packed sum: of ", cohort.size(),
                     " clients, its guard bits are for 1 to ", how.clients);
  std::vector<std::uint32_t> sorted(cohort.begin(), cohort.end());
  std::ranges::sort(sorted);
  if (sorted.front() == 0) return error::of(fault::message, "packed sum: client 0 is the server");
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    return error::of(fault::message, "packed sum: client ", *twice, " is in it twice");
  return nothing{};
}

/// The sums that the canaries of a cohort must have.
template <class Arch>
void canary_sums(const packing& how, const cohort_key& key, std::uint32_t round,
                 std::span<const std::uint32_t> cohort, std::span<std::uint64_t> out) {
  secret_words own(out.size());
  std::ranges::fill(out, 0);
  for (const std::uint32_t client : cohort) {
    key.template canaries<Arch>(round, client, own);
    for (std::size_t p = 0; p < out.size(); ++p) out[p] += own[p] & low_bits(how.canary_bits());
  }
}

/// The numbers of one opened plaintext, and the first slot that no sum of so many clients reaches.
template <class Arch>
std::size_t read_slots(const packing& how, std::uint64_t clients, std::span<const std::uint64_t> plaintext,
                       std::span<std::int64_t> numbers) noexcept {
  const std::uint64_t bias = clients * static_cast<std::uint64_t>(how.most());
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::uint64_t sum = bits_at(plaintext, i * how.slot_bits, how.slot_bits);
    outside |= static_cast<std::uint64_t>(sum > 2 * bias);
    numbers[i] = static_cast<std::int64_t>(sum - bias);
  }
  for (std::size_t i = numbers.size(); i < how.slots(); ++i)
    outside |= bits_at(plaintext, i * how.slot_bits, how.slot_bits);
  if (outside == 0) return how.slots();
  std::size_t i = 0;
  while (bits_at(plaintext, i * how.slot_bits, how.slot_bits) <= (i < numbers.size() ? 2 * bias : 0)) ++i;
  return i;
}

} // namespace detail

/// A client's update as plaintexts, ready to be encrypted: they hold its weights, so wipe them then.
///
/// Shapes    out has how.plaintexts(x.size()) numbers of how.words() little-endian words, one after the other
/// Requires  a stamp is used once: two updates of a client in one round have the same canaries
/// Ensures   the integers of `to_fixed_update`; returns how many numbers were clipped
/// Errors    N008 naming the first number that is NaN, infinite or beyond 1024 ranges; `out` is then zero.
///           N001, N003 thrown before anything is written
/// Cost      two passes in cache, branches on places only
/// Test      tests/crypto/slots.test.cpp
template <class Arch = simd::default_arch, class Rounding = round_to_nearest>
result<std::size_t> pack(const packing& how, const canary_stamp& stamp, example_weight weight,
                         std::span<const float> x, std::span<std::uint64_t> out, Rounding rounding = {}) {
  detail::check_rule(how);
  const double w = weight.value();
  std::int64_t clipped = 0;
  const auto made = detail::write_plaintexts<Arch>(
      how, stamp, x.size(), out, [&](std::size_t first, std::span<std::int64_t> integers) -> status {
        const auto piece = x.subspan(first, integers.size());
        const auto found = detail::fixed_run<Arch>(how, w, piece, rounding, integers.data());
        clipped += found.clipped;
        if (found.refused != 0) return detail::refused_number(how, w, piece, first);
        return nothing{};
      });
  if (!made) return made.error();
  return static_cast<std::size_t>(clipped);
}

/// Integers as plaintexts, such as a share of a noisy sum on its grid. Errors as above, but N008 for the
/// first one beyond how.most(): cutting noise would change its law.
template <class Arch = simd::default_arch>
status pack(const packing& how, const canary_stamp& stamp, std::span<const std::int64_t> x,
            std::span<std::uint64_t> out) {
  how.check();
  const std::int64_t most = how.most();
  return detail::write_plaintexts<Arch>(
      how, stamp, x.size(), out, [&](std::size_t first, std::span<std::int64_t> integers) -> status {
        bool outside = false;
        for (std::size_t i = 0; i < integers.size(); ++i) {
          integers[i] = x[first + i];
          outside |= integers[i] > most || integers[i] < -most;
        }
        if (!outside) return nothing{};
        std::size_t i = first;
        while (x[i] <= most && x[i] >= -most) ++i;
        return error::of(fault::range, "packing: integer ", i, " is ", x[i], ", a slot holds up to ", most);
      });
}

/// The sums of a cohort from the opened plaintexts, if these are what they should be.
///
/// Checks    each plaintext holds the canaries of this round of every client of the cohort, each once, added
///           up exactly, with nothing above them; then every slot holds what so many clients can reach
/// Ensures   sums[i] = sum over the cohort of its integers i: take away the bias, `from_fixed_update` does the
///           rest
/// Errors    N009 naming the ciphertext whose canary differs, for a cohort that is empty, too large or names a
///           client twice, and for a wrong number of words; N008 for a slot out of range, naming number and
///           both sides. `sums` is then zero. N001 thrown for `how`
/// Timing    comparing canaries depends on the number of plaintexts only, up to which one failed
/// Test      tests/crypto/slots.test.cpp
template <class Arch = simd::default_arch>
status unpack_sum(const packing& how, const cohort_key& key, std::uint32_t round,
                  std::span<const std::uint32_t> cohort, std::span<const std::uint64_t> opened,
                  std::span<std::int64_t> sums) {
  how.check();
  wipe(sums);
  if (auto named = detail::check_cohort(how, cohort); !named) return named;
  const std::size_t slots = how.slots(), words = how.words(), plaintexts = how.plaintexts(sums.size());
  if (opened.size() != plaintexts * words)
    return error::of(fault::message, "packed sum of ", sums.size(), " numbers: got ", opened.size(),
                     " words, expected ", plaintexts, " plaintexts of ", words);

  detail::wiped_at_exit<std::int64_t> guard(sums);
  secret_words expected(plaintexts);
  detail::canary_sums<Arch>(how, key, round, cohort, expected);
  const std::size_t from = how.canary_offset(), to = from + how.canary_sum_bits();
  std::size_t foreign = plaintexts; // the first one; the loop never ends early
  for (std::size_t p = plaintexts; p-- > 0;) {
    const auto plaintext = opened.subspan(p * words, words);
    const bool differs = (detail::bits_at(plaintext, from, how.canary_sum_bits()) ^ expected[p]) != 0;
    foreign = differs || detail::has_bits_from(plaintext, to) ? p : foreign;
  }
  if (foreign != plaintexts)
    return error::of(fault::message, "packed sum: ciphertext ", foreign, " of ", plaintexts,
                     " does not hold the canaries of ", cohort.size(), " clients in round ", round,
                     ": something else was added, or of another round, client or place");

  for (std::size_t p = 0; p < plaintexts; ++p) {
    const auto plaintext = opened.subspan(p * words, words);
    const auto piece = sums.subspan(p * slots, std::min(slots, sums.size() - p * slots));
    const std::size_t outside = detail::read_slots<Arch>(how, cohort.size(), plaintext, piece);
    if (outside == slots) continue;
    const auto sum = detail::bits_at(plaintext, outside * how.slot_bits, how.slot_bits);
    const auto limit =
        outside < piece.size() ? 2 * cohort.size() * static_cast<std::uint64_t>(how.most()) : 0;
    return error::of(fault::range, "packed sum: slot ", outside, " of ciphertext ", p, ", number ",
                     p * slots + outside, ", holds ", sum, ", ", cohort.size(), " clients reach up to ",
                     limit);
  }
  guard.keep();
  return nothing{};
}

} // namespace privet
