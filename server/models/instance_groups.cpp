#include "server/models/instance_groups.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "inference/model_config.pb.h"

namespace shoal::models {
namespace {

using Group = inference::ModelInstanceGroup;

std::unexpected<Error> bad(int index, std::string_view field, std::string_view why) {
  return fail(Code::kInvalidArgument, fmt::format("instance_group[{}].{}: {}", index, field, why));
}

Status check(const Group& group, int index) {
  if (group.count() < 0 || group.count() > kMaxWorkers) {
    return bad(index, "count", fmt::format("it is {}, it must be 0 to {}", group.count(), kMaxWorkers));
  }
  if (group.kind() != Group::KIND_AUTO && group.kind() != Group::KIND_CPU && group.kind() != Group::KIND_GPU) {
    return bad(index, "kind", "it must be KIND_AUTO, KIND_CPU or KIND_GPU");
  }
  return {};
}

}  // namespace

Status apply_instance_groups(const inference::ModelConfig& config, ModelVersion& model) {
  std::int64_t workers = 0;
  for (int index = 0; index < config.instance_group_size(); ++index) {
    const Group& group = config.instance_group(index);
    if (Status fine = check(group, index); !fine) {
      return fine;
    }
    if (group.kind() != config.instance_group(0).kind()) {
      return bad(index, "kind", "all groups of a model must be of the same kind");
    }
    workers += std::max(group.count(), 1);
  }
  if (workers > kMaxWorkers) {
    return bad(config.instance_group_size() - 1, "count", fmt::format("more than {} workers", kMaxWorkers));
  }
  model.residency.max_workers = static_cast<std::uint32_t>(workers);
  if (workers > 0 && model.residency.min_resident > workers) {
    return fail(Code::kInvalidArgument, fmt::format("shoal_min_resident is {}, instance_group has only {} workers",
                                                    model.residency.min_resident, workers));
  }
  if (workers == 0 || model.has_own_order || config.instance_group(0).kind() == Group::KIND_AUTO) {
    return {};
  }
  const Backend first = config.instance_group(0).kind() == Group::KIND_CPU ? Backend::kWasm : Backend::kWebgpu;
  if (const auto at = std::ranges::find(model.backends, first); at != model.backends.end()) {
    std::rotate(model.backends.begin(), at, at + 1);
  }
  model.has_own_order = true;
  return {};
}

}  // namespace shoal::models
