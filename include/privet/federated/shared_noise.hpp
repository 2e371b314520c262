#pragma once
// One noise for all: offices send clipped sums with a share of noise, the server adds them exactly and takes
// one step of an optimiser, as if all rows lay in one place.

#include <privet/core/fixed_point.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/office.hpp>
#include <privet/federated/server_step.hpp>
#include <privet/federated/trust.hpp>
#include <privet/train/gradient_share.hpp>
#include <privet/train/update_share.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// What a client runs whose noise is a share of the noise of all: in each round one Poisson batch, as
/// `chain(clip_l2{..}, sum_over_batch{}, gaussian_share{..})` makes it an answer.
///
/// Privacy   of one row of the client, add-remove, towards whoever sees sums of all shares, by the event of
///           each round and that of its moments. A share by itself says much about its rows: the server is
///           trusted not to look at one, nor to open the sum of fewer than `holders`. Another client knows its
///           own noise: towards clients, count one holder less (docs/privacy/noise_share.md)
template <class Chain, Loss LossType = softmax_cross_entropy>
struct shared_noise_recipe {
  Chain steps;
  poisson sampler; ///< the same rate at every client
  payment pay;     ///< such as a debit of the client's ledger
  std::optional<private_moments> scaling{};
  LossType loss{};

  static constexpr bool is_private = true, sends_shares = true;
  static std::size_t units(const dataset<float>& data) { return data.rows(); }
  moments release_moments(const dataset<float>& data) const { return scaling->release(data); }
  template <class Arch>
  gradient_share<network, LossType, Chain, poisson, float, Arch> training(const network& model,
                                                                          const dataset<float>& data,
                                                                          std::uint64_t seed,
                                                                          std::uint32_t) const {
    return {model, loss, steps, sampler, data.rows(), seed};
  }
};
template <class Chain>
shared_noise_recipe(Chain, poisson, payment) -> shared_noise_recipe<Chain>;
template <class Chain>
shared_noise_recipe(Chain, poisson, payment, std::optional<private_moments>) -> shared_noise_recipe<Chain>;

/// The same for a client that holds the rows of many persons and protects each as a whole: in each round one sample
/// of them, as `user_recipe` trains it, and the sum of their clipped updates as
/// `chain(clip_l2{..}, sum_over_batch{}, gaussian_share{..})` makes it an answer. It counts itself by persons.
///
/// Privacy   of one person of the client with all their rows, add-remove, else as `shared_noise_recipe`
template <class Local, class Chain, Loss LossType = softmax_cross_entropy>
struct shared_user_recipe {
  local_steps<Local> local; ///< of one person
  Chain steps;
  poisson sampler; ///< of persons, the same rate at every client
  payment pay;
  std::optional<private_moments> scaling{};
  LossType loss{};

  static constexpr bool is_private = true, sends_shares = true;
  static std::size_t units(const dataset<float>& data) { return groups_of(data).size(); }
  moments release_moments(const dataset<float>& data) const { return scaling->release_by_person(data); }
  template <class Arch>
  update_share<network, LossType, Local, Chain, poisson, float, Arch> training(const network& model,
                                                                               const dataset<float>& data,
                                                                               std::uint64_t seed,
                                                                               std::uint32_t) const {
    return {model, loss, local, steps, sampler, data.groups, seed};
  }
};

/// Adds the shares of a round and steps: what is left of central training when each client draws from its own
/// rows.
///
/// Formula   g = h (sum of the shares) / (rate * rows, or persons, of the clients that sent one); w -= steps(g)
/// Requires  the clients' chain and sampler, which fix the grid and the divisor; a chain of pointwise stages
/// Ensures   the same bits for any order of arrival; sums are whole numbers of 128 bits
/// Errors    N009 for a second share of a client, for fewer shares than `holders`, for an empty share, and for
///           one on another grid or that counts on other holders;
///           N008 for a number that no share holds, or weights that are driven out of their range; N003 for
///           sizes. Weights and optimiser are then as before
/// Privacy   what is opened is one Gaussian query of the rows of all; steps are post-processing of it
/// Test      tests/federated/shared_noise.test.cpp
template <class Upload, class Steps, class Trust = trusted, class Arch = simd::default_arch>
class shared_sum {
  using parts = detail::share_parts<Upload>;
  static_assert(parts::fits,
                "[P002 share-of-sum] the server adds what chain(clip_l2{..}, sum_over_batch{}, "
                "gaussian_share{..}) makes at the offices, and is told of it by the same chain. "
                "docs/errors/P002.md");
  static_assert(detail::only_steps<Steps>,
                "[P002 server-chain] the server's chain meets a sum that is bounded, divided and noisy "
                "already: it holds pointwise stages only, such as sgd{..} and cosine_rate{..}. "
                "docs/errors/P002.md");

