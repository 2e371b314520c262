#pragma once
// A client of an encrypted federation: an office whose answers leave it encrypted, and that opens sums only.

#include <privet/crypto/box.hpp>
#include <privet/crypto/certified_key.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/key_certificate.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/federated/encrypted_form.hpp>
#include <privet/federated/encrypted_update.hpp>
#include <privet/federated/office.hpp>
#include <privet/federated/opener.hpp>
#include <privet/federated/phase_times.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// What the key authority hands to an office. The opener is its part in opening sums: the whole secret key, or a
/// share of it (federated/opener.hpp).
template <class Opener>
struct encrypted_office_keys {
  paillier_public_key key;
  key_certificate certificate; ///< of that key
  verifying_key authority;     ///< who signed it; known beforehand
  enrolment offices;           ///< of the authority
  signing_key signing;         ///< of this office
  cohort_secret secret;        ///< of all offices, unknown to the server
  std::string run;             ///< the same at all offices, and new for each run
  Opener opener;
};

/// What an office insists on, whatever the server asks.
struct encrypted_terms {
  /// Fewest offices in a sum that it opens. Of two, each would know the other's part.
  std::size_t least_offices = 3;
  bool standardise = true;    ///< columns are scaled by an encrypted sum of all; or stay as they are
  double least_deviation = 0; ///< of a column after scaling by noisy moments
};

/// An office of an encrypted federation: one of any kind, behind a wall. It answers with ciphertexts, signed. Before it
/// helps to open a sum it has seen the signed updates that the sum is made of and adds them up itself; it helps once for
/// each of its own updates, and makes no other before that sum came back. The model stays with the offices: they
/// make the first weights from a seed and apply every sum themselves.
///
/// Order     ask_schema, (ask_sum, ask_share, open,) architecture, begin, then ask_sum, ask_share, open for
///           each round; agree (empty) instead of the first sum where there is no scaling to be found
/// Privacy   towards the server: schema, number of rows, when the office answers, and once that it refuses. Towards
///           the other offices besides: the sums, which are opened to all of them. What it refuses for a reason that
///           lies in the data it refuses without the reason, and answers nothing more; `on_refusal` hears it
/// Requires  offices that follow the protocol, and a server that may cheat, with what any office knows. What n - 1
///           offices and the server share they know of the last one's update, as in any sum (docs/paillier.md)
/// Errors    N001, N007, N009 thrown on construction, for a certificate, an enrolment, a share or a key that is not
///           its own, or a threshold too low
/// Test      tests/federated/encrypted_federation.test.cpp, tests/federated/hostile_server.test.cpp
template <class Opener, Aggregator A = federated_average<curious>, class Arch = simd::default_arch>
class encrypted_office : public participant {
 public:
  /// What is kept from round to round: an optimiser's state where the aggregator has an optimiser.
  using memory = typename encrypted_form<A>::memory;

  /// `inner` is the office number `id` of a federation in clear, whose server would have this aggregator.
  encrypted_office(std::uint32_t id, std::unique_ptr<participant> inner, encrypted_office_keys<Opener> keys,
                   encrypted_terms terms = {}, A aggregator = {})
      : id_(id),
        inner_(std::move(inner)),
        form_(std::move(aggregator)),
        least_(std::max({terms.least_offices, std::size_t{3}, form_.least()})),
        keys_(checked(std::move(keys), id, least_)),
        terms_(terms),
        cohort_(keys_.secret, keys_.key.fingerprint(), keys_.run),
        encryptor_(keys_.key, source_) {}

  /// Goes on where another process stopped: with these weights after so many rounds, with what was kept from the last
  /// one, and with the scaling that was agreed on, which a private office would have to pay for twice. Before the
  /// federation opens.
  void take_up(std::span<const float> weights, std::uint32_t rounds, moments scaling,
               std::optional<memory> kept = {}) {
    taken_up_.assign(weights.begin(), weights.end());
    kept_ = std::move(kept);
    rounds_ = rounds;
    scaling_ = std::move(scaling);
  }

