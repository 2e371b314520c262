// The code of docs/core, except formats.md.

#include <privet/core/bytes.hpp>
#include <privet/core/chain.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/result.hpp>
#include <privet/optim/sgd.hpp>

#include <charconv>
#include <cmath>
#include <memory>
#include <vector>

namespace {

using namespace privet;

/// Scales the gradient of one example down to a length.
struct shorten {
  static constexpr stage_role role = stage_role::bound;
  double length = 1;

  template <class T>
  T coefficient(T squared_norm) const {
    const T now = std::sqrt(squared_norm), most = static_cast<T>(length);
    return now > most ? most / now : T{1};
  }
};

/// Replaces the gradient by its running mean.
struct running_mean {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 1; // one number kept per parameter
  double keep = 0.9;

  template <class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const std::span<T> mean = state.slot(0);
    const T old = static_cast<T>(keep), fresh = static_cast<T>(1 - keep);
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = mean[i] = old * mean[i] + fresh * g[i];
  }
};

std::size_t compose() {
  const auto steps =
      chain(shorten{.length = 2}, average_over_batch{}, running_mean{}, sgd{.learning_rate = 0.1});
  static_assert(decltype(steps)::bounds == 1 && decltype(steps)::slots == 2); // one of sgd, for momentum
  static_assert(Raw<decltype(steps)::label<raw<unit::example>>>);
  auto state = steps.init<float>(6406);
  return state.slots.size();
}

std::vector<float> label() {
  using clipped_sum = bounded<norm::l2, unit::example>;
  auto sum = label_as<clipped_sum>(std::vector<float>(6406));
  const float first = sum.value()[0];                // read in place
  std::vector<float> taken = std::move(sum).value(); // or taken out, and the label with it
  taken[0] = first;
  return taken;
}

std::size_t groups() {
  parameters<> p({.shared = 6406, .local = 774});
  const std::span<float> uploaded = p.shared();   // 6,406
  const std::span<float> optimised = p.trained(); // 7,180: shared, then local
  return uploaded.size() + optimised.size();
}

void share_a_table() {
  const auto table = std::make_shared<const aligned_vector<float>>(1'000'000);
  parameters<> one({.frozen = table->size()}), other({.frozen = table->size()});
  one.share_frozen(table);
  other.share_frozen(table); // one table in memory
}

result<int> read_port(std::string_view text) {
  int port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, why] = std::from_chars(text.data(), end, port);
  if (why != std::errc() || stop != end)
    return error::of(fault::format, "port: ", in_quotes(text), " is no number");
  return port;
}

void wait_at(int port) {
  require(port >= 1024, fault::argument, "wait_at: port ", port, ", expected 1024 or more");
}

status open_door(std::string_view text) {
  const auto port = read_port(text);
  if (!port) return port.error(); // passed on; or port.value(), which throws it
  wait_at(*port);
  return nothing{};
}

} // namespace

bool core_pages() {
  share_a_table();
  return open_door("8080") && compose() + groups() > label().size();
}
