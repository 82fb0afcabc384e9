// Blocks of decoders: attention over the keys and values of a sequence's slot, rotary positions, and the way from the
// last hidden state to logits.
#pragma once

#include <string>
#include <vector>

#include "engine/archs/assembly.hpp"

namespace shoal::archs {

struct HeadCounts {
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
};

// Heads of `hidden` columns, from the keys of these names; "head_dim" wins over hidden / heads.
HeadCounts head_counts(Assembly& a, std::uint32_t hidden, std::string_view heads_key, std::string_view kv_heads_key);

struct CachedAttention {
  HeadCounts counts;
  float scale = 0;  // 0 is 1 / sqrt(head_dim)
  std::uint32_t window = 0;
  graph::AttentionBias bias = graph::AttentionBias::kNone;
  TensorId bias_weight = kNoTensor;
  std::uint32_t max_distance = 0;
};

// The three columns of a fused q, k, v.
struct Qkv {
  TensorId q = kNoTensor;
  TensorId k = kNoTensor;
  TensorId v = kNoTensor;
};
Qkv split(Assembly& a, TensorId fused, const HeadCounts& counts);

// Appends k and v to states of this name and attends to all that the slot holds.
TensorId cached_attention(Assembly& a, const Qkv& qkv, const std::string& name, const CachedAttention& attention);

// Frequencies of rotary positions: theta^(-2i/dim).
std::vector<float> plain_frequencies(std::uint32_t dim, float theta);
// The same with the scaling that the configuration asks for.
std::vector<float> rope_frequencies(Assembly& a, std::uint32_t dim, float theta);
// Angles of each token by these frequencies, made once a step.
TensorId rope_angles(Assembly& a, const std::string& name, std::vector<float> frequencies);

// Slopes of ALiBi for a number of heads, times `factor`.
std::vector<float> alibi_slopes(std::uint32_t heads, float factor = 1);

// Output "logits" of the tokens that are asked for; x is normalised already. The table of the embedding serves where
// the checkpoint has no matrix of its own.
void language_head(Assembly& a, TensorId x, const std::string& head, const std::string& table);

// The rows of x that are asked for: what comes behind is computed for them alone.
TensorId wanted_rows(Assembly& a, TensorId x);

}  // namespace shoal::archs
