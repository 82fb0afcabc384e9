// The part of a BERT config.json that decides its graph.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::models {

enum class Activation : std::uint8_t { kGelu, kRelu };

struct BertConfig {
  std::int64_t vocab = 0;
  std::int64_t positions = 0;
  std::int64_t types = 0;
  std::int64_t hidden = 0;
  std::int64_t intermediate = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  float epsilon = 1e-12F;
  Activation activation = Activation::kGelu;

  [[nodiscard]] std::int64_t head_size() const { return hidden / heads; }
};

// kInvalidArgument: not JSON, a number missing or out of range. kOperatorNotSupported: not an absolute-position BERT
// encoder.
Result<BertConfig> parse_bert_config(std::string_view json);

}  // namespace shoal::models