  std::vector<std::byte> answer(std::span<const std::byte> request) override {
    const auto m = decode_message(request);
    if (!m) return refusal(0, m.error().message);
    // Whether it refuses may say something of its rows: once, and not as often as it is asked.
    const auto silent = [&] {
      return refusal(m->round, concat("office ", id_, ": cannot go on; it knows why"));
    };
    if (failed_) return silent();
    reason_is_private_ = false;
    auto reply = handle(*m);
    if (reply) return encode(*reply);
    if (on_refusal) on_refusal(reply.error());
    failed_ = reason_is_private_;
    return failed_ ? silent() : refusal(m->round, reply.error().message);
  }

  /// Hears why this office refuses, in full. For its own log.
  std::function<void(const error&)> on_refusal;

  /// The global model after the last opened sum, shared group; empty before `begin`.
  std::span<const float> weights() const noexcept { return weights_; }
  /// What the aggregator keeps from round to round. N010 before `begin`.
  const memory& kept() const {
    require(kept_.has_value(), fault::state, "office ", id_,
            ": asked for what it keeps before its model began");
    return *kept_;
  }
  /// Mean loss of the clients in the last round, by examples; 0 where nobody tells.
  double loss() const noexcept { return loss_; }
  /// The moments that all clients scale by; empty when they do not.
  const moments& scaling() const noexcept { return scaling_; }
  /// Numbers of its updates that lay beyond the range and were cut to it.
  std::size_t clipped() const noexcept { return clipped_; }
  const phase_times& times() const noexcept { return times_; }

 private:
  static encrypted_office_keys<Opener> checked(encrypted_office_keys<Opener> k, std::uint32_t id,
                                               std::size_t least) {
    k.key = certified_key(std::move(k.key), k.certificate, k.authority, "certificate of the Paillier key")
                .value();
    require(id >= 1 && id <= k.offices.size() && k.offices.offices()[id - 1].key == k.signing.public_key(),
            fault::argument, "office ", id, ": its signing key is not enrolled under this number");
    require(k.offices.size() >= least, fault::argument, "encrypted federation: ", k.offices.size(),
            " offices, sums of fewer than ", least, " are not opened");
    k.opener.check(k.certificate.says, id, k.offices.size());
    return k;
  }

  /// The sum that this office has encrypted numbers for.
  struct pending_sum {
    packed_header header;                 ///< of its own update
    digest own{};                         ///< of all bytes of its own update
    digest agreed{};                      ///< of what all offices of the sum must go by
    std::optional<ciphertexts<Arch>> sum; ///< when it has given its share
    digest list{};                        ///< of all updates of the sum
  };

  /// What it has to say in its present state, to one list of offices: it trains, and pays, once for each state.
  struct contribution {
    std::vector<sum_member> members;
    packing how;
    secret_integers integers;
  };

  result<message> handle(const message& m) {
    return detail::or_error(concat("office ", id_, ": "), [&] { return reply_to(m); });
  }

  result<message> reply_to(const message& m) {
    switch (m.kind) {
      case message_kind::ask_schema:
        return ask_schema(m);
      case message_kind::agree:
        return agree_without_sum(m);
      case message_kind::architecture:
        return build(m);
      case message_kind::begin:
        return begin(m);
      case message_kind::ask_sum:
        return encrypt_numbers(m);
      case message_kind::ask_share:
        return share(m);
      case message_kind::open:
        return open(m);
      default:
        return error::of(fault::message, "office ", id_, ": message kind ", static_cast<unsigned>(m.kind),
                         " is none that an encrypted federation has: what it asks for would leave in clear");
    }
  }

  /// What the office behind this one answers; nothing of it leaves but by what follows.
  result<message> ask_inner(message_kind kind, std::uint32_t round, std::vector<std::byte> body,
                            message_kind expected) {
    auto reply =
        decode_message(inner_->answer(encode(message{kind, inner_schema_, round, 0, std::move(body)})));
    if (reply && reply->kind == message_kind::refusal) {
      reason_is_private_ = true;
      return error{fault::message, std::string(text_of(reply->body))};
    }
    if (reply && reply->kind != expected)
      return error::of(fault::message, "office ", id_, ": answered itself kind ",
                       static_cast<unsigned>(reply->kind), ", expected ", static_cast<unsigned>(expected));
    return reply;
  }

