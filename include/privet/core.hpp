#pragma once
// Everything in core/. Written by tools/generate_floor_headers.

#include <privet/core/aligned.hpp>
#include <privet/core/bytes.hpp>
#include <privet/core/chain.hpp>
#include <privet/core/dtype.hpp>
#include <privet/core/error.hpp>
#include <privet/core/file.hpp>
#include <privet/core/fixed_point.hpp>
#include <privet/core/function_ref.hpp>
#include <privet/core/hmac.hpp>
#include <privet/core/image_shape.hpp>
#include <privet/core/indexed_list.hpp>
#include <privet/core/labels.hpp>
#include <privet/core/npy.hpp>
#include <privet/core/npz.hpp>
#include <privet/core/parallel.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/protobuf.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/result.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/core/sha256.hpp>
#include <privet/core/tensor.hpp>
#include <privet/core/text.hpp>
#include <privet/core/transport.hpp>
#include <privet/core/version.hpp>
#include <privet/core/wipe.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <privet/core/half.hpp>
#include <privet/core/json.hpp>
#include <privet/core/safetensors.hpp>
#endif

#if __has_include(<zlib.h>)
#include <privet/core/zlib.hpp>
#endif