 public:
  using trust = Trust;
  static constexpr bool linear = true;
  using update = client_share;
  static constexpr message_kind reply = message_kind::share;
  static result<update> decode(const message& m) { return decode_share(m); }

  struct state {
    std::vector<int128> sums;
    std::vector<std::uint32_t> senders;
    std::uint64_t examples = 0;
  };

  shared_sum(Upload upload, poisson sampler, Steps steps)
      : upload_(std::move(upload)), sampler_(std::move(sampler)), steps_(std::move(steps)) {
    sampler_.check();
    static_cast<void>(upload_.template init<float>(0)); // checks the stages
  }

  /// Says who runs the server.
  template <class Other>
  shared_sum<Upload, Steps, Other, Arch> run_by(Other) const {
    return {upload_, sampler_, steps_};
  }

  state init(std::size_t parameters) const { return {std::vector<int128>(parameters), {}, 0}; }
  /// The state of the optimiser.
  chain_state<float> remember(std::size_t parameters) const {
    return steps_.template init<float>(parameters);
  }
  status check(const chain_state<float>& memory, std::size_t parameters) const {
    return detail::check_optimizer<Steps>("shared sum", memory, parameters);
  }
  std::size_t least() const noexcept { return share().holders; }
  /// The step that a share's numbers are counts of.
  double grid() const { return share().step(upload_.first_bound()); }
  /// No number of the share of a client with so many rows, or persons, is larger in magnitude.
  std::int64_t reach(std::size_t units) const { return share().reach(sampler_.law().most(units)); }

  /// Errors    N009 for another number of batches than one, and for a share on another grid or that counts on
  ///           other holders
  status check(const update& u) const {
    if (u.examples == 0 || u.steps != 1)
      return error::of(fault::message, "shared sum: client ", u.sender, " has sent ", u.steps, " batches of ",
                       u.examples, " rows, expected 1 of at least 1");
    if (u.grid != grid() || u.holders != least())
      return error::of(fault::message, "shared sum: client ", u.sender, " counts steps of ", u.grid,
                       " and on ", u.holders, " holders of noise, this server steps of ", grid(), " and on ",
                       least());
    return nothing{};
  }

  status absorb(state& s, const update& u) const {
    if (std::ranges::find(s.senders, u.sender) != s.senders.end())
      return error::of(fault::message, "shared sum: client ", u.sender, " has sent its share already");
    if (u.shared.size() != s.sums.size())
      return error::of(fault::shape, "shared sum of ", s.sums.size(), " numbers: got ", u.shared.size());
    if (auto fits = check(u); !fits) return fits;
    for (const std::int64_t x : u.shared)
      if (x > share().most || x < -share().most)
        return error::of(fault::range, "shared sum: client ", u.sender, " has sent the number ", x,
                         ", a share holds up to ", share().most);
    for (std::size_t i = 0; i < s.sums.size(); ++i) s.sums[i] += u.shared[i];
    s.senders.push_back(u.sender);
    s.examples += u.examples;
    return nothing{};
  }

  status finish(state& s, std::span<float> weights, chain_state<float>& memory) const {
    if (weights.size() != s.sums.size())
      return error::of(fault::shape, "shared sum: ", weights.size(), " weights, the shares have ",
                       s.sums.size());
    if (auto fits = check(memory, weights.size()); !fits) return fits;
    if (s.senders.size() < least())
      return error::of(fault::message, "shared sum: ", s.senders.size(), " shares arrived, the noise of ",
                       least(), " is counted on; their sum is not opened");
    const double batch = sampler_.expected_batch(s.examples), bound = upload_.first_bound();
    aligned_vector<float> step(weights.size());
    for (std::size_t i = 0; i < step.size(); ++i)
      step[i] = static_cast<float>(share().decode(s.sums[i], bound) / batch);
    if (auto done =
            detail::server_step<Arch>("shared sum", steps_, std::span<float>(step), batch, weights, memory);
        !done)
      return done;
    s = init(weights.size());
    return nothing{};
  }

 private:
  const auto& share() const noexcept { return upload_.encoding(); }

  Upload upload_;
  poisson sampler_;
  Steps steps_;
};

} // namespace privet
