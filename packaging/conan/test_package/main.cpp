// An outside program: whatever privet::privet promises must be there without further flags.
#include <privet/core/parameters.hpp>
#include <privet/core/tensor.hpp>
#include <privet/core/version.hpp>

int main() {
  auto rows = privet::make_matrix<float>(2, 3);
  return privet::as_span(rows).size() == 6 ? 0 : 1;
}
