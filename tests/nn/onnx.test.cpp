#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/nn/onnx.hpp>
#include <privet/nn/tied.hpp>

#include "fixtures/onnx_models.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include <sys/wait.h>

using namespace privet;
namespace oracle = privet::test::onnx_models;

namespace {

/// An activation that says itself what it is.
struct leaky : activation<leaky> {
  template <class B>
  static B apply(const B& x) noexcept {
    return simd::select(x < B(0), B(x * B(0.125f)), x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return simd::select(y < B(0), B(dy * B(0.125f)), dy);
  }
  template <class Graph>
  void write_onnx(Graph& g) const {
    g.put(g.node("LeakyRelu", {g.any()}, {{"alpha", 0.125}}));
  }
};

/// x + 2 relu(x), by two branches that meet.
struct bent : activation<bent> {
  template <class B>
  static B apply(const B& x) noexcept {
    return x + B(2) * simd::positive_part(x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return simd::select(y > B(0), B(dy * B(3)), dy);
  }
  template <class Graph>
  void write_onnx(Graph& g) const {
    const auto fork = g.here();
    g.inner("positive", relu{});
    const auto twice = g.node("Mul", {g.any(), g.constant("two", {1}, {2.f})});
    g.go(fork);
    g.put(g.node("Add", {g.any(), twice}));
  }
};

/// A layer that does not.
struct silent : activation<silent> {
  template <class B>
  static B apply(const B& x) noexcept {
    return x;
  }
  template <class B>
  static B derivative(const B& dy, const B&) noexcept {
    return dy;
  }
};

/// A layer that names a tensor it has not.
struct mistaken : silent {
  template <class Graph>
  void write_onnx(Graph& g) const {
    g.put(g.node("Mul", {g.any(), g.tensor("scale")}));
  }
};

/// 20 outputs and 4: weights by input and by output in memory.
const sequential rows{dense<5, 20>{}, relu{},        dropout{0.5}, dense<20, 4>{},
                      tanh_layer{},   dense<4, 3>{}, sigmoid{}};
const sequential pictures{conv2d<image{2, 9, 8}, 4, window{3, 2, 1, 1}, 2>{},
                          relu{},
                          max_pool<image{4, 9, 9}, window{3, 3, 2, 1}>{},
                          conv2d<image{4, 5, 5}, 3, window{2, 2, 1, 0}>{},
                          tanh_layer{},
                          avg_pool<image{3, 4, 4}, window{3, 3, 1, 1}>{},
                          flatten{},
                          dense<48, 3>{}};
const sequential own{dense<3, 6>{}, leaky{}, bent{}, dense<6, 2>{}};
const sequential blocks{residual{conv2d<>{image{1, 4, 4}, 1, window{3, 3, 1, 1}}, tanh_layer{},
                                 shortcut{conv2d<>{image{1, 4, 4}, 1, window{1, 1}}}},
                        residual{conv2d<>{image{1, 4, 4}, 1, window{3, 3, 1, 1}}, relu{},
                                 residual{conv2d<>{image{1, 4, 4}, 1, window{3, 3, 1, 1}}}},
                        relu{},
                        flatten{},
                        residual{tanh_layer{}, dense<>{16, 16}},
                        dense<>{16, 3}};

const sequential normal{conv2d<>{image{2, 4, 4}, 4, window{3, 3}},
                        group_norm<image{4, 2, 2}, 2>{},
                        relu{},
                        batch_norm<image{4, 2, 2}>{}.frozen({{0.5f, -0.25f, 0, 1}, {0.5f, 2, 0, 1}}),
                        flatten{},
                        layer_norm<16>{},
                        dense<>{16, 3}};

/// All states and the last ones; hidden widths that differ from those that are read.
const sequential steps{lstm<4, 3, 5>{}, gru<4, 5, 6, 2>{}, dense<12, 2>{}};
const sequential words{embedding<5, 9, 3>{}, gru<5, 3, 4>{}, lstm<5, 4, 2, 1>{}, dense<2, 2>{}};

/// Each initialiser once, read by two nodes.
const auto shared =
    tie(tie(sequential{conv2d<>{image{2, 4, 4}, 2, window{3, 3, 1, 1}}, relu{},
                       conv2d<>{image{2, 4, 4}, 2, window{3, 3, 1, 1}}, flatten{}, dense<32, 8>{},
                       tanh_layer{}, dense<8, 8>{}, tanh_layer{}, dense<8, 8>{}, dense<8, 3>{}},
            {0, 2}),
        {6, 8});

/// Weights that every target writes the same: multiples of 1 / 256.
template <class T = float>
parameters<T> weights(const auto& model) {
  auto p = model.template make_parameters<T>();
  for (std::size_t i = 0; i < p.trained().size(); ++i)
    p.trained()[i] = static_cast<T>(static_cast<int>(i * 7919 % 201) - 100) / 256;
  return p;
}

std::vector<std::byte> rows_file() {
  return write_onnx(rows, weights(rows), {.name = "rows", .metadata = {{"made", "for a test"}}}).value();
}
std::vector<std::byte> pictures_file() {
  return write_onnx(pictures, weights(pictures), {.input_shape = {2, 9, 8}, .softmax = true}).value();
}
std::vector<std::byte> flat_pictures_file() { return write_onnx(pictures, weights(pictures)).value(); }
std::vector<std::byte> own_file() { return write_onnx(own, weights(own)).value(); }
std::vector<std::byte> blocks_file() { return write_onnx(blocks, weights(blocks)).value(); }
std::vector<std::byte> normal_file() { return write_onnx(normal, weights(normal)).value(); }

std::vector<std::byte> steps_file() { return write_onnx(steps, weights(steps)).value(); }
std::vector<std::byte> words_file() { return write_onnx(words, weights(words), {.name = "words"}).value(); }

std::vector<std::byte> shared_file() { return write_onnx(shared, weights(shared)).value(); }

std::vector<std::byte> committed(std::string_view name) {
  return read_file(std::filesystem::path(PRIVET_PROJECT_ROOT) / "tests/fixtures/onnx" / name).value();
}

/// Inputs that every target makes the same, as tests/oracles/onnx_models.py does: numbers, or words.
std::vector<float> inputs(std::size_t count, std::size_t of_words = 0) {
  std::vector<float> x;
  for (std::size_t i = 0; i < count; ++i)
    x.push_back(of_words ? static_cast<float>(i * 37 % of_words)
                         : static_cast<float>(static_cast<int>(i * 37 % 129) - 64) / 64);
  return x;
}

template <class Model>
std::vector<float> outputs_of(const Model& model, bool softmax, std::size_t of_words = 0) {
  constexpr std::size_t many = 3;
  const auto x = inputs(many * model.in_width(), of_words);
  auto memory = model.template make_tape<float>(many);
  const auto p = weights(model);
  model.forward(std::span<const float>(p.trained()), many, x.data(), memory);
  const float* const y = memory.output(model.depth() - 1);
  std::vector<float> out(y, y + many * model.out_width());
  for (std::size_t r = 0; softmax && r < many; ++r) {
    const auto row = std::span(out).subspan(r * model.out_width(), model.out_width());
    double sum = 0;
    for (const float v : row) sum += std::exp(static_cast<double>(v));
    for (float& v : row) v = static_cast<float>(std::exp(static_cast<double>(v)) / sum);
  }
  return out;
}

double furthest(const std::vector<float>& ours, std::span<const float> theirs) {
  REQUIRE(ours.size() == theirs.size());
  double most = 0;
  for (std::size_t i = 0; i < ours.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i])));
  return most;
}

