#include "engine/runtime/kv_cache.hpp"

#include <string>
#include <utility>

namespace shoal::runtime {
namespace {

// 0 for what is no number of bits.
std::uint32_t bits_in(std::string_view text) {
  for (const auto& [name, bits] : {std::pair("32", 32U), {"16", 16U}, {"8", 8U}, {"4", 4U}, {"2", 2U}}) {
    if (text == name) {
      return bits;
    }
  }
  return 0;
}

}  // namespace

Result<KvBits> parse_kv_bits(std::string_view text) {
  const std::size_t comma = text.find(',');
  const KvBits out{.keys = bits_in(text.substr(0, comma)),
                   .values = bits_in(comma == std::string_view::npos ? text : text.substr(comma + 1))};
  if (out.keys == 0 || out.values == 0) {
    return fail(Code::kInvalidArgument,
                "expected bits of keys and values, one number for both or two: 32, 16, 8, 4 or 2; got '" +
                    std::string(text) + "'",
                "kv_bits");
  }
  return out;
}

Result<std::vector<kernels::KvFormat>> kv_formats(const graph::Plan& plan, KvBits bits) {
  std::vector<kernels::KvFormat> out(plan.tensors.size());
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    if (plan.tensors[id].kind == graph::TensorKind::kState) {
      out[id].width = plan.tensors[id].shape[2].size;
    }
  }
  for (const graph::Signature& signature : plan.signatures) {
    for (const graph::Op& op : signature.ops) {
      const auto* attention = std::get_if<graph::Attention>(&op.attributes);
      if (attention == nullptr || plan.tensors[op.input(1)].kind != graph::TensorKind::kState) {
        continue;
      }
      for (const auto& [operand, wanted] :
           {std::pair(std::size_t{1}, bits.keys), std::pair(std::size_t{2}, bits.values)}) {
        auto format = kernels::KvFormat::make(wanted, attention->kv_heads, attention->head_dim);
        if (!format) {
          return fail(std::move(format.error()));
        }
        out[op.input(operand)] = *format;
      }
    }
  }
  return out;
}

}  // namespace shoal::runtime
