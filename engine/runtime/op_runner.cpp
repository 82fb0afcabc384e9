#include "engine/runtime/op_runner.hpp"

#include <algorithm>
#include <string>

#include "engine/formats/pack.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/linear.hpp"
#include "engine/kernels/norm.hpp"
#include "engine/kernels/rope.hpp"

namespace shoal::runtime {

using graph::kNoTensor;
using graph::TensorId;
using kernels::Matrix;
using kernels::MutableMatrix;

Status OpRunner::run(const graph::Op& op) {
  return std::visit([&](const auto& attributes) { return run(attributes, op); }, op.attributes);
}

Matrix OpRunner::value(TensorId id) const {
  const MutableMatrix matrix = executor_.value(id);
  return {matrix.data, matrix.rows, matrix.columns, matrix.stride};
}

std::span<const std::int32_t> OpRunner::input(TensorId id) const {
  const graph::InputRow* row = graph::find_input(executor_.plan_.tensors[id].name);
  return step_.input(static_cast<std::size_t>(row - graph::kInputs.data()));
}

const float* OpRunner::vector(TensorId id) const { return id == kNoTensor ? nullptr : executor_.weights_.vector(id); }

std::uint8_t* OpRunner::slot(TensorId state, std::int32_t index) const {
  const auto positions = static_cast<std::size_t>(executor_.plan_.tensors[state].shape[1].in(executor_.limits_));
  const std::size_t bytes = positions * executor_.kv_[state].row_bytes();
  return reinterpret_cast<std::uint8_t*>(executor_.states_[state].data()) + static_cast<std::size_t>(index) * bytes;
}

Matrix OpRunner::slot_floats(TensorId state, std::int32_t index, std::size_t count) const {
  const std::size_t columns = executor_.plan_.tensors[state].shape[2].size;
  return {reinterpret_cast<const float*>(slot(state, index)), count, columns, columns};
}

kernels::KvRows OpRunner::slot_head(TensorId state, std::int32_t index, std::size_t count, std::size_t head) const {
  const kernels::KvFormat& format = executor_.kv_[state];
  return {slot(state, index) + head * format.head_bytes(), count, format};
}

Status OpRunner::check_slot(TensorId state, std::int32_t index, std::int64_t count) const {
  const graph::Shape& shape = executor_.plan_.tensors[state].shape;
  if (index < 0 || static_cast<std::uint64_t>(index) >= shape[0].in(executor_.limits_)) {
    return fail(Code::kInvalidArgument, "there is no slot " + std::to_string(index), "slots");
  }
  const auto most = static_cast<std::int64_t>(shape[1].in(executor_.limits_));
  if (count < 1 || count > most) {
    return fail(Code::kContextLengthExceeded, std::to_string(count) + " positions in a slot of " + std::to_string(most),
                "tokens");
  }
  return {};
}

float* OpRunner::scratch(std::uint32_t lane) const {
  return executor_.scratch_.floats() + lane * executor_.lane_scratch_;
}

template <class Body>
void OpRunner::over_rows(std::size_t rows, std::size_t columns, Body&& body) const {
  // Below this a piece costs less than handing it over.
  constexpr std::size_t kLeastElements = 4096;
  const std::size_t grain = std::max<std::size_t>(1, kLeastElements / std::max<std::size_t>(columns, 1));
  for_ranges(executor_.parallel_, rows, grain,
             [&](std::size_t begin, std::size_t end, std::uint32_t) { body(begin, end); });
}

Status OpRunner::run(const graph::Embedding& embedding, const graph::Op& op) {
  const auto ids = input(op.input(0));
  const formats::BlockMatrix& table = executor_.weights_.matrix(op.input(1));
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::uint64_t>(id) + embedding.offset >= table.layout.n) {
      const std::string& name = executor_.plan_.tensors[op.input(0)].name;
      const bool is_position = name == "positions";
      return fail(is_position ? Code::kContextLengthExceeded : Code::kInvalidArgument,
                  name + ": " + std::to_string(id) + " is not below " +
                      std::to_string(table.layout.n - std::min<std::uint64_t>(embedding.offset, table.layout.n)),
                  is_position ? "tokens" : name);
    }
  }
  const MutableMatrix y = executor_.value(op.output);
  const Matrix addend = op.input(2) == kNoTensor ? Matrix{} : value(op.input(2));
  for_ranges(executor_.parallel_, y.rows, 16, [&](std::size_t begin, std::size_t end, std::uint32_t lane) {
    const std::span<float> row(scratch(lane), y.columns);
    for (std::size_t index = begin; index < end; ++index) {
      formats::dequantize_row(table, static_cast<std::uint64_t>(ids[index]) + embedding.offset, row);
      for (std::size_t column = 0; column < y.columns; ++column) {
        const float sum = addend.data == nullptr ? 0 : addend.row(index)[column];
        y.row(index)[column] = row[column] * embedding.scale + sum;
      }
    }
  });
  return {};
}

