// The operations on keys and values: appending them to the slots of their rows, and attention over them.
#include <array>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/kv_attention.hpp"
#include "engine/runtime/op_runner.hpp"

namespace shoal::runtime {

using graph::TensorId;
using kernels::Matrix;
using kernels::MutableMatrix;

Status OpRunner::run(const graph::KvAppend&, const graph::Op& op) {
  const auto starts = input(op.input(4));
  const auto slots = input(op.input(5));
  const auto past = input(op.input(6));
  for (std::size_t row = 0; row < slots.size(); ++row) {
    const std::int64_t count = std::int64_t{past[row]} + starts[row + 1] - starts[row];
    if (auto fits = check_slot(op.input(2), slots[row], count); !fits) {
      return fits;
    }
    for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
      const Matrix from = value(op.input(which));
      const kernels::KvFormat& format = executor_.kv_[op.input(which + 2)];
      std::uint8_t* const to = slot(op.input(which + 2), slots[row]);
      for (std::int32_t token = starts[row]; token < starts[row + 1]; ++token) {
        const auto position = static_cast<std::size_t>(past[row] + token - starts[row]);
        kernels::store_row(format, from.row(static_cast<std::size_t>(token)), to + position * format.row_bytes());
      }
    }
  }
  return {};
}

namespace {

Matrix columns_of(const Matrix& all, std::size_t first, std::size_t count) {
  return {all.data + first, all.rows, count, all.stride};
}

}  // namespace

Status OpRunner::run(const graph::Attention& attention, const graph::Op& op) {
  const bool has_slots = executor_.plan_.tensors[op.input(1)].kind == graph::TensorKind::kState;
  const bool is_causal = attention.mask == graph::AttentionMask::kCausal;
  const auto starts = input(op.input(3));
  const auto slots = has_slots ? input(op.input(4)) : std::span<const std::int32_t>();
  const auto lengths = has_slots ? input(op.input(5)) : std::span<const std::int32_t>();
  const std::size_t rows = starts.size() - 1;
  const auto tokens_of = [&](std::size_t row) { return std::int64_t{starts[row + 1]} - starts[row]; };
  for (std::size_t row = 0; has_slots && row < rows; ++row) {
    if (auto fits = check_slot(op.input(1), slots[row], lengths[row] + (is_causal ? tokens_of(row) : 0)); !fits) {
      return fits;
    }
  }
  const TensorId bias = op.input(has_slots ? graph::kSlottedBias : graph::kPackedBias);
  const RelativeBias* relative =
      attention.bias == graph::AttentionBias::kRelative ? executor_.find_relative(bias, is_causal) : nullptr;
  const bool is_stored = has_slots && executor_.kv_bits_ != KvBits();
  return is_stored ? attend_stored(attention, op, relative) : attend(attention, op, relative);
}

kernels::ScoreBias OpRunner::bias_of(const graph::Attention& attention, TensorId bias, const RelativeBias* relative,
                                     std::size_t head) const {
  kernels::ScoreBias out;
  if (attention.bias == graph::AttentionBias::kAlibi) {
    out.slope = executor_.weights_.vector(bias)[head];
  } else if (relative != nullptr) {
    out.of_distance = relative->of_head(head);
  }
  return out;
}

Status OpRunner::attend(const graph::Attention& attention, const graph::Op& op, const RelativeBias* relative) {
  const bool has_slots = executor_.plan_.tensors[op.input(1)].kind == graph::TensorKind::kState;
  const bool is_causal = attention.mask == graph::AttentionMask::kCausal;
  const auto starts = input(op.input(3));
  const auto slots = has_slots ? input(op.input(4)) : std::span<const std::int32_t>();
  const auto lengths = has_slots ? input(op.input(5)) : std::span<const std::int32_t>();
  const TensorId bias = op.input(has_slots ? graph::kSlottedBias : graph::kPackedBias);
  const Matrix q = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  const std::size_t width = attention.head_dim;
  const std::size_t shared_by = attention.heads / attention.kv_heads;
  auto task = [&](std::uint32_t index, std::uint32_t lane) {
    const std::size_t row = index / attention.heads;
    const std::size_t head = index % attention.heads;
    const auto begin = static_cast<std::size_t>(starts[row]);
    const auto end = static_cast<std::size_t>(starts[row + 1]);
    const auto keys_of = [&](std::size_t operand) {
      const std::size_t column = head / shared_by * width;
      if (!has_slots) {
        return columns_of(range(value(op.input(operand)), begin, end), column, width);
      }
      const auto count = static_cast<std::size_t>(lengths[row]) + (is_causal ? end - begin : 0);
      return columns_of(slot_floats(op.input(operand), slots[row], count), column, width);
    };
    kernels::attention({.q = columns_of(range(q, begin, end), head * width, width),
                        .k = keys_of(1),
                        .v = keys_of(2),
                        .scale = attention.scale,
                        .is_causal = is_causal,
                        .first_position = has_slots && is_causal ? static_cast<std::size_t>(lengths[row]) : 0,
                        .window = attention.window,
                        .bias = bias_of(attention, bias, relative, head),
                        .y = {y.row(begin) + head * width, end - begin, width, y.stride},
                        .scratch = scratch(lane)});
  };
  executor_.parallel_.run(static_cast<std::uint32_t>((starts.size() - 1) * attention.heads), TaskRef(task));
  return {};
}

Status OpRunner::attend_stored(const graph::Attention& attention, const graph::Op& op, const RelativeBias* relative) {
  constexpr std::size_t kMostShared = 64;
  const bool is_causal = attention.mask == graph::AttentionMask::kCausal;
  const auto starts = input(op.input(3));
  const auto slots = input(op.input(4));
  const auto lengths = input(op.input(5));
  const Matrix q = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  const std::size_t shared_by = attention.heads / attention.kv_heads;
  if (shared_by > kMostShared) {
    return fail(Code::kOperatorNotSupported, "keys of few bits are shared by at most 64 heads");
  }
  auto task = [&](std::uint32_t index, std::uint32_t lane) {
    const std::size_t row = index / attention.kv_heads;
    const std::size_t kv_head = index % attention.kv_heads;
    const auto begin = static_cast<std::size_t>(starts[row]);
    const auto end = static_cast<std::size_t>(starts[row + 1]);
    const auto count = static_cast<std::size_t>(lengths[row]) + (is_causal ? end - begin : 0);
    const std::size_t columns = shared_by * attention.head_dim;
    std::array<kernels::ScoreBias, kMostShared> biases;
    for (std::size_t head = 0; head < shared_by; ++head) {
      biases[head] = bias_of(attention, op.input(graph::kSlottedBias), relative, kv_head * shared_by + head);
    }
    kernels::kv_attention({.q = columns_of(range(q, begin, end), kv_head * columns, columns),
                           .heads = shared_by,
                           .k = slot_head(op.input(1), slots[row], count, kv_head),
                           .v = slot_head(op.input(2), slots[row], count, kv_head),
                           .scale = attention.scale,
                           .is_causal = is_causal,
                           .first_position = is_causal ? static_cast<std::size_t>(lengths[row]) : 0,
                           .window = attention.window,
                           .biases = biases.data(),
                           .y = {y.row(begin) + kv_head * columns, end - begin, columns, y.stride},
                           .scratch = scratch(lane)});
  };
  executor_.parallel_.run(static_cast<std::uint32_t>(slots.size() * attention.kv_heads), TaskRef(task));
  return {};
}

}  // namespace shoal::runtime
