#pragma once
// One object that every mechanism debits before its result leaves.

#include <privet/core/result.hpp>
#include <privet/privacy/ledger_filter.hpp>
#include <privet/random/fork_generation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// Well-formed by the table of RFC 3629, section 4.
inline bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned lead = at(i);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 4
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 4;
    if (more == 4 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const unsigned least = k > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      const unsigned most = k > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
      if (at(i + k) < least || at(i + k) > most) return false;
    }
    i += more + 1;
  }
  return true;
}

} // namespace detail

/// One line of a ledger.
struct ledger_entry {
  enum class type {
    debit,       ///< uses of a mechanism
    reservation, ///< uses to come; they count in full unless a settlement follows
    settlement,  ///< so many uses of a reservation were made, the rest never will be
    torn         ///< a line found unfinished; its event counts if it could be read
  };
  type kind = type::debit;
  std::uint64_t index = 0;            ///< 1 for the first
  std::uint64_t session = 1;          ///< grows by one with every opening that writes
  std::optional<privacy_event> event; ///< of debits, reservations and some torn lines
  std::uint64_t reservation = 0;      ///< settlement: the index of what it settles
  std::uint64_t used = 0;             ///< settlement: uses that were made
  std::string what;                   ///< what the result was for
  std::string time;                   ///< as the caller gave it; the library reads no clock
};

/// How far a ledger has come. A checkpoint stores it, so that an older copy of the ledger is refused.
struct ledger_head {
  std::uint64_t count = 0; ///< entries
  digest last{};           ///< SHA-256 of the last of them, or of the first line; zeros in memory
  bool operator==(const ledger_head&) const = default;

  std::string text() const { return concat(count, ':', hex(last)); } ///< "12:9f86..."
};

/// What has been spent, and in which sense.
struct ledger_spending {
  enum class basis_type {
    nothing, ///< no use was made
    used,    ///< of what was used, which no result had a say in
    declared ///< of all that the filter lets through: results may have chosen what was used
  };
  privacy_bounds epsilon;
  double delta = 0;
  privacy_unit unit = privacy_unit::example;
  neighbours relation = neighbours::add_remove;
  basis_type basis = basis_type::nothing;

  /// One sentence for reports: bound, delta, unit, relation and basis.
  std::string sentence() const {
    const std::string_view one = name_of(unit);
    const std::string apart = relation == neighbours::add_remove ? concat("one ", one, " more or fewer")
                              : relation == neighbours::replace_one
                                  ? concat("one ", one, " exchanged for any other")
                                  : concat("one ", one, " contributing nothing");
    return concat("epsilon at most ", epsilon.upper, " at delta ", delta, " for one ", one,
                  " (neighbours: ", apart, "), ",
                  basis == basis_type::nothing ? "nothing was used"
                  : basis == basis_type::used  ? "for what was used of a schedule fixed in advance"
                                               : "as declared in advance, whatever was used of it");
  }
};

/// Terms, entries and balance together: what a ledger knows, and what reading one gives.
class ledger_state {
 public:
  explicit ledger_state(ledger_terms terms) : balance_(std::move(terms)) {}

  const ledger_terms& terms() const noexcept { return balance_.terms(); }
  const ledger_balance& balance() const noexcept { return balance_; }
  const std::vector<ledger_entry>& entries() const noexcept { return entries_; }
  std::uint64_t last_session() const noexcept { return entries_.empty() ? 0 : entries_.back().session; }

  /// Counts the next entry.
  ///
  /// Errors  N010: an index or session out of order, an event that does not fit, a settlement without its
  ///         open reservation in the same session or of more than was reserved. Nothing is changed then.
  status apply(ledger_entry e, std::string_view place) {
    if (e.index != entries_.size() + 1)
      return error::of(fault::state, place, ": got entry ", e.index, ", expected ", entries_.size() + 1);
    if (e.session < std::max<std::uint64_t>(last_session(), 1))
      return error::of(fault::state, place, ": got session ", e.session, ", expected at least ",
                       std::max<std::uint64_t>(last_session(), 1));
    if (e.kind == ledger_entry::type::settlement) {
      const auto found = std::ranges::find(open_, e.reservation, &open_reservation::index);
      if (found == open_.end() || found->session != e.session)
        return error::of(fault::state, place, ": settles entry ", e.reservation,
                         ", which is no reservation open in session ", e.session);
      if (e.used > found->event.count)
        return error::of(fault::state, place, ": settles ", e.used, " uses of entry ", e.reservation,
                         ", which reserved ", found->event.count);
      if (auto back = balance_.give_back(found->event, found->event.count - e.used, found->then, place);
          !back)
        return back;
      open_.erase(found);
    } else if (e.event) {
      if (auto fits = balance_.fits(*e.event, place); !fits) return fits;
      if (e.session != last_session()) open_.clear(); // they stay spent for good
      balance_.take(*e.event);
      if (e.kind == ledger_entry::type::reservation)
        open_.push_back({e.index, e.session, *e.event, balance_.uses()});
    }
    entries_.push_back(std::move(e));
    return nothing{};
  }

