#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/numbers.hpp"

#include <privet/federated/checkpoint.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

using namespace privet;
namespace fs = std::filesystem;

namespace {

checkpoint some_checkpoint(std::uint64_t rounds_done = 12) {
  const sequential model{dense<3, 4>{}, relu{}, dropout{0.25}, dense<4, 2>{}};
  checkpoint c{network(model),
               model.make_parameters<float>(),
               rounds_done,
               {{"seed", 7}, {"rate", 0.1}, {"loss", {1.5, 0.25}}, {"name", "Zürich \"4\"\n"}}};
  const auto numbers = test::normals<float>(c.weights.shared().size(), 3);
  std::ranges::copy(numbers, c.weights.shared().begin());
  c.weights.shared()[0] = -0.0f;
  c.weights.shared()[1] = std::numeric_limits<float>::denorm_min();
  c.weights.shared()[2] = -std::numeric_limits<float>::max();
  return c;
}

/// What a hand-made file holds; as it stands, `load_checkpoint` accepts it.
struct parts {
  safetensors_metadata metadata{{"privet.network", json_text(describe(sequential{dense<3, 2>{}}))},
                                {"privet.rounds_done", "5"},
                                {"privet.run", "{\"seed\":7}"}};
  std::vector<float> weight = std::vector<float>(6, 1), bias = std::vector<float>(2, 2);
  std::vector<tensor_entry> tensors{tensor_entry::of<float>("0.weight", {2, 3}, weight),
                                    tensor_entry::of<float>("0.bias", {2}, bias)};

  parts() = default;
  parts(const parts&) = delete; // the entries view the vectors
  std::vector<std::byte> bytes() const { return write_safetensors(tensors, metadata); }
};

/// A folder with one file, and what loading it says.
struct one_file {
  scratch_folder here;
  fs::path path = here.path() / "run.safetensors";

  error refusal() const {
    const auto got = load_checkpoint(path);
    REQUIRE_FALSE(got);
    CHECK(got.error().message.find(path.string()) != std::string::npos);
    return got.error();
  }
  error refusal(std::span<const std::byte> bytes) const {
    (void)write_file_atomically(path, bytes).value();
    return refusal();
  }
  error refusal(const parts& p) const { return refusal(p.bytes()); }
  /// The sentence, with the path written as FILE.
  template <class... From>
  std::string sentence(const From&... from) const {
    std::string text = refusal(from...).message;
    for (auto at = text.find(path.string()); at != text.npos; at = text.find(path.string()))
      text.replace(at, path.string().size(), "FILE");
    return text;
  }
};

std::vector<std::byte> raw_file(std::uint64_t header_bytes, std::string_view rest) {
  byte_writer out;
  out.put(header_bytes).put(rest);
  return std::move(out).take();
}

} // namespace

TEST_CASE("checkpoint: what is saved is loaded, to the bit") {
  const one_file f;
  for (const std::uint64_t rounds : {std::uint64_t{0}, std::uint64_t{12}, ~std::uint64_t{0}}) {
    const auto saved = some_checkpoint(rounds);
    REQUIRE(save_checkpoint(f.path, saved)); // in place of the one before
    const auto loaded = load_checkpoint(f.path).value();
    CHECK(describe(loaded.model) == describe(saved.model));
    CHECK(loaded.weights.sizes() == saved.weights.sizes());
    REQUIRE(loaded.weights.shared().size() == saved.weights.shared().size());
    CHECK(std::memcmp(loaded.weights.shared().data(), saved.weights.shared().data(),
                      saved.weights.shared().size_bytes()) == 0);
    CHECK(loaded.rounds_done == rounds);
    CHECK(loaded.run == saved.run);
  }
  const auto bytes = read_file(f.path).value();
  REQUIRE(save_checkpoint(f.path, load_checkpoint(f.path).value()));
  CHECK(read_file(f.path).value() == bytes);
}

TEST_CASE("checkpoint: `run` may be any JSON, and nothing") {
  const one_file f;
  auto c = some_checkpoint();
  for (const json& run : {json(), json(true), json(0.1), json("text"), json::array(), json::object()}) {
    c.run = run;
    REQUIRE(save_checkpoint(f.path, c));
    CHECK(load_checkpoint(f.path).value().run == run);
  }
}

TEST_CASE("checkpoint: the file made by hand for these tests is a good one") {
  const one_file f;
  const parts good;
  (void)write_file_atomically(f.path, good.bytes()).value();
  const auto loaded = load_checkpoint(f.path).value();
  CHECK(loaded.rounds_done == 5);
  CHECK(loaded.run == json{{"seed", 7}});
  CHECK(loaded.weights.shared()[5] == 1);
  CHECK(loaded.weights.shared()[6] == 2);
}

