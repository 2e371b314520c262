#pragma once

#include <cstddef>
#include <string>

namespace peers {

/// A product of row-major dense matrices; c is (m, n) and k the inner size.
using gemm = void (*)(std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c);

/// Those that a network needs.
struct gemm_forms {
  gemm plain;  ///< c = a b, a (m, k), b (k, n)
  gemm tn;     ///< c = a^T b, a (k, m), b (k, n)
  gemm tn_add; ///< c += a^T b, the same
  gemm nt;     ///< c = a b^T, a (m, k), b (n, k)
};

gemm_forms openblas_gemm();
std::string openblas_name();

gemm_forms eigen_gemm();
std::string eigen_name();

} // namespace peers