  /// The schema as it was before it was scaled, however often it is asked for.
  result<message> ask_schema(const message& m) {
    if (schema_.empty()) {
      auto reply = ask_inner(m.kind, m.round, {}, message_kind::schema);
      if (!reply) return reply;
      auto described = decode_schema(reply->body);
      if (!described) return described.error();
      rows_ = described->rows;
      features_ = std::move(described->schema.features);
      clear_schema_ = inner_schema_ = reply->schema_hash;
      schema_ = std::move(reply->body);
    }
    return make(message_kind::schema, m, schema_);
  }

  /// No sum for the scaling: there is none, or it was agreed on before this process began.
  result<message> agree_without_sum(const message& m) {
    if (!m.body.empty())
      return error::of(fault::message, "office ", id_,
                       ": was sent a scaling in clear, it takes one from an encrypted sum");
    if (scaled_ || (terms_.standardise && scaling_.values.empty()))
      return error::of(fault::message, "office ", id_, ": asked to go on without a sum for the scaling, it ",
                       scaled_ ? "has scaled its columns" : "was told to scale its columns");
    if (auto agreed = agree_on(scaling_); !agreed) return agreed.error();
    return make(message_kind::agreed, m, {});
  }

  status agree_on(const moments& all) {
    const auto reply = ask_inner(message_kind::agree, 0, encode_numbers(std::span<const double>(all.values)),
                                 message_kind::agreed);
    if (!reply) return reply.error();
    inner_schema_ = reply->schema_hash;
    scaled_ = true;
    return nothing{};
  }

  result<message> build(const message& m) {
    if (auto early = before_begin(m); !early) return early.error();
    auto reply = ask_inner(m.kind, m.round, m.body, message_kind::ready);
    if (!reply) return reply;
    const auto description = parse_json(text_of(m.body), "architecture");
    if (!description) return description.error();
    auto model = read_network(*description, "architecture");
    if (!model) return model.error();
    model_ = std::move(*model);
    architecture_ = sha256(m.body);
    return make(message_kind::ready, m, std::move(reply->body));
  }

  /// A model is begun once: another one, or the same from the start, would make sums that can be subtracted.
  status before_begin(const message& m) const {
    if (weights_.empty()) return nothing{};
    return error::of(fault::leak, "office ", id_, ": got message kind ", static_cast<unsigned>(m.kind),
                     " after its model had begun");
  }

  result<message> begin(const message& m) {
    if (auto early = before_begin(m); !early) return early.error();
    const auto seed = decode_number(m.body, "begin");
    if (!seed) return seed.error();
    if (!model_)
      return error::of(fault::message, "office ", id_,
                       ": asked for first weights before it was sent a model");
    const auto first = initialise<float>(*model_, *seed);
    require(taken_up_.empty() || taken_up_.size() == first.shared().size(), fault::shape, "office ", id_,
            ": goes on with ", taken_up_.size(), " weights, the model has ", first.shared().size());
    weights_.assign(first.shared().begin(), first.shared().end());
    if (!taken_up_.empty()) weights_ = std::move(taken_up_);
    if (!kept_) kept_ = form_.remember(weights_.size());
    return make(message_kind::begun, m, encode_number(weights_.size()));
  }

