#pragma once
// Everything in data/. Written by tools/generate_floor_headers.

#include <privet/data/accelerometer.hpp>
#include <privet/data/arff.hpp>
#include <privet/data/augment.hpp>
#include <privet/data/bitmap.hpp>
#include <privet/data/cifar.hpp>
#include <privet/data/csv.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/fourier_line.hpp>
#include <privet/data/heart_disease.hpp>
#include <privet/data/idx.hpp>
#include <privet/data/image_folder.hpp>
#include <privet/data/lines.hpp>
#include <privet/data/partition.hpp>
#include <privet/data/pnm.hpp>
#include <privet/data/poisson.hpp>
#include <privet/data/records.hpp>
#include <privet/data/rows_by_group.hpp>
#include <privet/data/sampler.hpp>
#include <privet/data/scattering.hpp>
#include <privet/data/schema.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/uci_har.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/data/wisdm_features.hpp>
