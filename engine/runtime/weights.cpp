#include "engine/runtime/weights.hpp"

#include <optional>
#include <span>
#include <utility>

#include "engine/graph/places.hpp"
#include "engine/runtime/make_weight.hpp"

namespace shoal::runtime {

Result<Weights::Weight> Weights::make_one(const graph::Tensor& tensor, const import::Recipe& recipe,
                                          const import::Checkpoint& checkpoint, const quantize::Options& options,
                                          Parallel& parallel) {
  const auto bytes = graph::stored_bytes(tensor);
  if (!bytes) {
    return fail(bytes.error());
  }
  auto memory = AlignedBytes::make(*bytes);
  if (!memory) {
    return fail(std::move(memory.error()));
  }
  const std::span<std::byte> out(memory->data(), memory->size());
  if (auto made = make_weight(tensor, recipe, checkpoint, options, parallel, out); !made) {
    return fail(std::move(made.error()));
  }
  Weight weight;
  weight.memory = std::move(*memory);
  if (auto placed = place_one(tensor, out, weight); !placed) {
    return fail(std::move(placed.error()));
  }
  return weight;
}

Status Weights::place_one(const graph::Tensor& tensor, Bytes data, Weight& weight) {
  if (tensor.shape.size() == 1) {
    weight.vector = reinterpret_cast<const float*>(data.data());
    return {};
  }
  const auto matrix = formats::matrix_view(tensor.format, tensor.shape[0].size, tensor.shape[1].size, data);
  if (!matrix) {
    return fail(matrix.error());
  }
  weight.matrix = *matrix;
  return {};
}

Result<Weights> Weights::make(const graph::Plan& plan, const std::vector<import::Recipe>& recipes,
                              const import::Checkpoint& checkpoint, const quantize::Options& options,
                              Parallel& parallel) {
  Weights out;
  out.weights_.resize(plan.tensors.size());
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    const graph::Tensor& tensor = plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    auto weight = make_one(tensor, recipes[id], checkpoint, options, parallel);
    if (!weight) {
      return fail(std::move(weight.error()).with("weight '" + tensor.name + "'"));
    }
    out.bytes_ += weight->memory.size();
    out.weights_[id] = std::move(*weight);
  }
  return out;
}

Result<Weights> Weights::place(const graph::Plan& plan, std::span<const Bytes> shards) {
  const auto bad = [](std::string message) { return fail(Code::kInvalidArgument, std::move(message), "shards"); };
  if (shards.size() != plan.shards.size()) {
    return bad("there are " + std::to_string(shards.size()) + " shards of " + std::to_string(plan.shards.size()));
  }
  for (std::size_t index = 0; index < shards.size(); ++index) {
    if (shards[index].size() != plan.shards[index].bytes) {
      return bad("shard " + plan.shards[index].sha256 + " has " + std::to_string(shards[index].size()) +
                 " bytes, expected " + std::to_string(plan.shards[index].bytes));
    }
    if (reinterpret_cast<std::uintptr_t>(shards[index].data()) % kMemoryAlignment != 0) {
      return bad("shard " + plan.shards[index].sha256 + " does not begin on a multiple of 64 bytes");
    }
  }
  Weights out;
  out.weights_.resize(plan.tensors.size());
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    const graph::Tensor& tensor = plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    const auto bytes = graph::stored_bytes(tensor);
    const auto data = bytes && tensor.shard < shards.size() ? slice(shards[tensor.shard], tensor.offset, *bytes)
                                                            : std::optional<Bytes>();
    if (!data) {
      return bad("weight '" + tensor.name + "' does not lie within its shard");
    }
    if (auto placed = place_one(tensor, *data, out.weights_[id]); !placed) {
      return fail(std::move(placed.error()).with("weight '" + tensor.name + "'"));
    }
    out.bytes_ += *bytes;
  }
  return out;
}

}  // namespace shoal::runtime
