#pragma once
// Everything in federated/. Written by tools/generate_floor_headers.

#include <privet/federated/bulyan.hpp>
#include <privet/federated/class_aware.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/fednova.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/kept_updates.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/phase_times.hpp>
#include <privet/federated/progress.hpp>
#include <privet/federated/q_fedavg.hpp>
#include <privet/federated/ring_consolidation.hpp>
#include <privet/federated/scaffold.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/server_step.hpp>
#include <privet/federated/simulation_clients.hpp>
#include <privet/federated/simulation_sum.hpp>
#include <privet/federated/tail_average.hpp>
#include <privet/federated/trimmed_mean.hpp>
#include <privet/federated/trust.hpp>
#include <privet/federated/update.hpp>

#if __has_include(<boost/multiprecision/cpp_int.hpp>) && __has_include(<nlohmann/json.hpp>) && __has_include(<sodium.h>)
#include <privet/federated/encrypted_form.hpp>
#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/encrypted_update.hpp>
#include <privet/federated/key_authority.hpp>
#include <privet/federated/opener.hpp>
#endif

#if __has_include(<nlohmann/json.hpp>)
#include <privet/federated/adversary.hpp>
#include <privet/federated/asynchronous_server.hpp>
#include <privet/federated/checkpoint.hpp>
#include <privet/federated/client_links.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_update.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/in_process.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/noisy_random_k.hpp>
#include <privet/federated/noisy_selection.hpp>
#include <privet/federated/office.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/partial_download.hpp>
#include <privet/federated/partial_office.hpp>
#include <privet/federated/quantise.hpp>
#include <privet/federated/random_above.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/federated/released_uploads.hpp>
#include <privet/federated/report.hpp>
#include <privet/federated/ring.hpp>
#include <privet/federated/ring_site.hpp>
#include <privet/federated/run_record.hpp>
#include <privet/federated/selective_sgd.hpp>
#include <privet/federated/server.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/federated/sign.hpp>
#include <privet/federated/simulation.hpp>
#include <privet/federated/top_k.hpp>
#include <privet/federated/unreliable.hpp>
#include <privet/federated/upload_numbers.hpp>
#include <privet/federated/wire_dump.hpp>
#endif