Status OpRunner::run(const graph::Linear& linear, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  const Matrix residual = op.input(3) == kNoTensor ? Matrix{} : value(op.input(3));
  kernels::LinearCall call{.weight = executor_.weights_.matrix(op.input(1)),
                           .x = x.data,
                           .x_stride = x.stride,
                           .rows = x.rows,
                           .bias = vector(op.input(2)),
                           .y = y.data,
                           .y_stride = y.stride};
  kernels::Int8Rows int8;
  if (kernels::prefers_int8(call.weight.format)) {
    int8 = kernels::int8_rows_at(executor_.int8_.data(), x.rows, x.columns);
    over_rows(x.rows, x.columns,
              [&](std::size_t begin, std::size_t end) { kernels::quantize_rows(x.data, x.stride, int8, begin, end); });
    call.int8 = &int8;
  }
  for_ranges(executor_.parallel_, y.columns, formats::kTileRows,
             [&](std::size_t begin, std::size_t end, std::uint32_t) {
               kernels::LinearCall part = call;
               part.n_begin = begin;
               part.n_end = end;
               kernels::linear(part);
               const MutableMatrix out{y.data + begin, y.rows, end - begin, y.stride};
               const Matrix made{out.data, out.rows, out.columns, out.stride};
               if (linear.activation != kernels::Activation::kNone) {
                 kernels::activate(linear.activation, made, out);
               }
               if (residual.data != nullptr) {
                 kernels::add(made, {residual.data + begin, y.rows, end - begin, residual.stride}, out);
               }
             });
  return {};
}

Status OpRunner::run(const graph::LayerNorm& norm, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(x.rows, x.columns, [&](std::size_t begin, std::size_t end) {
    kernels::layer_norm(range(x, begin, end), vector(op.input(1)), vector(op.input(2)), norm.epsilon, norm.width,
                        y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::RmsNorm& norm, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(x.rows, x.columns, [&](std::size_t begin, std::size_t end) {
    kernels::rms_norm(range(x, begin, end), vector(op.input(1)), norm.epsilon, norm.width, y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::RopeAngles&, const graph::Op& op) {
  const MutableMatrix y = executor_.value(op.output);
  const auto positions = input(op.input(0));
  over_rows(y.rows, y.columns, [&](std::size_t begin, std::size_t end) {
    kernels::rope_angles(positions.data() + begin, vector(op.input(1)), y.columns / 2, y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::Rope& rope, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const Matrix angles = value(op.input(1));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(x.rows, x.columns, [&](std::size_t begin, std::size_t end) {
    kernels::rope(range(x, begin, end), range(angles, begin, end), rope.head_dim, y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::Activate& activate, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(x.rows, x.columns, [&](std::size_t begin, std::size_t end) {
    kernels::activate(activate.activation, range(x, begin, end), y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::Gate& gate, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(x.rows, x.columns, [&](std::size_t begin, std::size_t end) {
    kernels::gate(gate.activation, range(x, begin, end), y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::Add&, const graph::Op& op) {
  const Matrix a = value(op.input(0));
  const Matrix b = value(op.input(1));
  const MutableMatrix y = executor_.value(op.output);
  over_rows(a.rows, a.columns, [&](std::size_t begin, std::size_t end) {
    kernels::add(range(a, begin, end), range(b, begin, end), y.range(begin, end));
  });
  return {};
}

Status OpRunner::run(const graph::Pool& pool, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const auto starts = input(op.input(1));
  const MutableMatrix y = executor_.value(op.output);
  for (std::size_t row = 0; row < y.rows; ++row) {
    const auto begin = static_cast<std::size_t>(starts[row]);
    const auto end = static_cast<std::size_t>(starts[row + 1]);
    if (pool.pooling == graph::Pooling::kMean) {
      kernels::mean_of_rows(range(x, begin, end), y.row(row));
    } else {
      std::copy_n(x.row(pool.pooling == graph::Pooling::kFirst ? begin : end - 1), x.columns, y.row(row));
    }
  }
  return {};
}

Status OpRunner::run(const graph::Gather&, const graph::Op& op) {
  const Matrix x = value(op.input(0));
  const auto indices = input(op.input(1));
  const MutableMatrix y = executor_.value(op.output);
  for (std::size_t row = 0; row < y.rows; ++row) {
    std::copy_n(x.row(static_cast<std::size_t>(indices[row])), x.columns, y.row(row));
  }
  return {};
}

Status OpRunner::run(const graph::L2Normalize&, const graph::Op& op) {
  kernels::l2_normalize(value(op.input(0)), executor_.value(op.output));
  return {};
}

}  // namespace shoal::runtime
