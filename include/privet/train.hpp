#pragma once
// Everything in train/. Written by tools/generate_floor_headers.

#include <privet/train/ditto.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/fed_rep.hpp>
#include <privet/train/fine_tuning.hpp>
#include <privet/train/gradient_share.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/local_training.hpp>
#include <privet/train/metrics.hpp>
#include <privet/train/multiplied_step.hpp>
#include <privet/train/paired_counts.hpp>
#include <privet/train/personalise.hpp>
#include <privet/train/predictor.hpp>
#include <privet/train/private_local_training.hpp>
#include <privet/train/roc.hpp>
#include <privet/train/step.hpp>
#include <privet/train/theorem.hpp>
#include <privet/train/trainer.hpp>
#include <privet/train/update_average.hpp>
#include <privet/train/update_share.hpp>
#include <privet/train/user_level_training.hpp>
