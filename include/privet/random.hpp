#pragma once
// Everything in random/. Written by tools/generate_floor_headers.

#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/discrete_laplace.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/exact_coins.hpp>
#include <privet/random/fork_generation.hpp>
#include <privet/random/init_normal.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/rounded_normal.hpp>
#include <privet/random/skellam.hpp>
#include <privet/random/system.hpp>
#include <privet/random/system_aes.hpp>
