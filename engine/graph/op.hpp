// The operations that a plan is made of: their attributes and their operands, by position. Values are matrices of
// floats [rows, columns]; ids, positions and lengths are vectors of 32-bit integers. An optional operand that is not
// there is kNoTensor; optional ones at the end may be left out. Shapes are in infer.cpp, arithmetic in engine/kernels/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/kernels/activation_kind.hpp"

namespace shoal::graph {

using kernels::Activation;
using TensorId = std::uint32_t;
inline constexpr TensorId kNoTensor = std::numeric_limits<TensorId>::max();

// ids [T], table [V, N], addend? [T, N] -> [T, N]: scale * table[ids + offset] + addend.
struct Embedding {
  float scale = 1;
  std::uint32_t offset = 0;
};
// x [n, K], weight [N, K], bias? [N], residual? [n, N] -> [n, N]: activation(x * weight^T + bias) + residual.
struct Linear {
  Activation activation = Activation::kNone;
};
// x [n, C], weight [width], bias? [width] -> [n, C]: over groups of `width` columns, such as the heads of q and k.
struct LayerNorm {
  float epsilon = 0;
  std::uint32_t width = 0;
};
// x [n, C], weight [width] -> [n, C].
struct RmsNorm {
  float epsilon = 0;
  std::uint32_t width = 0;
};
// positions [T], frequencies [F] -> [T, 2F]: cosines, then sines, of position * frequency.
struct RopeAngles {};
// x [T, heads * head_dim], angles [T, 2F] -> the same: turns the first 2F columns of each head; pairs are (i, i + F).
struct Rope {
  std::uint32_t head_dim = 0;
};
// k [T, C], v [T, C], k_state [N, S, C], v_state [N, S, C], row_starts, slots, past [B]: token i of row b becomes
// position past[b] + i of slot slots[b]. No output.
struct KvAppend {};

enum class AttentionMask : std::uint8_t {
  kBidirectional,  // every key of the row
  kCausal,         // the keys up to the token itself
};
enum class AttentionBias : std::uint8_t {
  kNone,
  kAlibi,     // bias [heads]: slopes; key position times slope is added
  kRelative,  // bias [buckets, heads]: by T5's bucket of key position - query position
};
// q [T, heads * head_dim], then one of
//   k, v [T, kv_heads * head_dim], row_starts: the keys are the row's own tokens;
//   k, v [N, S or M, kv_heads * head_dim], row_starts, slots, lengths [B]: the keys lie in the row's slot. Causal:
//   lengths
//     are the positions before this step, and this step's keys have been appended. Bidirectional: lengths are all keys.
// and bias? as last operand -> [T, heads * head_dim]. Scores are q.k * scale + bias.
struct Attention {
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  float scale = 1;
  AttentionMask mask = AttentionMask::kBidirectional;
  std::uint32_t window = 0;  // keys that a causal token sees, itself among them; 0 is all
  AttentionBias bias = AttentionBias::kNone;
  std::uint32_t max_distance = 0;  // of kRelative
};
// x [n, C] -> [n, C].
struct Activate {
  Activation activation = Activation::kNone;
};
// x [n, 2C] -> [n, C]: activation(x[:, :C]) * x[:, C:].
struct Gate {
  Activation activation = Activation::kNone;
};
// a [n, C], b [n, C] -> [n, C].
struct Add {};

enum class Pooling : std::uint8_t { kMean, kFirst, kLast };
// x [T, C], row_starts -> [B, C]: over the tokens of each row.
struct Pool {
  Pooling pooling = Pooling::kMean;
};
// x [T, C], indices [R] -> [R, C].
struct Gather {};
// x [n, C] -> [n, C]: each row divided by its Euclidean length, at least 1e-12.
struct L2Normalize {};

using Attributes = std::variant<Embedding, Linear, LayerNorm, RmsNorm, RopeAngles, Rope, KvAppend, Attention, Activate,
                                Gate, Add, Pool, Gather, L2Normalize>;

struct Op {
  Attributes attributes;
  std::vector<TensorId> inputs;
  TensorId output = kNoTensor;

  // Operand `index`, or kNoTensor when it is left out.
  [[nodiscard]] TensorId input(std::size_t index) const { return index < inputs.size() ? inputs[index] : kNoTensor; }
};

struct OperandCounts {
  std::size_t required;
  std::size_t at_most;
};
OperandCounts operand_counts(const Attributes& attributes);
std::string_view op_name(const Attributes& attributes);  // "layer_norm"

// Operand of an attention's bias: behind the row_starts, or behind the lengths where the keys lie in slots.
inline constexpr std::size_t kPackedBias = 4;
inline constexpr std::size_t kSlottedBias = 6;

}  // namespace shoal::graph