void write_all(const std::filesystem::path& folder) {
  for (const auto& [name, bytes] :
       {std::pair("rows.onnx", rows_file()), std::pair("pictures.onnx", pictures_file()),
        std::pair("flat_pictures.onnx", flat_pictures_file()), std::pair("own.onnx", own_file()),
        std::pair("blocks.onnx", blocks_file()), std::pair("normal.onnx", normal_file()),
        std::pair("steps.onnx", steps_file()), std::pair("words.onnx", words_file()),
        std::pair("shared.onnx", shared_file())})
    (void)write_file_atomically(folder / name, bytes).value();
}

} // namespace

TEST_CASE("onnx: files are those that onnxruntime has run, to the byte") {
  CHECK(rows_file() == committed("rows.onnx"));
  CHECK(pictures_file() == committed("pictures.onnx"));
  CHECK(flat_pictures_file() == committed("flat_pictures.onnx"));
  CHECK(own_file() == committed("own.onnx"));
  CHECK(blocks_file() == committed("blocks.onnx"));
  CHECK(normal_file() == committed("normal.onnx"));
  CHECK(steps_file() == committed("steps.onnx"));
  CHECK(words_file() == committed("words.onnx"));
  CHECK(shared_file() == committed("shared.onnx"));
}

TEST_CASE("onnx: onnxruntime computes what the model computes") {
  CHECK(furthest(outputs_of(rows, false), oracle::rows) < 2e-6);
  CHECK(furthest(outputs_of(pictures, true), oracle::pictures) < 2e-6);
  CHECK(furthest(outputs_of(pictures, false), oracle::flat_pictures) < 4e-6);
  CHECK(furthest(outputs_of(own, false), oracle::own) < 2e-6);
  CHECK(furthest(outputs_of(blocks, false), oracle::blocks) < 2e-6);
  CHECK(furthest(outputs_of(normal, false), oracle::normal) < 2e-6);
  CHECK(furthest(outputs_of(steps, false), oracle::steps) < 2e-6);
  CHECK(furthest(outputs_of(words, false, 9), oracle::words) < 2e-6);
  CHECK(furthest(outputs_of(shared, false), oracle::shared) < 2e-6);
}

