#pragma once
// Everything in privacy/. Written by tools/generate_floor_headers.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/duchi.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/fft.hpp>
#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/frequency_oracle.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/privacy/gdp.hpp>
#include <privet/privacy/golden_section.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/ledger.hpp>
#include <privet/privacy/ledger_filter.hpp>
#include <privet/privacy/ledger_group.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/loss_lattice.hpp>
#include <privet/privacy/loss_part.hpp>
#include <privet/privacy/loss_profile.hpp>
#include <privet/privacy/numeric_mean.hpp>
#include <privet/privacy/piecewise.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/priv_unit.hpp>
#include <privet/privacy/privacy_loss.hpp>
#include <privet/privacy/private_coin.hpp>
#include <privet/privacy/private_moments.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rappor.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/privacy/shuffle.hpp>
#include <privet/privacy/special_functions.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/privacy/zcdp.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <privet/privacy/event_json.hpp>
#include <privet/privacy/ledger_file.hpp>
#include <privet/privacy/ledger_text.hpp>
#endif