  result<message> encrypt_numbers(const message& m) {
    auto members = decode_members(m.body);
    if (!members) return members.error();
    if (auto fits = check_members(*members, m.round); !fits) return fits.error();
    pending_.reset();
    last_sum_ = m.round; // a number is used once, whatever comes of it
    if (!prepared_) {
      reason_is_private_ = true;
      contribution one{.members = std::move(*members), .how = {}, .integers = {}};
      if (auto made = scaled_ ? prepare_update(one) : prepare_moments(one); !made) return made.error();
      prepared_ = std::move(one);
    } else if (prepared_->members != *members) {
      return error::of(fault::leak, "office ", id_,
                       ": asked for its numbers again, for other offices than before");
    }

    const thread_stopwatch watch;
    pending_sum sum;
    sum.agreed = agreed();
    const auto& how = prepared_->how;
    sum.header = {.how = how,
                  .numbers = prepared_->integers.size(),
                  .ciphertexts = how.plaintexts(prepared_->integers.size()),
                  .round = m.round,
                  .client = id_,
                  .key = keys_.key.fingerprint()};
    secret_words words(sum.header.ciphertexts * how.words());
    reason_is_private_ = true;
    if (auto made = pack<Arch>(how, {cohort_, m.round, id_}, prepared_->integers, words); !made)
      return made.error();
    const auto encrypted = encryptor_.encrypt(words, source_);
    const auto& evaluator = encryptor_.evaluator();
    std::vector<std::uint64_t> numbers(encrypted.size() * evaluator.cipher_words());
    evaluator.write(encrypted, numbers);
    auto bytes = encode_encrypted(sum.header, bytes_of_words(numbers), cohort_, sum.agreed, keys_.signing);
    times_.encrypting += watch.seconds();
    sum.own = sha256(bytes);
    pending_ = std::move(sum);
    return make(message_kind::encrypted, m, std::move(bytes));
  }

  /// What offices must have in common for their numbers to be added: members and rows, who is enrolled, the model
  /// and its weights. Goes into the tags of headers and is not sent: the server could try guesses.
  digest agreed() const {
    sha256_stream all;
    all.update(encode_members(prepared_->members)).update(keys_.offices.fingerprint()).update(architecture_);
    byte_writer state;
    state.put(rounds_).put(static_cast<std::uint8_t>(scaled_)).put(inner_schema_);
    all.update(state.view()).update(std::as_bytes(std::span<const float>(weights_)));
    return all.finish();
  }

  status check_members(std::span<const sum_member> members, std::uint32_t number) const {
    if (last_sum_ && number <= *last_sum_)
      return error::of(fault::message, "office ", id_, ": asked for sum ", number, " after sum ", *last_sum_,
                       "; a sum is asked for once");
    if (!scaled_ && !(terms_.standardise && scaling_.values.empty()))
      return error::of(fault::message, "office ", id_, ": asked for moments, its scaling needs none");
    // Asked again from the same weights it would send the same numbers, into another sum of other offices.
    if (pending_ && pending_->sum)
      return error::of(fault::leak, "office ", id_, ": asked for sum ", number, " before sum ",
                       pending_->header.round, ", which it has helped to open, was sent to it");
    if (scaled_ && weights_.empty())
      return error::of(fault::message, "office ", id_, ": asked to train before it has weights");
    if (members.size() < least_ || members.size() > keys_.offices.size())
      return error::of(fault::leak, "office ", id_, ": a sum of ", members.size(),
                       " offices, it takes part in sums of ", least_, " to ", keys_.offices.size());
    if (members.back().client > keys_.offices.size())
      return error::of(fault::message, "office ", id_, ": a sum with client ", members.back().client, ", ",
                       keys_.offices.size(), " are enrolled");
    const auto self = std::ranges::find(members, id_, &sum_member::client);
    if (self == members.end() || self->rows != rows_)
      return error::of(fault::message, "office ", id_, ": has ", rows_, " rows, the sum counts ",
                       self == members.end() ? 0 : self->rows, " for it");
    return nothing{};
  }

  status prepare_moments(contribution& out) {
    auto reply =
        ask_inner(message_kind::ask_moments, 0, encode_number(rows_of(out.members)), message_kind::moments);
    if (!reply) return reply.error();
    const auto values = decode_numbers<double>(reply->body, "moments");
    wipe(std::span(reply->body));
    if (!values) return values.error();
    out.how = wide_numbers::packing_for(keys_.key.bits(), offices());
    out.integers.resize(wide_numbers::pieces * values->size());
    if (auto fits = check_moments(*values, features_); !fits)
      return error::of(fits.error().kind, "office ", id_, ": ", fits.error().message);
    for (std::size_t i = 0; i < values->size(); ++i)
      wide_numbers::split((*values)[i], &out.integers[wide_numbers::pieces * i]);
    return nothing{};
  }