TEST_CASE("checkpoint: a truncated file is refused wherever it ends") {
  const one_file f;
  (void)write_file_atomically(f.path, parts{}.bytes()).value();
  const auto whole = fs::file_size(f.path);
  const auto header = whole - 8 * sizeof(float) - 8; // 8 numbers follow it, 8 bytes stand before it
  for (auto size = whole; size-- > 0;) {
    fs::resize_file(f.path, size);
    CAPTURE(size);
    REQUIRE(f.refusal().kind == fault::format);
    if (size == whole - 1)
      CHECK(f.sentence() == "[N004 format] FILE: tensor '0.weight' ends at 32, the data at 31");
    if (size == 8 + header - 1)
      CHECK(f.sentence() ==
            concat("[N004 format] FILE: cut short at byte 8: ", header - 1, " left, ", header, " needed"));
    if (size == 7) CHECK(f.sentence() == "[N004 format] FILE: cut short at byte 0: 7 left, 8 needed");
    if (size == 0) CHECK(f.sentence() == "[N004 format] FILE: cut short at byte 0: 0 left, 8 needed");
  }
}

TEST_CASE("checkpoint: a file that is longer than it says is refused") {
  const one_file f;
  auto bytes = parts{}.bytes();
  bytes.push_back(std::byte{0});
  CHECK(f.sentence(bytes) == "[N004 format] FILE: the tensors end at 32, the data at 33");
}

TEST_CASE("checkpoint: a file of another kind is refused by its first bytes") {
  const one_file f;
  const auto of_kind = [&](std::string_view start) {
    const std::string text = std::string(start) + std::string(200, ' ');
    return f.sentence(bytes_of(text));
  };
  // A zip archive, as PyTorch writes: its first eight bytes, read as a length, are far too many.
  CHECK(of_kind({"PK\3\4\0\0\10\10", 8}) ==
        "[N004 format] FILE: header of 578712552184433488 bytes, at most 100000000 are read");
  CHECK(of_kind("\x93NUMPY\1").starts_with("[N004 format] FILE: header of "));
  CHECK(of_kind("{\"weights\": []}").starts_with("[N004 format] FILE: header of "));
  // A believable length before something else.
  CHECK(f.sentence(raw_file(5, "[1,2]")) == "[N004 format] FILE: header does not start with '{'");
  CHECK(f.sentence(raw_file(5, "{1,2}")).starts_with("[N004 format] FILE: "));
  CHECK(f.sentence(raw_file(0, "")) == "[N004 format] FILE: header does not start with '{'");
}

TEST_CASE("checkpoint: weights of another shape than the model's are refused with both shapes") {
  const one_file f;
  parts p;
  const std::vector<float> more(8), fewer(1);
  const tensor_entry weight = p.tensors[0], bias = p.tensors[1];

  p.tensors = {tensor_entry::of<float>("0.weight", {2, 4}, more), bias};
  CHECK(f.sentence(p) == "[N003 shape] FILE: tensor '0.weight' is (2, 4), expected (2, 3)");
  p.tensors = {weight, tensor_entry::of<float>("0.bias", {1}, fewer)};
  CHECK(f.sentence(p) == "[N003 shape] FILE: tensor '0.bias' is (1), expected (2)");
  // As many numbers, in another order.
  p.tensors = {tensor_entry::of<float>("0.weight", {3, 2}, p.weight), bias};
  CHECK(f.sentence(p) == "[N003 shape] FILE: tensor '0.weight' is (3, 2), expected (2, 3)");
  p.tensors = {weight};
  CHECK(f.sentence(p) == "[N004 format] FILE: no tensor '0.bias', which layer 0 reads as (2)");
  p.tensors = {};
  CHECK(f.sentence(p) == "[N004 format] FILE: no tensor '0.weight', which layer 0 reads as (2, 3)");
}

TEST_CASE("checkpoint: metadata that is not JSON is refused by its name") {
  const one_file f;
  for (const std::string name : {"privet.network", "privet.rounds_done", "privet.run"})
    for (const std::string_view text : {"", "{", "seed = 7", "{} {}", "{\"a\": 1, \"a\": 2}", "nan"}) {
      CAPTURE(name, text);
      parts p;
      p.metadata[name] = text;
      CHECK(f.sentence(p).starts_with(concat("[N004 format] FILE: ", name, ": ")));
    }
  parts p;
  p.metadata["privet.run"] = "{\"seed\":7";
  CHECK(f.sentence(p).find("line 1, column 10") != std::string::npos); // where it should go on
}

TEST_CASE(
    "checkpoint: a file without the members of a checkpoint is none, and the first missing one is named") {
  const one_file f;
  for (const std::string name : {"privet.network", "privet.rounds_done", "privet.run"}) {
    parts p;
    p.metadata.erase(name);
    CHECK(f.sentence(p) ==
          concat("[N010 state] FILE: no checkpoint of a federation, it lacks '", name, '\''));
  }
  parts weights_only;
  weights_only.metadata.clear();
  CHECK(f.sentence(weights_only) ==
        "[N010 state] FILE: no checkpoint of a federation, it lacks 'privet.network'");
}

