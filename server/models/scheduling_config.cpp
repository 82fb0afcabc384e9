#include "server/models/scheduling_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "inference/model_config.pb.h"

namespace shoal::models {
namespace {

constexpr std::uint64_t kMaxLevels = 1024;
constexpr std::uint64_t kMaxDelayUs = 60'000'000;
constexpr std::uint64_t kMaxTimeoutUs = 86'400'000'000;

std::unexpected<Error> bad(std::string message) {
  return fail(Code::kInvalidArgument, "dynamic_batching." + std::move(message));
}

// Requests can be joined where the batch is the first dimension of every tensor and its rows are one after the other.
bool can_join(const ModelVersion& model) {
  const auto is_plain = [](const TensorSignature& tensor) {
    return tensor.has_rank && tensor.datatype != DataType::kBytes;
  };
  return model.max_batch_size > 1 && std::ranges::all_of(model.inputs, is_plain) &&
         std::ranges::all_of(model.outputs, is_plain);
}

Result<QueuePolicy> read_policy(const inference::ModelQueuePolicy& said, const std::string& field) {
  if (said.default_timeout_microseconds() > kMaxTimeoutUs) {
    return bad(fmt::format("{}.default_timeout_microseconds is {}, the limit is {}", field,
                           said.default_timeout_microseconds(), kMaxTimeoutUs));
  }
  if (!inference::ModelQueuePolicy::TimeoutAction_IsValid(said.timeout_action())) {
    return bad(fmt::format("{}.timeout_action is {}, it must be REJECT or DELAY", field,
                           static_cast<int>(said.timeout_action())));
  }
  return QueuePolicy{
      .delays = said.timeout_action() == inference::ModelQueuePolicy::DELAY,
      .default_timeout = std::chrono::microseconds(static_cast<std::int64_t>(said.default_timeout_microseconds())),
      .max_queue_size = said.max_queue_size()};
}

Status read_levels(const inference::ModelDynamicBatching& said, SchedulingConfig& scheduling) {
  if (said.priority_levels() > kMaxLevels) {
    return bad(fmt::format("priority_levels is {}, the limit is {}", said.priority_levels(), kMaxLevels));
  }
  if (said.priority_levels() == 0) {
    if (said.default_priority_level() != 0) {
      return bad("default_priority_level needs priority_levels");
    }
  } else {
    if (said.default_priority_level() == 0 || said.default_priority_level() > said.priority_levels()) {
      return bad(fmt::format("default_priority_level is {}, it must be 1 to priority_levels, which is {}",
                             said.default_priority_level(), said.priority_levels()));
    }
    scheduling.priority_levels = static_cast<std::uint32_t>(said.priority_levels());
    scheduling.default_priority = static_cast<std::uint32_t>(said.default_priority_level());
  }
  auto policy = read_policy(said.default_queue_policy(), "default_queue_policy");
  if (!policy) {
    return fail(std::move(policy.error()));
  }
  scheduling.default_policy = *policy;
  for (const auto& [level, entry] : said.priority_queue_policy()) {
    const std::string field = fmt::format("priority_queue_policy[{}]", level);
    if (level == 0 || level > scheduling.priority_levels) {
      return bad(fmt::format("{}: the model has the priority levels 1 to {}", field, scheduling.priority_levels));
    }
    auto of_level = read_policy(entry, field);
    if (!of_level) {
      return fail(std::move(of_level.error()));
    }
    scheduling.policies.emplace(static_cast<std::uint32_t>(level), *of_level);
  }
  return {};
}

}  // namespace

Result<SchedulingConfig> read_scheduling(const inference::ModelConfig& config, const ModelVersion& model) {
  SchedulingConfig scheduling;
  if (!config.has_dynamic_batching()) {
    // Rows of a sentence encoder are known not to look at each other; of other graphs only their owner can say that.
    if (model.embedding && can_join(model)) {
      scheduling.max_rows = model.max_batch_size;
    }
    return scheduling;
  }
  const inference::ModelDynamicBatching& said = config.dynamic_batching();
  if (model.max_batch_size == 0) {
    return bad(
        "the model has no batch dimension (max_batch_size is 0), so that its requests cannot be joined; leave "
        "dynamic_batching out");
  }
  if (said.preserve_ordering()) {
    return bad("preserve_ordering is not supported: answers leave as soon as they are there");
  }
  if (said.max_queue_delay_microseconds() > kMaxDelayUs) {
    return bad(fmt::format("max_queue_delay_microseconds is {}, the limit is {}", said.max_queue_delay_microseconds(),
                           kMaxDelayUs));
  }
  for (const std::int32_t size : said.preferred_batch_size()) {
    if (size < 1 || size > model.max_batch_size) {
      return bad(fmt::format("preferred_batch_size is {}, it must be 1 to max_batch_size, which is {}", size,
                             model.max_batch_size));
    }
    scheduling.preferred_rows.push_back(static_cast<std::uint32_t>(size));
  }
  std::ranges::sort(scheduling.preferred_rows);
  const auto repeated = std::ranges::unique(scheduling.preferred_rows);
  scheduling.preferred_rows.erase(repeated.begin(), repeated.end());
  scheduling.max_delay = std::chrono::microseconds(static_cast<std::int64_t>(said.max_queue_delay_microseconds()));
  scheduling.max_rows = can_join(model) ? model.max_batch_size : 1;
  scheduling.is_configured = true;
  if (Status read = read_levels(said, scheduling); !read) {
    return fail(std::move(read.error()));
  }
  return scheduling;
}

}  // namespace shoal::models