  /// Throws N011 when `pld_accountant` has no bound for a schedule.
  ledger_spending spent() const {
    using basis = ledger_spending::basis_type;
    const ledger_terms& t = terms();
    ledger_spending out{{0, 0, true}, t.delta, t.unit, t.relation, basis::nothing};
    if (balance_.uses() == 0) return out;
    const auto* schedule = std::get_if<schedule_filter>(&t.filter);
    if (schedule && schedule->stop == stop_rule::public_only) {
      pld_accountant so_far;
      for (const auto& e : balance_.used_events()) so_far.compose(e);
      out.epsilon = so_far.epsilon(t.delta), out.basis = basis::used;
    } else {
      out.epsilon = t.bound(), out.basis = basis::declared;
    }
    return out;
  }

  /// A bound on the privacy loss so far that holds at any stop, even one that results have chosen: with
  /// probability at most delta, the loss of the mechanisms that the events name exceeds it. Nothing under a
  /// schedule.
  ///
  /// Formula   the filters of 1, 1/2, 1/4 ... 2^-19 of the budget run beside one another, each with delta /
  ///           20; the smallest that has not stopped answers with its tail bound
  /// Source    odometers: Rogers and others, arXiv:1605.08294; tails: Markov's inequality on
  ///           exp((order - 1) loss), for zCDP at the best order as in Bun, Steinke, arXiv:1605.02065,
  ///           Proposition 1.3
  /// Privacy   a bound on the loss, which is not the epsilon of `spent`
  std::optional<double> odometer() const {
    const ledger_terms& t = terms();
    if (std::holds_alternative<schedule_filter>(t.filter)) return std::nullopt;
    if (balance_.uses() == 0) return 0;
    constexpr int levels = 20;
    const double all_off = balance_.distance_budget() * (1 + detail::ledger_slack);
    if (all_off >= t.delta) return std::nullopt;
    const double log_odds = std::log(levels / (t.delta - all_off)),
                 all = balance_.budget() * (1 + detail::ledger_slack);
    int level = 0;
    while (level + 1 < levels && balance_.used() <= std::ldexp(all, -level - 1)) ++level;
    const double share = std::ldexp(all, -level);
    const auto* r = std::get_if<renyi_filter>(&t.filter);
    return r ? share + log_odds / (r->order - 1) : share + 2 * std::sqrt(share * log_odds);
  }

 private:
  struct open_reservation {
    std::uint64_t index, session;
    privacy_event event;
    std::uint64_t then; // all uses, these included
  };
  ledger_balance balance_;
  std::vector<ledger_entry> entries_;
  std::vector<open_reservation> open_;
};

/// Where entries go before a debit returns.
class ledger_journal {
 public:
  virtual ~ledger_journal() = default;
  /// Returns only when the entry would survive a power cut. After an error nothing more is appended.
  virtual status append(const ledger_entry& e) = 0;
  virtual ledger_head head() const = 0;
  virtual std::string place() const = 0; ///< a name for errors
};

/// Uses that are paid for and not yet made. Not settled, they stay spent.
class reservation {
 public:
  reservation(reservation&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        entry_(other.entry_),
        reserved_(std::exchange(other.reserved_, 0)),
        used_(std::exchange(other.used_, 0)),
        generation_(other.generation_) {}
  reservation& operator=(reservation&& other) noexcept {
    reservation moved(std::move(other));
    std::swap(owner_, moved.owner_), std::swap(entry_, moved.entry_), std::swap(reserved_, moved.reserved_);
    std::swap(used_, moved.used_), std::swap(generation_, moved.generation_);
    return *this;
  }

  std::uint64_t used() const noexcept { return used_; }
  std::uint64_t left() const noexcept { return reserved_ - used_; }

  /// To be called before the mechanism runs. False, and nothing is taken, when fewer are left, or in a forked
  /// child, whose parent may use the same ones.
  [[nodiscard]] bool draw(std::uint64_t uses = 1) {
    if (uses > left() || generation_ != fork_generation()) return false;
    used_ += uses;
    return true;
  }

 private:
  friend class ledger;
  reservation(const void* owner, std::uint64_t entry, std::uint64_t reserved)
      : owner_(owner), entry_(entry), reserved_(reserved), generation_(fork_generation()) {}

  const void* owner_;
  std::uint64_t entry_, reserved_, used_ = 0, generation_;
};

/// The account of one data set and one kind of unit.
///
/// Ensures   `debit` and `reserve` return success only after their entry is in the journal, and so, for a
///           file (ledger_file.hpp), on disk. What does not fit is refused and leaves no trace.
/// Requires  one thread at a time
/// Privacy   docs/privacy/ledger.md: what `spent` means under each filter
/// Test      tests/privacy/ledger.test.cpp
class ledger {
 public:
  /// In memory, for simulations and tests: forgotten with the object. Throws as `ledger_terms::check`.
  explicit ledger(ledger_terms terms) : ledger(checked(std::move(terms)), nullptr) {}

