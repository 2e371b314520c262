#pragma once
// Everything in privacy/. Written by tools/generate_floor_headers.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/fft.hpp>
#include <privet/privacy/frequency_estimate.hpp>
#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/privacy/gdp.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/loss_lattice.hpp>
#include <privet/privacy/loss_part.hpp>
#include <privet/privacy/loss_profile.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/privacy_loss.hpp>
#include <privet/privacy/private_coin.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/privacy/zcdp.hpp>
