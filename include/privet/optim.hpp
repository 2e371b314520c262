#pragma once
// Everything in optim/. Written by tools/generate_floor_headers.

#include <privet/optim/adagrad.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/moving_part.hpp>
#include <privet/optim/proximal.hpp>
#include <privet/optim/rate.hpp>
#include <privet/optim/rmsprop.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/optim/yogi.hpp>
