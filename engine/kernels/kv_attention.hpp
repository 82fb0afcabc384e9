// Attention over keys and values that are stored with fewer bits. They are unpacked some positions at a time, into
// scratch that stays in the first cache, once for all queries of the heads that share them. What a query's result is
// does not depend on the others: products, softmax and sums run over the keys in their order, as attention() has it.
#pragma once

#include <cstddef>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/kv_format.hpp"
#include "engine/kernels/matrix.hpp"

namespace shoal::kernels {

struct KvAttentionCall {
  Matrix q;               // [tokens, heads * width], of the heads that share these keys
  std::size_t heads = 1;  // of q and y
  KvRows k;               // [keys, width]
  KvRows v;               // [keys, width]
  float scale = 1;
  bool is_causal = false;
  std::size_t first_position = 0;     // as of AttentionCall
  std::size_t window = 0;             // likewise
  const ScoreBias* biases = nullptr;  // one for each head, or null
  MutableMatrix y;                    // [tokens, heads * width]
  float* scratch = nullptr;           // kv_attention_scratch(keys) floats
};

// Requires: as attention().
void kv_attention(const KvAttentionCall& call);

// Floats.
std::size_t kv_attention_scratch(std::size_t keys, std::size_t width);

}  // namespace shoal::kernels
