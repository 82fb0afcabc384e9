#include "engine/graph/places.hpp"

#include <algorithm>
#include <string>

namespace shoal::graph {
namespace {

std::unexpected<Error> bad(std::string message) { return fail(Code::kGraphBuildingError, std::move(message)); }

Status check_shard(const Shard& shard, std::size_t index) {
  const auto is_hex = [](char letter) { return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'); };
  if (shard.sha256.size() != 64 || !std::ranges::all_of(shard.sha256, is_hex)) {
    return bad("shard " + std::to_string(index) + " is not named by 64 hexadecimal digits");
  }
  if (shard.bytes == 0 || shard.bytes > kMaxShardBytes) {
    return bad("shard " + std::to_string(index) + " has " + std::to_string(shard.bytes) + " bytes");
  }
  return {};
}

Status check_place(const Plan& plan, const Tensor& weight) {
  const std::string name = "weight '" + weight.name + "' ";
  if (weight.shard == kNoShard) {
    return bad(name + "has no place in a shard");
  }
  if (weight.shard >= plan.shards.size()) {
    return bad(name + "lies in shard " + std::to_string(weight.shard) + " of " + std::to_string(plan.shards.size()));
  }
  if (weight.offset % kPlaceAlignment != 0) {
    return bad(name + "begins at " + std::to_string(weight.offset) + ", which is no multiple of 64");
  }
  const auto bytes = stored_bytes(weight);
  if (!bytes) {
    return bad(name + "has no layout: " + bytes.error().message);
  }
  const std::uint64_t end = plan.shards[weight.shard].bytes;
  if (weight.offset > end || *bytes > end - weight.offset) {
    return bad(name + "reaches beyond the " + std::to_string(end) + " bytes of its shard");
  }
  return {};
}

}  // namespace

Result<std::uint64_t> stored_bytes(const Tensor& weight) {
  if (weight.shape.size() == 1) {
    return std::uint64_t{weight.shape[0].size} * sizeof(float);
  }
  const auto layout = formats::layout_of(weight.format, weight.shape[0].size, weight.shape[1].size);
  if (!layout) {
    return fail(layout.error());
  }
  return layout->bytes;
}

Status check_places(const Plan& plan) {
  if (plan.shards.size() > kMaxShards) {
    return bad("the plan has " + std::to_string(plan.shards.size()) + " shards");
  }
  for (std::size_t index = 0; index < plan.shards.size(); ++index) {
    if (auto fits = check_shard(plan.shards[index], index); !fits) {
      return fits;
    }
  }
  for (const Tensor& tensor : plan.tensors) {
    if (tensor.kind == TensorKind::kWeight && !plan.shards.empty()) {
      if (auto fits = check_place(plan, tensor); !fits) {
        return fits;
      }
    } else if (tensor.shard != kNoShard || tensor.offset != 0) {
      return bad("tensor '" + tensor.name + "' has a place in a shard, expected none");
    }
  }
  return {};
}

}  // namespace shoal::graph
