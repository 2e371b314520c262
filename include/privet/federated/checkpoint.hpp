#pragma once
// Where a federation can be taken up again: one file, replaced in one step.

#include <privet/nn/weights.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// The global model after some rounds. Clients keep nothing from one round to the next, except on thin links, so
/// weights, round number and what optimiser and uploads remember are all there is; `run` is the program's own:
/// settings, results so far.
struct checkpoint {
  network model;
  parameters<float> weights;
  std::uint64_t rounds_done = 0;
  json run;
  std::vector<float> optimizer{}; ///< the slots of the server's chain, if it has any
  std::vector<float> clients{};   ///< what the uploads of clients in this process remember, one after another
  std::vector<double> average{};  ///< the sum of a tail average, if there is one
};

namespace detail {

/// A list of numbers that stands beside the weights; empty if the file has none of this name.
template <class T>
result<std::vector<T>> read_beside(const safetensors_file& file, std::string_view name,
                                   std::string_view place) {
  std::vector<T> numbers;
  const auto* const kept = file.find(name);
  if (!kept) return numbers;
  if (kept->shape.size() != 1)
    return error::of(fault::shape, place, ": tensor ", in_quotes(name), " is ", shape_text(kept->shape),
                     ", expected one dimension");
  numbers.resize(kept->shape[0]);
  if (const auto copied = kept->copy_to<T>(numbers); !copied) return copied.error();
  return numbers;
}

} // namespace detail

/// Errors: N002 when the file cannot be written; what was there before is then still there.
inline status save_checkpoint(const std::filesystem::path& path, const checkpoint& c) {
  std::vector<tensor_entry> beside;
  if (!c.optimizer.empty())
    beside.push_back(tensor_entry::of<float>("privet.optimizer", {c.optimizer.size()}, c.optimizer));
  if (!c.clients.empty())
    beside.push_back(tensor_entry::of<float>("privet.clients", {c.clients.size()}, c.clients));
  if (!c.average.empty())
    beside.push_back(tensor_entry::of<double>("privet.average", {c.average.size()}, c.average));
  return write_file_atomically(
      path, write_weights(c.model, c.weights,
                          {{"privet.rounds_done", concat(c.rounds_done)}, {"privet.run", json_text(c.run)}},
                          beside));
}

/// Nothing in the file is believed.
///
/// Errors  N002: cannot be read. N004: not a safetensors file, metadata that is not JSON or not what
///         is expected, no tensor of a name that the network needs. N010: a safetensors file without
///         the metadata of a checkpoint. N003: layers that do not fit, a tensor of another shape or
///         type than the network's. N011: an element type, layer or version that this build does not
///         know. N001: a network whose first layer does not know the width of its rows
inline result<checkpoint> load_checkpoint(const std::filesystem::path& path) {
  const auto file = load_safetensors(path);
  if (!file) return file.error();
  const std::string place = path.string();
  const auto read = [&](std::string_view name) -> result<json> {
    const auto found = file->metadata().find(name);
    if (found == file->metadata().end())
      return error::of(fault::state, place, ": no checkpoint of a federation, it lacks ", in_quotes(name));
    return parse_json(found->second, concat(place, ": ", name));
  };
  const auto description = read("privet.network"), done = read("privet.rounds_done");
  auto run = read("privet.run");
  if (!description) return description.error();
  if (!done) return done.error();
  if (!run) return run.error();
  const auto rounds = read_as<std::uint64_t>(*done, concat(place, ": privet.rounds_done"));
  if (!rounds) return rounds.error();
  auto model = read_network(*description, place);
  if (!model) return model.error();
  auto weights = read_weights<float>(*model, *file, place);
  if (!weights) return weights.error();
  auto optimizer = detail::read_beside<float>(*file, "privet.optimizer", place);
  auto clients = detail::read_beside<float>(*file, "privet.clients", place);
  auto average = detail::read_beside<double>(*file, "privet.average", place);
  if (!optimizer) return optimizer.error();
  if (!clients) return clients.error();
  if (!average) return average.error();
  return checkpoint{std::move(*model),   std::move(*weights), *rounds, std::move(*run), std::move(*optimizer),
                    std::move(*clients), std::move(*average)};
}

} // namespace privet