  /// On top of what a journal holds already.
  ledger(ledger_state state, std::unique_ptr<ledger_journal> journal)
      : inside_(std::make_unique<inside>(
            inside{std::move(state), std::move(journal), 0, fork_generation(), std::nullopt})) {
    inside_->session = inside_->state.last_session() + 1;
  }

  const ledger_terms& terms() const noexcept { return inside_->state.terms(); }
  const std::vector<ledger_entry>& entries() const noexcept { return inside_->state.entries(); }
  ledger_spending spent() const { return inside_->state.spent(); }
  std::optional<double> odometer() const { return inside_->state.odometer(); }
  ledger_head head() const {
    return inside_->journal ? inside_->journal->head() : ledger_head{entries().size(), {}};
  }

  /// Whether a debit of this event would be made; the error says why not.
  ///
  /// Errors  N010: the budget is spent (both numbers), another relation, not what the schedule declares, a
  ///         forked child. N002: the journal failed before. Throws as `privacy_event::check`.
  status may(const privacy_event& e) const {
    const std::string at = place();
    if (auto sound = usable(at); !sound) return sound;
    return inside_->state.balance().fits(e, at);
  }

  /// Pays for the uses of `e`. Only then may their results leave.
  ///
  /// Errors  as `may`, and then nothing is written; N002 when the journal fails: the debit then counts, no
  ///         result may leave, and nothing more is debited through this object. Throws N001 for a purpose of
  ///         more than 1000 bytes, or that is not UTF-8.
  status debit(const privacy_event& e, std::string_view what, std::string_view time = {}) {
    return enter(ledger_entry::type::debit, e, what, time);
  }

  /// Pays for all uses of `e` at once, for steps that must not wait for the disk one by one.
  ///
  /// Ensures  after a crash all of them are spent; after `settle` those that were drawn
  result<reservation> reserve(const privacy_event& e, std::string_view what, std::string_view time = {}) {
    if (auto done = enter(ledger_entry::type::reservation, e, what, time); !done) return done.error();
    return reservation(inside_.get(), entries().size(), e.count);
  }

  /// Writes down how many uses were drawn and gives the others back. The reservation is empty afterwards.
  ///
  /// Errors  N001: of another ledger, or settled before. N010: uses were left and later ones came in a
  ///         schedule that is in order, or a forked child; the reservation then stays spent in full. N002 as
  ///         `debit`.
  status settle(reservation& r) {
    const std::string at = place();
    if (r.owner_ != inside_.get())
      return error::of(fault::argument, at, ": got a reservation that is not open here, expected one of ",
                       entries().size(), " entries");
    if (auto sound = usable(at); !sound) return sound;
    ledger_entry e;
    e.kind = ledger_entry::type::settlement;
    e.reservation = r.entry_, e.used = r.used_;
    r.owner_ = nullptr, r.reserved_ = r.used_;
    return write(std::move(e), at);
  }

 private:
  struct inside {
    ledger_state state;
    std::unique_ptr<ledger_journal> journal; // none in memory
    std::uint64_t session, generation;
    std::optional<error> broken;
  };

  static ledger_state checked(ledger_terms terms) {
    terms.check();
    return ledger_state(std::move(terms));
  }
  std::string place() const { return inside_->journal ? inside_->journal->place() : "ledger"; }

  status usable(std::string_view at) const {
    if (inside_->generation != fork_generation())
      return error::of(fault::state, at,
                       ": this process is a copy made by fork(); the parent keeps the ledger");
    if (inside_->broken) return *inside_->broken;
    return nothing{};
  }

  status enter(ledger_entry::type kind, const privacy_event& event, std::string_view what,
               std::string_view time) {
    require(what.size() <= 1000 && time.size() <= 100, fault::argument, "ledger: got a purpose of ",
            what.size(), " and a time of ", time.size(), " bytes, expected at most 1000 and 100");
    require(detail::is_utf8(what) && detail::is_utf8(time), fault::argument,
            "ledger: got a purpose or a time that is not UTF-8");
    const std::string at = place();
    if (auto sound = usable(at); !sound) return sound;
    ledger_entry e;
    e.kind = kind, e.event = event, e.what = what, e.time = time;
    return write(std::move(e), at);
  }

  status write(ledger_entry e, std::string_view at) {
    e.index = entries().size() + 1;
    e.session = inside_->session;
    if (auto counted = inside_->state.apply(std::move(e), at); !counted) return counted;
    if (!inside_->journal) return nothing{};
    // Whatever happens from here on, an exception included, the entry counts.
    inside_->broken =
        error::of(fault::state, at, ": an earlier entry was interrupted; open the ledger again");
    if (auto kept = inside_->journal->append(entries().back()); !kept) {
      inside_->broken = kept.error();
      return kept;
    }
    inside_->broken.reset();
    return nothing{};
  }

  std::unique_ptr<inside> inside_;
};

} // namespace privet
