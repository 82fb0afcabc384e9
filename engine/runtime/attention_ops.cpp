// The operations on keys and values: appending them to the slots of their rows, and attention over them.
#include <algorithm>

#include "engine/kernels/attention.hpp"
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
      const MutableMatrix to = slot(op.input(which + 2), slots[row]);
      for (std::int32_t token = starts[row]; token < starts[row + 1]; ++token) {
        const auto position = static_cast<std::size_t>(past[row] + token - starts[row]);
        std::copy_n(from.row(static_cast<std::size_t>(token)), from.columns, to.row(position));
      }
    }
  }
  return {};
}

namespace {

Matrix columns_of(const Matrix& all, std::size_t first, std::size_t count) {
  return {all.data + first, all.rows, count, all.stride};
}

Matrix constant(const MutableMatrix& matrix) { return {matrix.data, matrix.rows, matrix.columns, matrix.stride}; }

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
  const Matrix q = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  const TensorId bias = op.input(has_slots ? graph::kSlottedBias : graph::kPackedBias);
  const RelativeBias* relative =
      attention.bias == graph::AttentionBias::kRelative ? executor_.find_relative(bias, is_causal) : nullptr;
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
      return columns_of(range(constant(slot(op.input(operand), slots[row])), 0, count), column, width);
    };
    kernels::AttentionCall call{.q = columns_of(range(q, begin, end), head * width, width),
                                .k = keys_of(1),
                                .v = keys_of(2),
                                .scale = attention.scale,
                                .is_causal = is_causal,
                                .first_position = has_slots && is_causal ? static_cast<std::size_t>(lengths[row]) : 0,
                                .window = attention.window,
                                .bias = {},
                                .y = {y.row(begin) + head * width, end - begin, width, y.stride},
                                .scratch = scratch(lane)};
    if (attention.bias == graph::AttentionBias::kAlibi) {
      call.bias.slope = executor_.weights_.vector(bias)[head];
    } else if (relative != nullptr) {
      call.bias.of_distance = relative->of_head(head);
    }
    kernels::attention(call);
  };
  executor_.parallel_.run(static_cast<std::uint32_t>(rows * attention.heads), TaskRef(task));
  return {};
}

}  // namespace shoal::runtime
