#pragma once
// Everything, for experiments. Written by tools/generate_floor_headers.

#include <privet/core.hpp>
#include <privet/simd.hpp>
#include <privet/random.hpp>
#include <privet/nn.hpp>
#include <privet/optim.hpp>
#include <privet/data.hpp>
#include <privet/crypto.hpp>
#include <privet/privacy.hpp>
#include <privet/train.hpp>
#include <privet/federated.hpp>
