// Attention of the tokens of one row over the keys of that row, one head at a time. Softmax and sums run over the keys
// in their order, so a token's result is the same whether its prompt came whole or in chunks, alone or in a batch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/matrix.hpp"

namespace shoal::kernels {

// What is added to the scores of one head; zero and null when nothing is.
struct ScoreBias {
  float slope = 0;                     // times the key's position
  const float* of_distance = nullptr;  // [key - query]: points at distance 0, negative distances lie before it
};

struct AttentionCall {
  Matrix q;  // [tokens, head_dim], of this head
  Matrix k;  // [keys, head_dim], of the head that this one shares
  Matrix v;  // [keys, head_dim]
  float scale = 1;
  bool is_causal = false;
  std::size_t first_position = 0;  // of the first token; token i sees the keys up to first_position + i
  std::size_t window = 0;          // keys that a causal token sees at most; 0 is all
  ScoreBias bias{};
  MutableMatrix y;           // [tokens, head_dim]
  float* scratch = nullptr;  // [keys]
};

// Requires: at least one key for every token; causal: first_position + tokens <= keys.
void attention(const AttentionCall& call);

// T5's bucket of a distance key - query. Requires: buckets >= 2 (4 when bidirectional), max_distance > buckets / 2.
std::int32_t relative_bucket(std::int32_t distance, bool is_bidirectional, std::int32_t buckets,
                             std::int32_t max_distance);

}  // namespace shoal::kernels
