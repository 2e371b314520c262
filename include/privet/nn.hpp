#pragma once
// Everything in nn/. Written by tools/generate_floor_headers.

#include <privet/nn/activations.hpp>
#include <privet/nn/affine_parameters.hpp>
#include <privet/nn/batch_norm.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/embedding.hpp>
#include <privet/nn/freeze.hpp>
#include <privet/nn/frozen_body.hpp>
#include <privet/nn/group_norm.hpp>
#include <privet/nn/gru.hpp>
#include <privet/nn/image.hpp>
#include <privet/nn/layer.hpp>
#include <privet/nn/layer_norm.hpp>
#include <privet/nn/loss.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/lstm.hpp>
#include <privet/nn/named_network.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/onnx.hpp>
#include <privet/nn/outputs.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/recurrent.hpp>
#include <privet/nn/residual.hpp>
#include <privet/nn/resnet.hpp>
#include <privet/nn/resnet18.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/nn/tape.hpp>
#include <privet/nn/tied.hpp>
#include <privet/nn/vgg.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <privet/nn/describe.hpp>
#include <privet/nn/weights.hpp>
#endif
