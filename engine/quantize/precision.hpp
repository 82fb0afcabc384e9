// Which format each weight of a model gets: the requested bits, raised by role where precisions are mixed, and changed
// by --keep rules. A pure function of names, roles and shapes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/formats/block_format.hpp"

namespace shoal::quantize {

enum class Role : std::uint8_t { kAttention, kEmbedding, kNorm, kHead, kFfn, kOther };

// "attention", "embedding", "norm", "head", "ffn", "other": also what a --keep pattern may say instead of a name.
std::string_view role_name(Role role);

// The role that a tensor's name tells, for names as Hugging Face models and GGUF files have them; kOther when none.
Role role_of(std::string_view tensor_name);

// A weight of the model: [n, k] for a matrix. Vectors (norms, biases) have n = 1 and is_matrix false.
struct WeightShape {
  std::string name;
  Role role = Role::kOther;
  std::uint64_t n = 1;
  std::uint64_t k = 0;
  bool is_matrix = true;
  std::vector<std::string> sources = {};  // the names of the tensors that it is made of, where they are others
};

// "PATTERN=BITS": `pattern` is a role name or a glob (* any characters, ? one) over the whole name of the
// tensor or of one of its sources.
struct KeepRule {
  std::string pattern;
  std::uint32_t bits = 16;

  [[nodiscard]] bool matches(const WeightShape& weight) const;
};
Result<KeepRule> parse_keep(std::string_view text);

struct PrecisionRequest {
  std::uint32_t bits = 4;
  // Attention, embedding and head at 8 bits or more, the rest as requested.
  bool is_mixed = false;
  std::uint32_t block = 32;
  formats::Scheme scheme = formats::Scheme::kAsymmetric;
  formats::ScaleEncoding scales = formats::ScaleEncoding::kS8Z8;
  // Of several rules that match, the last one counts.
  std::vector<KeepRule> keep = {};
};

// 32 below 1e9 parameters, else 128: small models lose too much with larger blocks.
std::uint32_t default_block(std::uint64_t parameters);

// A matrix of k columns at these bits; f16 where its rows cannot be cut into blocks. kPrecisionNotSupported for bits
// that do not exist, kInvalidArgument for a block that cannot be.
Result<formats::BlockFormat> format_of(std::uint64_t k, std::uint32_t bits, const PrecisionRequest& request);

// The format of each weight, in order. Vectors and norms are f16, and so is a matrix whose rows cannot be cut into
// blocks; a keep rule may make them f32. kInvalidArgument for a rule that matches nothing, kPrecisionNotSupported for
// bits that do not exist.
Result<std::vector<formats::BlockFormat>> plan_precision(std::span<const WeightShape> weights,
                                                         const PrecisionRequest& request);

}  // namespace shoal::quantize
