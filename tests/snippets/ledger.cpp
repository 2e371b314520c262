// The code of docs/privacy/ledger.md.

#include <privet/privacy/ledger_file.hpp>
#include <privet/privacy/ledger_group.hpp>

#include <cstdio>

using namespace privet;

void keep_account(const digest& fingerprint, std::uint64_t& trained, bool (*stop)()) {
  const privacy_event step{event::subsampled_gaussian{.noise_multiplier = 1.1, .rate = 0.01}, 1};

  ledger_terms terms{.data = fingerprint, // SHA-256 of the rows
                     .unit = privacy_unit::user,
                     .relation = neighbours::add_remove,
                     .delta = 1e-5,
                     .epsilon = 3,
                     .filter = renyi_filter::for_budget(3, 1e-5, step)};
  auto book = open_or_create_ledger("patients.ledger", terms).value();

  auto epoch = step;
  epoch.count = 100;
  while (!stop() && book.may(epoch)) {
    auto paid = book.reserve(epoch, "training").value(); // on disk before the first step
    while (!stop() && paid.draw()) ++trained;            // one step
    (void)book.settle(paid).value();                     // what was not drawn comes back
  }
  std::puts(book.spent().sentence().c_str());
}

status put_together(const ledger& north_book, const ledger& south_book, std::span<const digest> north_ids,
                    std::span<const digest> south_ids) {
  ledger_group group("patient_id");
  if (auto added = group.add("north", north_book, north_ids); !added) return added;
  if (auto added = group.add("south", south_book, south_ids); !added) return added; // N010 if they share one
  std::puts(group.spent().sentence().c_str());
  return nothing{};
}
