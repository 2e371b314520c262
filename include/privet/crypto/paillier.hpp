#pragma once
// The Paillier cryptosystem: keys, encryption, arithmetic on what is encrypted, decryption.

#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_key.hpp>
