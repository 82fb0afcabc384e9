#include "engine/package/shards.hpp"

#include <map>
#include <string>
#include <utility>

#include "engine/graph/places.hpp"

namespace shoal::package {
namespace {

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + graph::kPlaceAlignment - 1) / graph::kPlaceAlignment * graph::kPlaceAlignment;
}

std::string storage_of(const graph::Tensor& weight) {
  return weight.shape.size() == 1 ? std::string("vector") : formats::format_name(weight.format);
}

}  // namespace

Result<std::vector<std::vector<graph::TensorId>>> place_weights(graph::Plan& plan) {
  plan.shards.clear();
  std::vector<std::vector<graph::TensorId>> contents;
  std::map<std::string, std::uint32_t> open;  // the shard that is being filled, by storage format
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    graph::Tensor& tensor = plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    const auto bytes = graph::stored_bytes(tensor);
    if (!bytes) {
      return fail(Error(bytes.error()).with("weight '" + tensor.name + "'"));
    }
    if (*bytes > graph::kMaxShardBytes) {
      return fail(Code::kResourceLimit, "weight '" + tensor.name + "' has " + std::to_string(*bytes) +
                                            " bytes, at most " + std::to_string(graph::kMaxShardBytes));
    }
    const std::string storage = storage_of(tensor);
    auto found = open.find(storage);
    if (found != open.end()) {
      const std::uint64_t filled = plan.shards[found->second].bytes;
      if (filled >= kEnoughShardBytes || aligned(filled) + *bytes > kMostShardBytes) {
        open.erase(found);
        found = open.end();
      }
    }
    if (found == open.end()) {
      found = open.emplace(storage, static_cast<std::uint32_t>(plan.shards.size())).first;
      plan.shards.emplace_back();
      contents.emplace_back();
    }
    graph::Shard& shard = plan.shards[found->second];
    tensor.shard = found->second;
    tensor.offset = aligned(shard.bytes);
    shard.bytes = tensor.offset + *bytes;
    contents[tensor.shard].push_back(id);
  }
  return contents;
}

}  // namespace shoal::package
