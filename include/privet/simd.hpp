#pragma once
// Everything in simd/. Written by tools/generate_floor_headers.

#include <privet/simd/aes_ctr.hpp>
#include <privet/simd/arch.hpp>
#include <privet/simd/chacha20.hpp>
#include <privet/simd/convolution.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/exponential.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/isa.hpp>
#include <privet/simd/montgomery.hpp>
#include <privet/simd/montgomery_lanes.hpp>
#include <privet/simd/montgomery_tiles.hpp>
#include <privet/simd/noise_grid.hpp>
#include <privet/simd/normal.hpp>
#include <privet/simd/normalise.hpp>
#include <privet/simd/philox.hpp>
#include <privet/simd/quantise.hpp>
#include <privet/simd/reduce.hpp>
#include <privet/simd/ring_gemm.hpp>
#include <privet/simd/rounded_normal.hpp>
#include <privet/simd/shuffle.hpp>
#include <privet/simd/softmax.hpp>
#include <privet/simd/top_k.hpp>
#include <privet/simd/transpose.hpp>
