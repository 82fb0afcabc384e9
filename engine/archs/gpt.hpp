// The layer that GPT-2, OPT and BLOOM share: norm, attention, sum, norm, two matrices, sum.
#pragma once

#include <functional>
#include <string>

#include "engine/archs/decoder.hpp"

namespace shoal::archs {

struct GptNames {
  std::string attention_norm, attention_output, up_norm, up, down;
};

struct GptSize {
  float epsilon = 0;
  Activation activation = Activation::kNone;
  bool transposed = false;
};

// `attend` makes the context of the normalised x: q, k, v and attention.
TensorId gpt_layer(Assembly& a, TensorId x, const GptNames& names, const GptSize& size,
                   const std::function<TensorId(TensorId)>& attend);

}  // namespace shoal::archs
