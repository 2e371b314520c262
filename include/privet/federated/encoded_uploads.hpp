#pragma once
// A client on a thin link: what it runs between two messages, and the chain that its update goes through.

#include <privet/core/chain.hpp>
#include <privet/federated/office.hpp>

#include <cstddef>

namespace privet {

namespace detail {

/// Whether stages make a message of an update: pointwise ones that remember nothing, and an encoding.
template <class Upload>
inline constexpr bool is_upload = false;
template <class... S>
inline constexpr bool is_upload<chain_of<S...>> =
    chain_of<S...>::encodings == 1 &&
    ((Encoding<S> || (Pointwise<S> && !Mechanism<S> && slots_of<S> == 0)) && ...);

} // namespace detail

/// A recipe whose updates are sent encoded: `encoded_uploads{recipe, chain(error_feedback{}.around(top_k{..}))}`. The
/// server decodes them with `decoded_uploads`.
///
/// Memory    a client with a memory keeps it from round to round, so a round is a function of that memory too:
///           `participant::memory` and `restore` take it into a checkpoint and back
/// Privacy   that of the recipe: what it trains privately is released before it is encoded
template <class Recipe, class Upload>
struct encoded_uploads : Recipe {
  static_assert(
      detail::is_upload<Upload>,
      "[P002 upload-chain] an upload chain ends in an encoding, such as top_k{..} or quantise{..}, and "
      "holds nothing else but pointwise stages without noise and memory: bounds and noise belong to the "
      "recipe, which pays for them. docs/errors/P002.md");
  static_assert(
      !requires { requires Recipe::sends_shares; },
      "[P002 upload-chain] a share of a common noise is a whole number that cancels in the sum only as it "
      "is: it takes no encoding. docs/errors/P002.md");
  static_assert(
      !requires { requires Recipe::controls; },
      "[P002 upload-chain] a control variate is sent beside the weights as it is: it takes no encoding. "
      "docs/errors/P002.md");
  static constexpr bool encodes = true;

  Upload upload;
};
template <class Recipe, class Upload>
encoded_uploads(Recipe, Upload) -> encoded_uploads<Recipe, Upload>;

} // namespace privet
