#include "engine/runtime/memory.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/core/aligned_bytes.hpp"
#include "engine/kernels/int8_rows.hpp"
#include "engine/kernels/kv_attention.hpp"
#include "engine/kernels/linear.hpp"

namespace shoal::runtime {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;

using graph::Symbol;

}  // namespace

Result<ValueLayout> value_layout(const graph::Signature& signature, const graph::Extents& limits) {
  ValueLayout out;
  for (const graph::Buffer& buffer : signature.buffers) {
    out.offsets.push_back(out.bytes);
    const std::uint64_t size = buffer.rows.in(limits)*buffer.columns * sizeof(float);
    out.bytes += (size + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
    if (size > kMostBytes || out.bytes > kMostBytes) {
      return fail(Code::kResourceLimit, "the values of '" + signature.name + "' need more than 2^46 bytes");
    }
  }
  return out;
}

Result<std::uint64_t> state_bytes(const graph::Tensor& state, const kernels::KvFormat& format,
                                  const graph::Extents& limits) {
  // Three extents below 2^28 each do not fit into 64 bits together with the size of a row.
  const std::uint64_t rows = state.shape[0].in(limits)*state.shape[1].in(limits);
  if (rows > kMostBytes || format.row_bytes() > kMostBytes / std::max<std::uint64_t>(rows, 1)) {
    return fail(Code::kResourceLimit, "the state needs more than 2^46 bytes");
  }
  return rows * format.row_bytes();
}

ScratchNeed scratch_need(const graph::Plan& plan, const graph::Extents& limits, KvBits kv) {
  ScratchNeed out{.lane_floats = std::max<std::uint64_t>(
                      {limits[Symbol::kTokens], limits[Symbol::kContext], limits[Symbol::kMemory]})};
  for (const graph::Signature& signature : plan.signatures) {
    for (const graph::Op& op : signature.ops) {
      if (const auto* attention = std::get_if<graph::Attention>(&op.attributes);
          attention != nullptr && kv != KvBits()) {
        const std::size_t keys = std::max(limits[Symbol::kContext], limits[Symbol::kMemory]);
        out.lane_floats =
            std::max<std::uint64_t>(out.lane_floats, kernels::kv_attention_scratch(keys, attention->head_dim));
      } else if (std::holds_alternative<graph::Embedding>(op.attributes)) {
        out.lane_floats = std::max<std::uint64_t>(out.lane_floats, plan.tensors[op.output].shape[1].size);
      } else if (std::holds_alternative<graph::Linear>(op.attributes)) {
        const graph::Tensor& weight = plan.tensors[op.input(1)];
        if (kernels::prefers_int8(weight.format)) {
          const std::uint64_t rows = plan.tensors[op.output].shape[0].in(limits);
          out.int8_bytes =
              std::max<std::uint64_t>(out.int8_bytes, kernels::int8_rows_bytes(rows, weight.shape[1].size));
        }
      }
    }
  }
  return out;
}

Result<MemoryUse> memory_of(const graph::Plan& plan, const graph::Extents& limits, std::uint32_t lanes, KvBits kv) {
  const auto formats = kv_formats(plan, kv);
  if (!formats) {
    return fail(formats.error());
  }
  MemoryUse out;
  for (const graph::Signature& signature : plan.signatures) {
    const auto values = value_layout(signature, limits);
    if (!values) {
      return fail(values.error());
    }
    out.values = std::max(out.values, values->bytes);
  }
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    if (plan.tensors[id].kind == graph::TensorKind::kState) {
      const auto bytes = state_bytes(plan.tensors[id], (*formats)[id], limits);
      if (!bytes) {
        return fail(bytes.error());
      }
      out.state += *bytes;
    }
  }
  const ScratchNeed scratch = scratch_need(plan, limits, kv);
  out.scratch = scratch.lane_floats * sizeof(float) * lanes + scratch.int8_bytes;
  return out;
}

}  // namespace shoal::runtime
