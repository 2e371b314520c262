#pragma once
// Where a federation can be taken up again: one file, replaced in one step.

#include <privet/nn/weights.hpp>

#include <cstdint>
#include <string>

namespace privet {

/// The global model after some rounds. Clients keep nothing from one round to the next, so weights
/// and round number are all there is; `run` is the program's own: settings, results so far.
struct checkpoint {
  network model;
  parameters<float> weights;
  std::uint64_t rounds_done = 0;
  json run;
};

/// Errors: N002 when the file cannot be written; what was there before is then still there.
inline status save_checkpoint(const std::filesystem::path& path, const checkpoint& c) {
  return write_file_atomically(
      path, write_weights(c.model, c.weights,
                          {{"privet.rounds_done", concat(c.rounds_done)}, {"privet.run", json_text(c.run)}}));
}

/// Errors: N002 for a file that cannot be read, N004 and N010 for one that is no checkpoint.
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
  return checkpoint{std::move(*model), std::move(*weights), *rounds, std::move(*run)};
}

} // namespace privet