  status prepare_update(contribution& out) {
    const thread_stopwatch watch;
    auto reply = ask_inner(message_kind::train, rounds_, encode_order(rows_of(out.members), weights_),
                           encrypted_form<A>::reply);
    if (!reply) return reply.error();
    times_.training += watch.seconds();
    out.how = form_.packing_for(keys_.key.bits(), offices(), out.members);
    const auto cut = form_.template write<Arch>(*reply, out.how, out.integers);
    wipe(std::span(reply->body));
    if (!cut) return cut.error();
    clipped_ += *cut;
    return nothing{};
  }

  /// Its share of opening the sum of these updates, if they are what may be opened.
  result<message> share(const message& m) {
    if (!pending_ || pending_->header.round != m.round || pending_->sum)
      return error::of(fault::leak, "office ", id_, ": asked to open sum ", m.round,
                       "; it opens the last sum that it took part in, once");
    const thread_stopwatch watch;
    const auto pieces = decode_pieces(m.body, keys_.offices.size(), "updates of a sum");
    if (!pieces) return pieces.error();
    auto sum = sum_of(*pieces);
    if (!sum) return sum.error();
    times_.checking += watch.seconds();
    const thread_stopwatch sharing;
    pending_->list = sha256(m.body);
    pending_->sum = std::move(*sum);
    const auto mine = keys_.opener.share(*pending_->sum);
    auto box = shut_box(cohort_.box_key(), box_context(id_), mine, source_);
    times_.sharing += sharing.seconds();
    return make(message_kind::opening_share, m, std::move(box));
  }