TEST_CASE("checkpoint: members of another kind are refused with what was found and what was expected") {
  const one_file f;
  const auto with = [&](std::string_view name, std::string_view text) {
    parts p;
    p.metadata[std::string(name)] = text;
    return f.sentence(p);
  };
  CHECK(with("privet.rounds_done", "\"5\"") ==
        "[N004 format] FILE: privet.rounds_done: got string, expected integer");
  CHECK(with("privet.rounds_done", "1.5") ==
        "[N004 format] FILE: privet.rounds_done: got number, expected integer");
  CHECK(with("privet.rounds_done", "-1") ==
        "[N004 format] FILE: privet.rounds_done: got -1, outside 0 to 18446744073709551615");

  const auto network_is = [&](std::string_view text) { return with("privet.network", text); };
  CHECK(network_is("[]") == "[N004 format] FILE: got array, expected object");
  CHECK(network_is(R"({"version":1,"layers":[{"type":"relu"}]})") ==
        "[N004 format] FILE: no member 'format'");
  CHECK(network_is(R"({"format":"privet.network","layers":[{"type":"relu"}]})") ==
        "[N004 format] FILE: no member 'version'");
  CHECK(network_is(R"({"format":"privet.network","version":1})") ==
        "[N004 format] FILE: layers must be a list of 1 to 1000");
  const auto layers_are = [&](std::string_view text) {
    return network_is(concat(R"({"format":"privet.network","version":1,"layers":)", text, '}'));
  };
  CHECK(layers_are(R"([{}])") == "[N004 format] FILE: layer 0: no member 'type'");
  CHECK(layers_are(R"([{"type":"dense","in":3}])") == "[N004 format] FILE: layer 0: no member 'out'");
  CHECK(layers_are(R"([{"type":"dense","in":"3","out":2}])") ==
        "[N004 format] FILE: layer 0: in: got string, expected integer");
}

TEST_CASE("checkpoint: a network that this build cannot make is refused by what is wrong with it") {
  const one_file f;
  const auto sentence = [&](std::string_view version, std::string_view layers) {
    parts p;
    p.metadata["privet.network"] =
        concat(R"({"format":"privet.network","version":)", version, R"(,"layers":)", layers, '}');
    return f.sentence(p);
  };
  CHECK(sentence("4", R"([{"type":"relu"}])") ==
        "[N011 unsupported] FILE: 'privet.network' version 4, this build reads 'privet.network' versions 1 to 3");
  CHECK(sentence("1", R"([{"type":"fold"}])") ==
        "[N011 unsupported] FILE: layer 0: unknown layer type 'fold'");
  CHECK(sentence("1", R"([{"type":"dense","in":3,"out":4},{"type":"dense","in":5,"out":2}])") ==
        "[N003 shape] layer 1 cannot read rows 4 wide, which is what the layer before it writes (FILE)");
  CHECK(sentence("1", R"([{"type":"relu"},{"type":"dense","in":3,"out":2}])") ==
        "[N001 argument] sequential: the first layer must know the width of the rows it reads (FILE)");

  const std::string_view header = R"({"w":{"dtype":"F4","shape":[],"data_offsets":[0,0]}})";
  CHECK(f.sentence(raw_file(header.size(), header)) ==
        "[N011 unsupported] FILE: tensor 'w': unknown dtype 'F4'");
}

TEST_CASE("checkpoint: a file that is not there, or a folder, is named with the reason") {
  one_file f;
  CHECK(f.sentence() == "[N002 file] FILE: cannot open: No such file or directory");
  fs::create_directory(f.path);
  CHECK(f.sentence() == "[N002 file] FILE: cannot read: Is a directory");
}

TEST_CASE("checkpoint: where it cannot be written it says so, and the one before stays") {
  const scratch_folder here;
  const auto refused = [](const fs::path& path) {
    const auto saved = save_checkpoint(path, some_checkpoint(2));
    REQUIRE_FALSE(saved);
    CHECK(saved.error().kind == fault::file);
    const std::string& text = saved.error().message;
    const auto start = concat("[N002 file] ", path.string(), ": cannot write: ");
    REQUIRE(text.starts_with(start));
    return text.substr(start.size());
  };
  CHECK(refused(here.path() / "none" / "run") == "No such file or directory");
  CHECK(refused(here.path()) == "Is a directory");

  const fs::path path = here.path() / "run";
  REQUIRE(save_checkpoint(path, some_checkpoint(1)));
  CHECK(refused(path / "run") == "Not a directory");
  if (::geteuid() != 0) { // root may write anywhere
    fs::permissions(here.path(), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(refused(path) == "Permission denied");
    fs::permissions(here.path(), fs::perms::owner_all);
  }
  CHECK(load_checkpoint(path).value().rounds_done == 1);
  CHECK(std::distance(fs::directory_iterator(here.path()), fs::directory_iterator{}) == 1);
}
