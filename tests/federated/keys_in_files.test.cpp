// Whoever has the key of the noise takes it off. So the keys must be in nothing that a run writes.
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/rows.hpp"

#include <privet/core/sha256.hpp>
#include <privet/federated/checkpoint.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/report.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/ledger_file.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace privet;
namespace fs = std::filesystem;

namespace {

using key = privet::detail::stream_seed; // eight words

/// Every key that a stream of noise ever had.
std::vector<key> keys;

struct recorded_stream : privet::detail::chacha20_stream {
  template <class Target>
  static void make(key& seed, std::span<std::uint32_t, written> out) noexcept {
    keys.push_back(seed);
    chacha20_stream::make<Target>(seed, out);
    keys.push_back(seed);
  }
};
struct known_entropy {
  void operator()(std::span<std::uint32_t, 8> out) const {
    for (std::uint32_t i = 0; i < 8; ++i) out[i] = 0x9E3779B9u * (i + 1) ^ 0xC2B2AE35u;
  }
};
/// `system_random`, with keys that this test knows.
class known_source : private privet::detail::fast_key_erasure_rng<recorded_stream, known_entropy> {
 public:
  static constexpr bool is_secret = true;
  known_source() = default;
  using fast_key_erasure_rng::fill;
};
static_assert(SecretRandomSource<known_source>);

std::string base64(std::span<const unsigned char> bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const unsigned char b : bytes) {
    held = held << 8 | b;
    for (bits += 8; bits >= 6; bits -= 6) out += digits[held >> (bits - 6) & 63];
  }
  if (bits > 0) out += digits[held << (6 - bits) & 63];
  return out;
}

/// How each 8 bytes of a key would look in a file. None of them has less than 60 bits, so in ten million places
/// a file that knows no key holds one with probability below 10^-8.
std::vector<std::string> disguises(const key& k) {
  std::vector<std::string> out;
  for (std::size_t half = 0; half < 4; ++half) {
    std::array<unsigned char, 8> bytes;
    std::memcpy(bytes.data(), k.data() + 2 * half, 8);
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), 8);
    const std::string raw(reinterpret_cast<const char*>(bytes.data()), 8);
    out.push_back(raw);
    out.emplace_back(raw.rbegin(), raw.rend());
    for (const std::string& text : {raw, std::string(raw.rbegin(), raw.rend())}) {
      std::string digits = hex(std::as_bytes(std::span(text)));
      out.push_back(digits);
      std::ranges::transform(digits, digits.begin(), [](char c) { return c >= 'a' ? c - 'a' + 'A' : c; });
      out.push_back(digits);
    }
    out.push_back(concat(number));
    out.push_back(concat(k[2 * half], ",", k[2 * half + 1]));
    // Base64 after a number of bytes that is 0, 1 or 2 modulo 3: the digits that follow from these alone.
    for (std::size_t before = 0; before < 3; ++before) {
      std::vector<unsigned char> moved(before);
      moved.insert(moved.end(), bytes.begin(), bytes.end());
      const std::string all = base64(moved);
      const std::size_t first = (8 * before + 5) / 6, last = 8 * moved.size() / 6;
      std::string part = all.substr(first, last - first);
      out.push_back(part);
      std::ranges::replace(part, '+', '-'), std::ranges::replace(part, '/', '_');
      out.push_back(part);
    }
  }
  return out;
}

/// The files below a folder that hold one of these.
std::set<std::string> files_with(const fs::path& folder, const std::vector<std::string>& wanted) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_text(entry.path()).value();
    for (const auto& one : wanted)
      if (text.find(one) != text.npos) found.insert(entry.path().filename().string());
  }
  return found;
}