  /// The sum of the updates of the clients that this office was told of, every one authentic and its own as it
  /// was sent.
  result<ciphertexts<Arch>> sum_of(std::span<const std::span<const std::byte>> pieces) {
    const auto& members = prepared_->members;
    if (pieces.size() != members.size())
      return error::of(fault::leak, "office ", id_, ": asked to open a sum of ", pieces.size(),
                       " updates, it took part in one of ", members.size());
    std::optional<ciphertexts<Arch>> sum;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto update = authentic_update(pieces[i], keys_.offices, cohort_, pending_->agreed);
      if (!update) return update.error();
      if (update->header.client != members[i].client)
        return error::of(fault::leak, "office ", id_, ": update ", i, " of the sum is of client ",
                         update->header.client, ", expected ", members[i].client);
      if (auto same = check_same_sum(pending_->header, update->header); !same) return same.error();
      if (update->header.client == id_ && sha256(update->whole) != pending_->own)
        return error::of(fault::leak, "office ", id_, ": its own update in the sum is not the one it sent");
      auto numbers = read_ciphertexts(encryptor_.evaluator(), *update);
      if (!numbers) return numbers.error();
      if (sum)
        encryptor_.evaluator().add_to(*sum, *numbers);
      else
        sum = std::move(*numbers);
    }
    return std::move(*sum);
  }

  /// What a share is good for: this sum of these updates, from this office.
  std::vector<std::byte> box_context(std::uint32_t office) const {
    byte_writer out;
    out.put(pending_->header.round).put(office).put(pending_->agreed).put(pending_->list);
    return std::move(out).take();
  }

  result<message> open(const message& m) {
    if (!pending_ || pending_->header.round != m.round || !pending_->sum)
      return error::of(fault::message, "office ", id_, ": sent shares of sum ", m.round,
                       ", which it does not open");
    const thread_stopwatch watch;
    const auto boxes = decode_pieces(m.body, keys_.offices.size(), "shares of a sum");
    if (!boxes) return boxes.error();
    std::vector<opening_part> parts;
    for (std::size_t i = 0; i < boxes->size(); ++i) {
      if ((*boxes)[i].empty()) continue; // of an office that is gone
      const auto office = static_cast<std::uint32_t>(i + 1);
      auto part = open_box(cohort_.box_key(), box_context(office), (*boxes)[i], "share of a sum");
      if (!part)
        return error::of(part.error().kind, part.error().message, " (office ", office,
                         "): it opens another sum, or offices were told different things");
      parts.push_back({office, std::move(*part)});
    }
    if (const auto needed = keys_.opener.needed(prepared_->members.size()); parts.size() < needed)
      return error::of(fault::message, "office ", id_, ": got the parts of ", parts.size(),
                       " offices in a sum, ", needed, " are needed");
    reason_is_private_ = true;
    const auto opened = keys_.opener.open(*pending_->sum, parts);
    if (!opened) return opened.error();
    std::vector<std::uint32_t> cohort;
    for (const auto& one : prepared_->members) cohort.push_back(one.client);
    secret_integers sums(pending_->header.numbers);
    if (auto good =
            unpack_sum<Arch>(pending_->header.how, cohort_, m.round, cohort, *opened, std::span(sums));
        !good)
      return good.error();
    if (auto applied = scaled_ ? step(sums) : scale(sums); !applied) return applied.error();
    pending_.reset();
    prepared_.reset();
    times_.opening += watch.seconds();
    return make(message_kind::opened, m, {});
  }

  status scale(std::span<const std::int64_t> sums) {
    moments all = moments::none(features_.size());
    require(sums.size() == wide_numbers::pieces * all.values.size(), fault::shape, "office ", id_, ": ",
            sums.size(), " sums for ", features_.size(), " columns");
    for (std::size_t i = 0; i < all.values.size(); ++i)
      all.values[i] = wide_numbers::join(&sums[wide_numbers::pieces * i]);
    if (terms_.least_deviation > 0) all.raise_deviations_to(terms_.least_deviation);
    if (auto agreed = agree_on(all); !agreed) return agreed;
    scaling_ = std::move(all);
    return nothing{};
  }

  status step(std::span<const std::int64_t> sums) {
    const auto loss = form_.apply(sums, pending_->header.how, prepared_->members, weights_, *kept_);
    if (!loss) return loss.error();
    loss_ = *loss;
    ++rounds_;
    return nothing{};
  }

  std::uint32_t offices() const noexcept { return static_cast<std::uint32_t>(keys_.offices.size()); }

  /// Every answer names the schema as it was before it was scaled, which the server knows.
  message make(message_kind kind, const message& request, std::vector<std::byte> body) const {
    return {kind, clear_schema_, request.round, id_, std::move(body)};
  }
  std::vector<std::byte> refusal(std::uint32_t round, std::string_view why) const {
    return detail::encode_refusal(clear_schema_, round, id_, why);
  }

  std::uint32_t id_;
  std::unique_ptr<participant> inner_;
  encrypted_form<A> form_;
  std::size_t least_; ///< fewest offices in a sum that it opens
  encrypted_office_keys<Opener> keys_;
  encrypted_terms terms_;
  cohort_key cohort_;
  system_random source_;
  paillier_encryptor<encryption::certified, Arch> encryptor_;

  std::vector<std::byte> schema_;
  digest architecture_{};
  std::uint64_t clear_schema_ = 0, inner_schema_ = 0; ///< before and after scaling
  std::vector<std::string> features_;
  std::uint64_t rows_ = 0;
  std::vector<float> taken_up_;
  std::optional<memory> kept_;
  std::optional<network> model_;
  std::vector<float> weights_;
  std::uint32_t rounds_ = 0;
  bool scaled_ = false;
  moments scaling_;
  std::optional<std::uint32_t> last_sum_;
  std::optional<contribution> prepared_;
  std::optional<pending_sum> pending_;
  bool reason_is_private_ = false, failed_ = false;
  double loss_ = 0;
  std::size_t clipped_ = 0;
  phase_times times_;
};

} // namespace privet
