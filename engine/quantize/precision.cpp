#include "engine/quantize/precision.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace shoal::quantize {
namespace {

using formats::BlockFormat;
using formats::Codes;

constexpr std::array<std::string_view, 6> kRoleNames = {"attention", "embedding", "norm", "head", "ffn", "other"};

struct RoleWord {
  std::string_view word;
  Role role;
};

// The first word that a name contains decides, so that "attention.output.LayerNorm" is a norm and no attention.
constexpr std::array kRoleWords = {
    RoleWord{"norm", Role::kNorm},
    RoleWord{"Norm", Role::kNorm},
    RoleWord{"ln_", Role::kNorm},
    RoleWord{"lm_head", Role::kHead},
    RoleWord{"embed_out", Role::kHead},
    RoleWord{"classifier", Role::kHead},
    RoleWord{"qa_outputs", Role::kHead},
    RoleWord{"score", Role::kHead},
    RoleWord{"embed", Role::kEmbedding},
    RoleWord{"embd", Role::kEmbedding},
    RoleWord{"wte", Role::kEmbedding},
    RoleWord{"wpe", Role::kEmbedding},
    RoleWord{"shared", Role::kEmbedding},
    RoleWord{"attn", Role::kAttention},
    RoleWord{"ttention", Role::kAttention},
    RoleWord{"q_proj", Role::kAttention},
    RoleWord{"mlp", Role::kFfn},
    RoleWord{"ffn", Role::kFfn},
    RoleWord{"DenseReluDense", Role::kFfn},
    RoleWord{"intermediate", Role::kFfn},
    RoleWord{"output.dense", Role::kFfn},
    RoleWord{".fc1", Role::kFfn},
    RoleWord{".fc2", Role::kFfn},
    RoleWord{".lin1", Role::kFfn},
    RoleWord{".lin2", Role::kFfn},
    RoleWord{".ffn_output", Role::kFfn},
};

bool glob(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (in < text.size()) {
    if (at < pattern.size() && (pattern[at] == '?' || (pattern[at] != '*' && pattern[at] == text[in]))) {
      ++at;
      ++in;
    } else if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::uint32_t bits_by_role(const WeightShape& weight, const PrecisionRequest& request) {
  if (!weight.is_matrix || weight.role == Role::kNorm) {
    return std::max(request.bits, 16U);
  }
  const bool is_sensitive =
      weight.role == Role::kAttention || weight.role == Role::kEmbedding || weight.role == Role::kHead;
  return request.is_mixed && is_sensitive ? std::max(request.bits, 8U) : request.bits;
}

}  // namespace

std::string_view role_name(Role role) { return kRoleNames[static_cast<std::size_t>(role)]; }

Role role_of(std::string_view tensor_name) {
  if (tensor_name == "output.weight") {
    return Role::kHead;
  }
  const auto* const found = std::ranges::find_if(
      kRoleWords, [&](const RoleWord& entry) { return tensor_name.find(entry.word) != std::string_view::npos; });
  return found == kRoleWords.end() ? Role::kOther : found->role;
}

bool KeepRule::matches(const WeightShape& weight) const {
  return pattern == role_name(weight.role) || glob(pattern, weight.name) ||
         std::ranges::any_of(weight.sources, [&](const std::string& source) { return glob(pattern, source); });
}

Result<KeepRule> parse_keep(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  KeepRule rule;
  const std::string_view digits = equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rule.bits);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || equals == 0) {
    return fail(
        Code::kInvalidArgument,
        "'" + std::string(text) + "' is no keep rule: expected PATTERN=BITS, for example ffn=4 or *.v_proj.weight=8",
        "keep");
  }
  if (const auto codes = formats::codes_of_bits(rule.bits); !codes) {
    return fail(codes.error());
  }
  rule.pattern = text.substr(0, equals);
  return rule;
}

std::uint32_t default_block(std::uint64_t parameters) { return parameters < 1'000'000'000 ? 32 : 128; }

Result<formats::BlockFormat> format_of(std::uint64_t k, std::uint32_t bits, const PrecisionRequest& request) {
  const auto codes = formats::codes_of_bits(bits);
  if (!codes) {
    return fail(codes.error());
  }
  if (!formats::is_quantized(*codes)) {
    return BlockFormat{.codes = *codes};
  }
  const auto block = formats::effective_block(request.block, k);
  if (!block && block.error().code == Code::kPrecisionNotSupported) {
    return BlockFormat{.codes = Codes::kF16};
  }
  if (!block) {
    return fail(block.error());
  }
  return BlockFormat{*codes, request.scheme, request.scales, *block};
}

Result<std::vector<BlockFormat>> plan_precision(std::span<const WeightShape> weights, const PrecisionRequest& request) {
  for (const KeepRule& rule : request.keep) {
    if (std::ranges::none_of(weights, [&](const WeightShape& weight) { return rule.matches(weight); })) {
      return fail(Code::kInvalidArgument, "the keep rule '" + rule.pattern + "' matches no tensor", "keep");
    }
  }
  std::vector<BlockFormat> planned;
  for (const WeightShape& weight : weights) {
    std::uint32_t bits = bits_by_role(weight, request);
    for (const KeepRule& rule : request.keep) {
      if (rule.matches(weight)) {
        bits = weight.is_matrix ? rule.bits : std::max(rule.bits, 16U);
      }
    }
    const auto format = format_of(weight.k, bits, request);
    if (!format) {
      return fail(format.error());
    }
    planned.push_back(*format);
  }
  return planned;
}

}  // namespace shoal::quantize
