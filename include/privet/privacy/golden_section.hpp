#pragma once
// The lowest point of a valley.

namespace privet::detail {

/// Where a function is least, as far as the search came.
struct valley_floor {
  double at, value;
};

/// The lower of the last two points of a golden section search in [a, b], which keeps a share 0.618 of the
/// interval each time. `f` has one valley there; where it has more, what is found is one of its values still.
template <class F>
valley_floor golden_section(F f, double a, double b, int times) {
  constexpr double golden = 0.6180339887498949;
  double c = b - golden * (b - a), d = a + golden * (b - a), fc = f(c), fd = f(d);
  for (int i = 0; i < times; ++i) {
    if (fc < fd) {
      b = d, d = c, fd = fc, c = b - golden * (b - a), fc = f(c);
    } else {
      a = c, c = d, fc = fd, d = a + golden * (b - a), fd = f(d);
    }
  }
  return fc < fd ? valley_floor{c, fc} : valley_floor{d, fd};
}

} // namespace privet::detail
