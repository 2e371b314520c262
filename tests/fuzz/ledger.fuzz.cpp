// Any bytes are read or refused as a ledger. What was read and written again is the same account, and
// more bytes never make an earlier debit undone.
#include <privet/privacy/ledger_text.hpp>

#include <cstdlib>

using namespace privet;

namespace {

bool same(const ledger_log& a, const ledger_log& b) {
  return a.digests == b.digests && a.state.entries().size() == b.state.entries().size() &&
         a.state.balance().uses() == b.state.balance().uses() &&
         a.state.balance().used() == b.state.balance().used();
}

/// The log as a ledger would write it.
std::string written(const ledger_log& log) {
  std::string text = detail::ledger_text(log.state.terms());
  digest last = sha256(text.substr(0, text.size() - detail::seal_length));
  text += '\n';
  for (const auto& e : log.state.entries()) {
    const std::string line = detail::ledger_text(e, last);
    last = sha256(line.substr(0, line.size() - detail::seal_length));
    text += line + '\n';
  }
  return text;
}

void check(std::string_view text) {
  const auto log = parse_ledger(text, "fuzz");
  if (!log) {
    if (log.error().message.find("fuzz:") == std::string::npos) std::abort(); // no line is named
    return;
  }
  if (log->whole + log->torn != text.size()) std::abort();
  const auto again = parse_ledger(written(*log), "fuzz");
  if (!again) std::abort();
  // The members of a line may come in another order, which is another digest, but the account is the same.
  const auto twice = parse_ledger(written(*again), "fuzz");
  if (!twice || !same(*again, *twice) || again->state.balance().uses() != log->state.balance().uses() ||
      again->state.balance().used() != log->state.balance().used())
    std::abort();
  (void)log->state.odometer();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(input);

  // Digests keep the fuzzer out of the lines, so the input is also tried as lines without theirs.
  std::string text;
  digest last{};
  for (std::string_view left = input; !left.empty();) {
    const auto end = std::min(left.find('\n'), left.size());
    std::string body(left.substr(0, end));
    if (!text.empty()) body += concat(",\"previous\":\"", hex(last), '"');
    last = sha256(body);
    text += detail::sealed_line(body) + '\n';
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  check(text);
  if (text.size() > 40) check(std::string_view(text).substr(0, text.size() - 40));
  return 0;
}
