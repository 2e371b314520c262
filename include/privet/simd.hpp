#pragma once
// Everything in simd/. Written by tools/generate_floor_headers.

#include <privet/simd/arch.hpp>
#include <privet/simd/chacha20.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/isa.hpp>
#include <privet/simd/philox.hpp>
#include <privet/simd/reduce.hpp>
