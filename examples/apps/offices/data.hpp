#pragma once
// The rows of a run: read or generated, split into people to train on and people to test on, and
// shared out among the offices.

#include "settings.hpp"

#include <privet/data/accelerometer.hpp>
#include <privet/data/csv.hpp>
#include <privet/data/partition.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/uci_har.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/federated/offices.hpp>

#include <vector>

namespace apps {

struct study {
  std::vector<privet::dataset<float>> offices;
  privet::dataset<float> train, test;
  std::vector<std::string> notes;
};

inline privet::accelerometer_options world_of(const settings& s) {
  return {.wearers = s.wearers, .windows_per_wearer = s.windows, .regions = s.offices};
}

inline privet::dataset<float> read_rows(const settings& s) {
  using namespace privet;
  if (s.kind == "synthetic") return synthetic_accelerometer(world_of(s), s.seed);
  if (s.kind == "wisdm") return wisdm::read(s.data).value();
  if (s.kind == "uci-har") return uci_har::read(s.data).value();
  csv::options options;
  if (!s.label.empty()) options.label_column = s.label;
  if (!s.group.empty()) options.group_column = s.group;
  return csv::read(s.data, options).value();
}

/// People to test on are never people to train on: every fourth generated wearer, the official nine
/// subjects of UCI HAR, a quarter of the users or groups otherwise. A CSV file without a group
/// column is split by rows, and the report says so.
inline privet::train_test<float> split_study(const settings& s, privet::dataset<float> all,
                                             std::vector<std::string>& notes) {
  using namespace privet;
  replayable_random source(s.seed, stream_id(purpose::split));
  if (all.groups.empty()) {
    require(!s.validate, fault::argument, "--validate needs data that names the person or site of a row");
    notes.push_back(
        "The file names no groups, so rows were split at random: a person with several rows may be on both "
        "sides.");
    return split_rows_ignoring_groups(all, 0.25, source);
  }
  std::vector<std::int32_t> held_out;
  if (s.kind == "synthetic")
    for (const auto wearer : groups_of(all))
      if (wearer % 4 == 3) held_out.push_back(wearer);
  if (s.kind == "uci-har")
    for (const auto subject : groups_of(all))
      if (std::ranges::count(uci_har::test_subjects, subject)) held_out.push_back(subject);
  require(s.kind != "uci-har" || held_out.size() == uci_har::test_subjects.size(), fault::argument, s.data,
          ": has ", held_out.size(), " of the nine test subjects of UCI HAR");
  auto split = held_out.empty() ? split_groups(all, 0.25, source)
                                : split_by_groups(all, std::span<const std::int32_t>(held_out));
  if (s.validate) { // the test people leave before anything is chosen by looking
    notes.push_back("Tested on a quarter of the training people, who were not trained on.");
    split = split_groups(split.train, 0.25, source);
  }
  refuse_overlap(split.train, split.test);
  return split;
}

/// The rows of each class are dealt in turn to the offices that name it.
inline privet::partition share_labels(std::span<const std::int32_t> labels, std::size_t classes,
                                      const std::vector<std::vector<std::size_t>>& named) {
  using namespace privet;
  std::vector<std::vector<std::size_t>> takers(classes);
  for (std::size_t k = 0; k < named.size(); ++k)
    for (const auto label : named[k]) {
      require(label < classes, fault::argument, "--partition labels: office ", k + 1, " has class ", label,
              ", the data has ", classes);
      takers[label].push_back(k);
    }
  partition parts(named.size());
  std::vector<std::size_t> turn(classes);
  for (std::uint32_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    require(!takers[label].empty(), fault::argument, "--partition labels: no office has class ", label);
    parts[takers[label][turn[label]++ % takers[label].size()]].push_back(i);
  }
  return parts;
}

inline std::vector<std::vector<std::uint32_t>> share_out(const settings& s,
                                                         const privet::dataset<float>& train) {
  using namespace privet;
  replayable_random source(s.seed, stream_id(purpose::partitioning));
  if (s.partition == "stratified") return partition_stratified(train.labels, s.offices);
  if (s.partition == "majority") return partition_majority_label(train.labels, s.offices, 0.8, source);
  if (s.partition.starts_with("labels"))
    return share_labels(train.labels, train.classes(), labels_of(s.partition));
  if (s.partition == "pick-two") return partition_pick_two(train.labels, s.offices, source);
  if (s.partition == "subject") {
    require(!train.groups.empty(), fault::argument,
            "--partition subject: the data names no subjects (a CSV file does with --group COLUMN)");
    if (s.kind != "synthetic") return partition_by_group(train.groups, s.offices);
    // Generated wearers live in regions, and each region is an office.
    const auto world = world_of(s);
    std::vector<std::vector<std::uint32_t>> parts(s.offices);
    for (std::uint32_t i = 0; i < train.rows(); ++i)
      parts[world.region_of(static_cast<std::size_t>(train.groups[i]))].push_back(i);
    return parts;
  }
  double alpha = 0;
  const auto number = s.partition.substr(s.partition.find(':') + 1);
  std::from_chars(number.data(), number.data() + number.size(), alpha);
  return partition_dirichlet(train.labels, s.offices, alpha, source);
}

/// Constants that the columns of WISDM stay within, by what they are: shares of samples, m/s^2, milliseconds
/// between peaks. Rows that are not looked at have them too.
inline double public_bound(std::string_view column) {
  if (column.ends_with("PEAK")) return 1000;
  if (column.ends_with("DEV")) return 10;
  return column.ends_with("AVG") || column == "RESULTANT" ? 20 : 1;
}

inline void divide_by_public_bounds(privet::dataset<float>& data) {
  for (std::size_t r = 0; r < data.rows(); ++r) {
    const auto x = privet::row(data.features, r);
    for (std::size_t c = 0; c < x.size(); ++c)
      x[c] /= static_cast<float>(public_bound(data.schema.features[c]));
  }
}

inline study load_study(const settings& s) {
  using namespace privet;
  study out;
  auto rows = read_rows(s);
  if (s.is_private() && (s.kind == "synthetic" || s.kind == "wisdm")) {
    divide_by_public_bounds(rows);
    out.notes.push_back("Columns were divided by constants of the features, which no row had a say in.");
  }
  auto split = split_study(s, std::move(rows), out.notes);
  out.train = std::move(split.train);
  out.test = std::move(split.test);
  out.offices = split_by(out.train, share_out(s, out.train));
  if (const auto missing = out.train.missing(), tested = out.test.missing();
      missing + tested > 0 && !s.is_private())
    out.notes.push_back(
        concat(missing, " missing values in training rows and ", tested,
               " in test rows were replaced by the mean of the training rows they are scaled by."));
  for (std::size_t k = 0; k < out.offices.size() && !s.is_private(); ++k) { // one row may decide it
    const auto counts = out.offices[k].class_counts();
    for (std::size_t c = 0; c < counts.size(); ++c)
      if (counts[c] == 0)
        out.notes.push_back(
            concat("Office ", k + 1, " has no row of class '", out.train.schema.classes[c], "'."));
  }
  return out;
}

} // namespace apps
