#pragma once
// Batches of numbers in Montgomery form, and how words become a kernel's digits.

#include <privet/core/wipe.hpp>
#include <privet/crypto/words.hpp>
#include <privet/simd/montgomery.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace privet {

template <class Arch>
class modulus;
template <class Arch>
class fixed_base;

/// Numbers modulo N in Montgomery form (x R modulo N), in the layout of the kernel: groups of as many
/// numbers as a vector has lanes, limb after limb. They are made and read by the `modulus` they belong to,
/// stay in this form while they are multiplied, and are wiped when they go.
template <class Arch = simd::default_arch>
class residues {
 public:
  residues() = default;
  residues(const residues& other) : count_(other.count_), limbs_(other.limbs_), words_(other.words_) {}
  residues(residues&& other) noexcept
      : count_(std::exchange(other.count_, 0)),
        limbs_(std::exchange(other.limbs_, 0)),
        words_(std::exchange(other.words_, {})),
        scratch_(std::exchange(other.scratch_, {})) {}
  residues& operator=(residues other) noexcept {
    std::swap(count_, other.count_);
    std::swap(limbs_, other.limbs_);
    words_.swap(other.words_);
    scratch_.swap(other.scratch_);
    return *this;
  }
  ~residues() = default;

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }

 private:
  friend class modulus<Arch>;
  friend class fixed_base<Arch>;
  using kernel = simd::montgomery<Arch>;

  void resize(std::size_t count, std::size_t limbs) {
    if (count == count_ && limbs == limbs_) return;
    words_.resize((count + kernel::lanes - 1) / kernel::lanes * kernel::lanes * limbs);
    count_ = count;
    limbs_ = limbs;
  }
  std::size_t groups() const noexcept { return (count_ + kernel::lanes - 1) / kernel::lanes; }
  std::size_t group_size() const noexcept { return limbs_ * kernel::lanes; }
  std::uint64_t* group(std::size_t i) noexcept { return words_.data() + i * group_size(); }
  const std::uint64_t* group(std::size_t i) const noexcept { return words_.data() + i * group_size(); }

  /// Room for what an operation keeps on its way; it grows the first time and stays.
  std::uint64_t* scratch(std::size_t words) {
    if (scratch_.size() < words) scratch_.resize(words);
    return scratch_.data();
  }
  void wipe_scratch(std::size_t words) noexcept { wipe(std::span(scratch_).first(words)); }

  std::size_t count_ = 0, limbs_ = 0;
  secret_words words_, scratch_;
};

namespace detail {

/// Digits of `digit` bits, `stride` apart, from words.
inline void digits_from_words(const std::uint64_t* words, std::size_t size, unsigned digit,
                              std::uint64_t* out, std::size_t count, std::size_t stride) noexcept {
  for (std::size_t i = 0; i < count; ++i) out[i * stride] = bits_at({words, size}, i * digit, digit);
}

/// Words from digits that are below 2^digit.
inline void words_from_digits(const std::uint64_t* digits, std::size_t count, std::size_t stride,
                              unsigned digit, std::uint64_t* words, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) words[i] = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t word = i * digit / 64, shift = i * digit % 64;
    const std::uint64_t value = digits[i * stride];
    if (word < size) words[word] |= value << shift;
    if (shift + digit > 64 && word + 1 < size) words[word + 1] |= value >> (64 - shift);
  }
}

} // namespace detail

} // namespace privet