TEST_CASE("onnx: a network writes the file of its sequential, and doubles are rounded to float") {
  const network same(rows);
  CHECK(write_onnx(same, weights(same), {.name = "rows", .metadata = {{"made", "for a test"}}}).value() ==
        rows_file());
  const network also(pictures);
  CHECK(write_onnx(also, weights(also)).value() == flat_pictures_file());
  CHECK(write_onnx(own, weights<double>(own)).value() == own_file());
  // Layers that stay on the device lie elsewhere in memory and at their place in the file.
  const auto kept = keep_local(pictures, {0});
  auto p = kept.make_parameters();
  const auto first = weights(pictures);
  const std::size_t moved = 2 / 2 * 3 * 2 * 4 + 4, rest = first.trained().size() - moved;
  std::ranges::copy(first.trained().first(moved), p.trained().begin() + static_cast<std::ptrdiff_t>(rest));
  std::ranges::copy(first.trained().subspan(moved), p.trained().begin());
  CHECK(write_onnx(kept, p).value() == flat_pictures_file());
}

TEST_CASE("onnx: a layer that does not say what it is, is named") {
  const sequential model{dense<3, 6>{}, silent{}, dense<6, 2>{}};
  const auto unknown = write_onnx(model, weights(model));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind == fault::unsupported);
  CHECK(unknown.error().message.starts_with("[N011 unsupported] write_onnx: layer 1 ("));
  CHECK(unknown.error().message.find("silent)") != std::string::npos);
  const sequential wrong{dense<3, 6>{}, mistaken{}};
  CHECK(write_onnx(wrong, weights(wrong)).error().message ==
        "[N001 argument] write_onnx: no tensor 'scale' among those of the layer");

  CHECK(write_onnx(own, weights(rows)).error().message ==
        concat("[N003 shape] write_onnx: ", weights(rows).trained().size(), " parameters, the model has ",
               weights(own).trained().size()));
  CHECK(write_onnx(own, weights(own), {.input_shape = {2, 2}}).error().message ==
        "[N003 shape] write_onnx: an input shape of 4 values, the model reads 3");
}

// PRIVET_ONNX_OUT=tests/fixtures/onnx writes the files that tests/oracles/onnx_models.py then runs.
TEST_CASE("onnx: write the fixtures", "[.][oracle]") {
  const char* const folder = std::getenv("PRIVET_ONNX_OUT");
  REQUIRE(folder);
  write_all(folder);
}

TEST_CASE("onnx: onnxruntime runs the files of today, where it is installed", "[slow]") {
  const std::filesystem::path root = PRIVET_PROJECT_ROOT, peers = root / "build/peers-onnx";
  if (!std::filesystem::exists(peers / "onnxruntime")) {
    WARN("skipped: onnxruntime is not in build/peers-onnx; tests/oracles/onnx_models.py says how to get it");
    return;
  }
  const scratch_folder folder;
  write_all(folder.path());
  const std::string command =
      concat("python3 '", (root / "tests/oracles/onnx_models.py").string(), "' check '",
             folder.path().string(), "' >'", (folder.path() / "said").string(), "' 2>&1");
  const int status = std::system(command.c_str());
  INFO(read_text(folder.path() / "said").value());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    WARN("skipped: this python3 does not load the onnxruntime of build/peers-onnx");
    return;
  }
  CHECK(status == 0);
}
