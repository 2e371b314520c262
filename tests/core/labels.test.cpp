#include "support/catch.hpp"

#include <privet/core/labels.hpp>

#include <memory>
#include <vector>

using namespace privet;

namespace {

struct scheme {};
using raw_rows = raw<unit::example>;
using bounded_sum = bounded<norm::l2, unit::user>;
using share = noise_share<measure::zcdp, unit::site>;
using released_sum = released<measure::pure, unit::example>;

static_assert(Raw<raw_rows> && Bounded<bounded_sum> && NoiseShare<share> && Released<released_sum>);
static_assert(Sealed<sealed<scheme, share>> && Sealed<sealed<scheme, sealed<scheme, raw_rows>>>);

// No label is two things at once, and nothing else is a label.
template <class L>
constexpr int kinds = Raw<L> + Bounded<L> + NoiseShare<L> + Released<L> + Sealed<L>;
static_assert(kinds<raw_rows> == 1 && kinds<bounded_sum> == 1 && kinds<share> == 1 &&
              kinds<released_sum> == 1);
static_assert(kinds<sealed<scheme, released_sum>> == 1);
static_assert(!Label<int> && !Label<unit::user> && !Label<const raw_rows>);

static_assert(Unit<unit::example> && Unit<unit::user> && Unit<unit::site> && !Unit<norm::l2>);

// A label knows its unit, norm, measure, and a seal what lies inside.
static_assert(std::same_as<raw_rows::unit, unit::example>);
static_assert(std::same_as<bounded_sum::norm, norm::l2> && std::same_as<bounded_sum::unit, unit::user>);
static_assert(std::same_as<share::measure, measure::zcdp> &&
              std::same_as<released_sum::measure, measure::pure>);
static_assert(std::same_as<sealed<scheme, share>::inner, share> &&
              std::same_as<sealed<scheme, share>::unit, unit::site>);
static_assert(std::same_as<sealed<scheme, share>::scheme, scheme>);

// Something that computes its elements when they are read, as a lazy random expression does.
struct lazy {
  double operator()(std::size_t) const { return 0; }
  std::size_t size() const { return 3; }
};
static_assert(Evaluated<double> && Evaluated<std::vector<float>> && !Evaluated<lazy>);

// The label is part of the type: a raw value is not a released one, and neither makes the other.
static_assert(!std::convertible_to<labelled<raw_rows, double>, labelled<released_sum, double>>);
static_assert(!std::constructible_from<labelled<released_sum, double>, labelled<raw_rows, double>>);
static_assert(!std::convertible_to<double, labelled<raw_rows, double>>);
// Nor does a plain value: `label_as` is the one way in.
static_assert(!std::constructible_from<labelled<raw_rows, double>, double> &&
              !std::default_initializable<labelled<raw_rows, double>>);
static_assert(std::same_as<decltype(label_as<raw_rows>(0.5)), labelled<raw_rows, double>>);
static_assert(std::copyable<labelled<raw_rows, double>>);

} // namespace

TEST_CASE("a labelled value is read in place and moved out whole") {
  auto labelled_sum = label_as<bounded_sum>(std::vector<float>{1, 2, 3});
  static_assert(std::same_as<decltype(labelled_sum)::label, bounded_sum>);
  CHECK(labelled_sum.value() == std::vector<float>{1, 2, 3});
  const float* const storage = labelled_sum.value().data();
  const std::vector<float> taken = std::move(labelled_sum).value();
  CHECK(taken.data() == storage);
}

TEST_CASE("a labelled value may be one that only moves") {
  auto owner = label_as<raw_rows>(std::make_unique<int>(7));
  CHECK(*std::move(owner).value() == 7);
}
