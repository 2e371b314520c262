#pragma once
// Everything in data/. Written by tools/generate_floor_headers.

#include <privet/data/arff.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/lines.hpp>
#include <privet/data/schema.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/data/wisdm_features.hpp>
