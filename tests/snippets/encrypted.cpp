// The code of docs/paillier.md.

#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/key_authority.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/random/system.hpp>

using namespace privet;

void deal_and_build(std::unique_ptr<participant> rows_of_one) {
  system_random source;
  auto dealt = deal_shares(threshold_paillier<3072>::deal(4, source), source);
  encrypted_server server(fedavg{}.run_by(curious{}), std::move(dealt.server)); // cannot read
  encrypted_office one(1, std::move(rows_of_one), std::move(dealt.offices[0])); // any office, behind a wall
  static_cast<void>(server.bytes_up());
  static_cast<void>(one.loss());
}

void with_noise(std::unique_ptr<participant> shares_of_one, dealt_keys<threshold_opener<>> keys) {
  const auto upload = chain(clip_l2{.bound = 0.5}, sum_over_batch{},
                            gaussian_share{.noise_multiplier = 5, .holders = 3}); // of four offices
  const auto sum = shared_sum(upload, poisson{.rate = 0.2}, chain(sgd{.learning_rate = 1})).run_by(curious{});
  encrypted_server blind(sum, std::move(keys.server));
  encrypted_office noisy(1, std::move(shares_of_one), std::move(keys.offices[0]), {}, sum);
  static_cast<void>(blind.bytes_up());
  static_cast<void>(noisy.loss());
}
