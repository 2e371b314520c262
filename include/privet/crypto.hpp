#pragma once
// Everything in crypto/. Written by tools/generate_floor_headers.

#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/fixed_base.hpp>
#include <privet/crypto/fixed_update.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/packed_header.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/residues.hpp>
#include <privet/crypto/secret_memory.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/crypto/words.hpp>

#if __has_include(<boost/multiprecision/cpp_int.hpp>)
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/paillier.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_file.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/prime.hpp>
#include <privet/crypto/share_file.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#endif

#if __has_include(<boost/multiprecision/cpp_int.hpp>) && __has_include(<nlohmann/json.hpp>)
#include <privet/crypto/phe.hpp>
#endif

#if __has_include(<boost/multiprecision/cpp_int.hpp>) && __has_include(<sodium.h>)
#include <privet/crypto/certified_key.hpp>
#endif

#if __has_include(<sodium.h>)
#include <privet/crypto/box.hpp>
#include <privet/crypto/enrolment.hpp>
#include <privet/crypto/key_certificate.hpp>
#include <privet/crypto/sealed_file.hpp>
#include <privet/crypto/signing.hpp>
#include <privet/crypto/sodium.hpp>
#endif
