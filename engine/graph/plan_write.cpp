#include "engine/graph/plan_file.hpp"
#include "plan_generated.h"

namespace shoal::graph {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

template <class Enum>
std::uint8_t number(Enum value) {
  return static_cast<std::uint8_t>(value);
}

file::Dim dim_of(const Dim& dim) { return {number(dim.symbol), dim.size}; }

Offset<file::Tensor> write(FlatBufferBuilder& to, const Tensor& tensor) {
  std::vector<file::Dim> shape;
  for (const Dim& dim : tensor.shape) {
    shape.push_back(dim_of(dim));
  }
  const file::Format format(number(tensor.format.codes), number(tensor.format.scheme), number(tensor.format.scales),
                            tensor.format.block);
  const auto name = to.CreateString(tensor.name);
  const auto dims = to.CreateVectorOfStructs(shape);
  return file::CreateTensor(to, name, number(tensor.kind), number(tensor.element), &format, dims, tensor.view_of,
                            tensor.view_column, tensor.buffer, tensor.shard, tensor.offset);
}

// One table for each alternative of graph::Attributes, in the same order.
struct WriteAttributes {
  FlatBufferBuilder& to;

  Offset<void> operator()(const Embedding& op) { return file::CreateEmbedding(to, op.scale, op.offset).Union(); }
  Offset<void> operator()(const Linear& op) { return file::CreateLinear(to, number(op.activation)).Union(); }
  Offset<void> operator()(const LayerNorm& op) { return file::CreateLayerNorm(to, op.epsilon, op.width).Union(); }
  Offset<void> operator()(const RmsNorm& op) { return file::CreateRmsNorm(to, op.epsilon, op.width).Union(); }
  Offset<void> operator()(const RopeAngles&) { return file::CreateRopeAngles(to).Union(); }
  Offset<void> operator()(const Rope& op) { return file::CreateRope(to, op.head_dim).Union(); }
  Offset<void> operator()(const KvAppend&) { return file::CreateKvAppend(to).Union(); }
  Offset<void> operator()(const Attention& op) {
    return file::CreateAttention(to, op.heads, op.kv_heads, op.head_dim, op.scale, number(op.mask), op.window,
                                 number(op.bias), op.max_distance)
        .Union();
  }
  Offset<void> operator()(const Activate& op) { return file::CreateActivate(to, number(op.activation)).Union(); }
  Offset<void> operator()(const Gate& op) { return file::CreateGate(to, number(op.activation)).Union(); }
  Offset<void> operator()(const Add&) { return file::CreateAdd(to).Union(); }
  Offset<void> operator()(const Pool& op) { return file::CreatePool(to, number(op.pooling)).Union(); }
  Offset<void> operator()(const Gather&) { return file::CreateGather(to).Union(); }
  Offset<void> operator()(const L2Normalize&) { return file::CreateL2Normalize(to).Union(); }
};

Offset<file::Op> write(FlatBufferBuilder& to, const Op& op) {
  // Number 0 of the union is "none".
  const auto kind = static_cast<file::Attributes>(op.attributes.index() + 1);
  const auto attributes = std::visit(WriteAttributes{to}, op.attributes);
  const auto inputs = to.CreateVector(op.inputs);
  return file::CreateOp(to, kind, attributes, inputs, op.output);
}

Offset<file::Signature> write(FlatBufferBuilder& to, const Signature& signature) {
  std::vector<Offset<file::Op>> ops;
  for (const Op& op : signature.ops) {
    ops.push_back(write(to, op));
  }
  std::vector<Offset<file::Layer>> layers;
  for (const Layer& layer : signature.layers) {
    const auto name = to.CreateString(layer.name);
    layers.push_back(file::CreateLayer(to, name, layer.first_op, layer.op_count));
  }
  std::vector<Offset<file::Output>> outputs;
  for (const Output& output : signature.outputs) {
    const auto name = to.CreateString(output.name);
    outputs.push_back(file::CreateOutput(to, name, output.tensor));
  }
  std::vector<file::Buffer> buffers;
  for (const Buffer& buffer : signature.buffers) {
    buffers.emplace_back(dim_of(buffer.rows), buffer.columns);
  }
  const auto name = to.CreateString(signature.name);
  const auto inputs = to.CreateVector(signature.inputs);
  const auto op_list = to.CreateVector(ops);
  const auto layer_list = to.CreateVector(layers);
  const auto output_list = to.CreateVector(outputs);
  const auto buffer_list = to.CreateVectorOfStructs(buffers);
  return file::CreateSignature(to, name, inputs, op_list, layer_list, output_list, buffer_list);
}

}  // namespace

std::vector<std::uint8_t> write_plan(const Plan& plan) {
  FlatBufferBuilder to;
  std::vector<Offset<file::Tensor>> tensors;
  for (const Tensor& tensor : plan.tensors) {
    tensors.push_back(write(to, tensor));
  }
  std::vector<Offset<file::Signature>> signatures;
  for (const Signature& signature : plan.signatures) {
    signatures.push_back(write(to, signature));
  }
  std::vector<Offset<file::Shard>> shards;
  for (const Shard& shard : plan.shards) {
    const auto sha256 = to.CreateString(shard.sha256);
    shards.push_back(file::CreateShard(to, sha256, shard.bytes));
  }
  const auto architecture = to.CreateString(plan.architecture);
  const auto tensor_list = to.CreateVector(tensors);
  const auto signature_list = to.CreateVector(signatures);
  const auto shard_list = to.CreateVector(shards);
  file::FinishPlanBuffer(to, file::CreatePlan(to, kPlanVersion, architecture, tensor_list, signature_list, shard_list));
  return {to.GetBufferPointer(), to.GetBufferPointer() + to.GetSize()};
}

}  // namespace shoal::graph
