// privet's side of `./dev bench simulation`:
//   bench_simulation FOLDER ROUNDS THREADS          the task of task.py: prints as the peers do
//   bench_simulation memory CLIENTS ASKED THREADS   what so many virtual clients need beyond the data

#include <privet/core/file.hpp>
#include <privet/federated/simulation.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/random/normal.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>
#include <string>

namespace {

using namespace privet;

constexpr std::size_t clients = 100, rows_each = 20, checked = 3; // as in task.py
const sequential network_a{dense<43, 128>{}, relu{}, dense<128, 6>{}};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

auto recipe(std::size_t batch) {
  return local_sgd{.learning_rate = 0.1, .epochs = 1, .batch = batch}.recipe();
}

dataset<float> rows_of_network_a(std::size_t rows) {
  dataset<float> data;
  for (std::size_t c = 0; c < 43; ++c) data.schema.features.push_back(concat("x", c));
  for (std::size_t k = 0; k < 6; ++k) data.schema.classes.push_back(concat("class ", k));
  data.features = make_matrix<float>(rows, 43);
  data.labels.resize(rows);
  return data;
}

template <class T>
void read(const std::string& path, std::span<T> into) {
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size_bytes()));
  require(file.good() && file.peek() == EOF, fault::file, path, ": not the ", into.size(),
          " numbers of this task");
}

/// Copies weights between the order of files, W (out, in) and bias, and that of the model.
template <class F>
void each_weight(F&& f) {
  std::size_t in_file = 0;
  for (const auto& tensor : network_a.tensors())
    for (std::size_t i = 0; i < tensor.size; ++i) f(in_file++, tensor.offset + tensor.place_of(i));
}

void task(const std::string& folder, std::size_t rounds, std::size_t threads) {
  auto data = rows_of_network_a(clients * rows_each);
  read(folder + "/x.f32", as_span(data.features));
  read(folder + "/y.i32", std::span(data.labels));
  std::vector<float> file(network_a.sizes().shared), start(file.size());
  read(folder + "/start.f32", std::span(file));
  each_weight([&](std::size_t in_file, std::size_t place) { start[place] = file[in_file]; });

  const virtual_clients parts{clients, [](std::uint32_t) { return rows_each; },
                              [](std::uint32_t client, std::span<std::uint32_t> out) {
                                std::iota(out.begin(), out.end(), (client - 1) * std::uint32_t{rows_each});
                              }};
  simulation s{network_a, data, parts, recipe(rows_each), fedavg{}, {.threads = threads}};
  s.restore(start);
  for (std::size_t r = 0; r < checked; ++r) s.round(r);
  each_weight([&](std::size_t in_file, std::size_t place) { file[in_file] = s.weights()[place]; });
  std::ofstream(concat(folder, "/privet-", threads, ".f32"), std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()),
             static_cast<std::streamsize>(file.size() * sizeof(float)));

  const double before = seconds();
  for (std::size_t r = 0; r < rounds; ++r) s.round(checked + r);
  std::printf("result\tprivet\t%.9f\n", (seconds() - before) / static_cast<double>(rounds));
}

/// A line of /proc/self/status, in megabytes.
double megabytes(const char* what) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(what)) return std::stod(line.substr(std::strlen(what))) / 1024;
  return 0;
}

void memory(std::size_t count, std::size_t asked, std::size_t threads) {
  auto data = rows_of_network_a(60'000);
  replayable_random source(1);
  fill_normal(source, as_span(data.features));
  for (std::size_t r = 0; r < data.rows(); ++r) {
    const auto first = row(data.features, r).begin();
    data.labels[r] = static_cast<std::int32_t>(std::max_element(first, first + 6) - first);
  }
  const double before = megabytes("VmRSS:"), start = seconds();
  simulation s{network_a,         data,     virtual_clients::drawn(count, rows_each, data.rows()),
               recipe(rows_each), fedavg{}, {.clients_per_round = asked, .threads = threads}};
  constexpr std::size_t rounds = 10;
  for (std::size_t r = 0; r < rounds; ++r) s.round(r);
  const double each = (seconds() - start) / rounds;
  std::printf("result\t%.1f\t%.1f\t%.9f\n", before, megabytes("VmHWM:") - before, each);
}

} // namespace

int main(int count, char** words) {
  if (count != 4 && count != 5) return std::fprintf(stderr, "bench_simulation: see main.cpp\n"), 2;
  const auto number = [&](int i) { return static_cast<std::size_t>(std::stoull(words[i])); };
  if (count == 5)
    memory(number(2), number(3), number(4));
  else
    task(words[1], number(2), number(3));
}