/// A private federation of two, and every file that the library can write of it.
void run_into(const fs::path& folder, known_source& noise) {
  const sequential model{dense<4, 40>{}, relu{}, dense<40, 3>{}};
  const auto test_rows = test::rows_of(300, 4, 3, 9);
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{},
                           gaussian{.noise_multiplier = 4}.drawn_from(noise), sgd{.learning_rate = 0.3});
  ledger book = create_ledger(folder / "office.ledger", {.data = sha256("rows"),
                                                         .unit = privacy_unit::example,
                                                         .delta = 1e-5,
                                                         .epsilon = 20,
                                                         .filter = zcdp_filter{2, 1e-13}})
                    .value();
  const auto pay = [&](const privacy_event& e, std::string_view what) -> status {
    return book.debit(e, std::string(what));
  };
  const offices two{model,
                    {test::rows_of(300, 4, 3, 1), test::rows_of(300, 4, 3, 2)},
                    private_recipe<std::remove_const_t<decltype(steps)>>{
                        steps, {.rate = 0.2}, 4, pay, private_moments{.noise_multiplier = 10, .bound = 6}},
                    3};
  aggregation_server server(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  server.run(two, in_process{.threads = 1}, rounds{4});

  const auto weights = server.weights_for(model);
  const auto scores = evaluate(model, weights, standardiser::from(server.scaling()).apply(test_rows));
  run_record record{.title = "two offices", .settings = {{"seed", "3"}}, .classes = test_rows.schema.classes};
  record.federated = {.name = "federated",
                      .accuracy = scores.confusion.accuracy(),
                      .log_loss = scores.log_loss,
                      .confusion = scores.confusion,
                      .curve = {0.5, scores.confusion.accuracy()}};
  record.parameters = weights.shared().size();
  record.privacy = {{"unit", "one row"}, {"epsilon", concat(book.spent().epsilon.upper)}};
  const checkpoint state{network(model),
                         server.weights_for(network(model)),
                         4,
                         {{"scaling", server.scaling().values}, {"ledger", hex(book.head().last)}}};
  save_checkpoint(folder / "checkpoint.safetensors", state).value();
  write_file_atomically(folder / "model.safetensors", write_weights(model, weights)).value();
  write_file_atomically(folder / "report.html", html_report(record)).value();
  write_file_atomically(folder / "record.json", json_text(to_json(record))).value();
  write_file_atomically(folder / "run.jsonl", json_text(round_line({.round = 4, .accuracy = 0.5})) + '\n')
      .value();
}

} // namespace

TEST_CASE("no file of a private federation holds a key of its noise, in any writing") {
  const scratch_folder here;
  keys.clear();
  known_source noise;
  run_into(here.path(), noise);
  REQUIRE(keys.size() >= 20);
  key first;
  known_entropy{}(first);
  CHECK(keys.front() == first);
  CHECK(std::distance(fs::directory_iterator(here.path()), {}) == 6);

  std::vector<std::string> wanted;
  for (const auto& k : keys)
    for (auto& text : disguises(k)) wanted.push_back(std::move(text));
  CHECK(files_with(here.path(), wanted).empty());

  // A leak would be found: each writing of a quarter of the last key, in the middle of each file.
  const auto leaks = disguises(keys.back());
  for (const auto& entry : fs::directory_iterator(here.path())) {
    const std::string name = entry.path().filename().string(), text = read_text(entry.path()).value();
    const scratch_folder planted;
    for (const auto& leak : leaks) {
      INFO(name);
      planted.write(name, text.substr(0, text.size() / 2) + leak + text.substr(text.size() / 2));
      CHECK(files_with(planted.path(), wanted) == std::set{name});
    }
  }
}

TEST_CASE("a key of the noise is recognised as others would write it") {
  const key k = {0x03020100, 0x07060504, 0x0B0A0908, 0x0F0E0D0C, 0, 1, 2, 0xFFFFFFFF};
  const scratch_folder here;
  const auto found = [&](std::string_view text) {
    here.write("file", text);
    return !files_with(here.path(), disguises(k)).empty();
  };
  CHECK(found("xx0001020304050607yy"));     // hexadecimal, byte by byte
  CHECK(found("08090A0B0C0D0E0F"));         // in capitals
  CHECK(found("0706050403020100"));         // as a number
  CHECK(found("506097522914230528"));       // in decimal
  CHECK(found("[0,1,2,4294967295]"));       // as JSON of words
  CHECK(found("AAECAwQFBgcICQoLDA0ODw==")); // Base64 of 16 bytes
  CHECK(found("eAABAgMEBQYHCAkKCwwNDg8=")); // and after one byte
  CHECK(found("eHgAAQIDBAUGBwgJCgsMDQ4P")); // and after two
  CHECK_FALSE(found("000102030405060 7, AAECAwQFB gcICQ, 50609752291423052"));
}
