#include "gemm.hpp"

#include <cblas.h>

namespace peers {

namespace {

template <CBLAS_TRANSPOSE A, CBLAS_TRANSPOSE B, bool Add = false>
void product(std::size_t m, std::size_t k, std::size_t n, const float* a, const float* b, float* c) {
  const auto rows = static_cast<blasint>(m), inner = static_cast<blasint>(k),
             columns = static_cast<blasint>(n);
  cblas_sgemm(CblasRowMajor, A, B, rows, columns, inner, 1.f, a, A == CblasTrans ? rows : inner, b,
              B == CblasTrans ? inner : columns, Add ? 1.f : 0.f, c, columns);
}

} // namespace

gemm_forms openblas_gemm() {
  openblas_set_num_threads(1);
  return {product<CblasNoTrans, CblasNoTrans>, product<CblasTrans, CblasNoTrans>,
          product<CblasTrans, CblasNoTrans, true>, product<CblasNoTrans, CblasTrans>};
}

/// "OpenBLAS 0.3.21 (Cooperlake)": it chooses its kernels when it is loaded.
std::string openblas_name() {
  const std::string all = openblas_get_config(); // "OpenBLAS 0.3.21 NO_AFFINITY ..."
  return all.substr(0, all.find(' ', all.find(' ') + 1)) + " (" + openblas_get_corename() + ")";
}

} // namespace peers
