#include "server/models/scheduling_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "inference/model_config.pb.h"

namespace shoal::models {
namespace {

constexpr std::uint64_t kMaxLevels = 1024;
constexpr std::uint64_t kMaxDelayUs = 60'000'000;
constexpr std::uint64_t kMaxTimeoutUs = 86'400'000'000;
constexpr std::uint64_t kDefaultIdleUs = 1'000'000;  // Triton's
constexpr std::int32_t kMaxSequences = 4096;

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

Status read_levels(const inference::ModelDynamicBatching& said, SchedulingConfig& scheduling, bool has_word) {
  if (said.priority_levels() > kMaxLevels) {
    return bad(fmt::format("priority_levels is {}, the limit is {}", said.priority_levels(), kMaxLevels));
  }
  if (said.priority_levels() == 0) {
    if (said.default_priority_level() != 0) {
      return bad("default_priority_level needs priority_levels");
    }
  } else {
    const bool is_missing = said.default_priority_level() == 0 && !has_word;
    if (is_missing || said.default_priority_level() > said.priority_levels()) {
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

Result<SequenceConfig> read_sequences(const inference::ModelSequenceBatching& said) {
  const auto bad_sequences = [](std::string message) {
    return fail(Code::kInvalidArgument, "sequence_batching." + std::move(message));
  };
  if (said.control_input_size() > 0 || said.state_size() > 0) {
    return bad_sequences(
        "control_input and state are not supported: the worker is told the sequence with each request");
  }
  if (said.iterative_sequence()) {
    return bad_sequences("iterative_sequence is not supported");
  }
  if (said.oldest().preserve_ordering()) {
    return bad_sequences("oldest.preserve_ordering is not supported: answers leave as soon as they are there");
  }
  if (said.oldest().preferred_batch_size_size() > 0 || said.direct().minimum_slot_utilization() > 0) {
    return bad_sequences(
        "requests of sequences are not joined: leave preferred_batch_size and minimum_slot_utilization out");
  }
  const std::int32_t candidates = said.oldest().max_candidate_sequences();
  if (candidates < 0 || candidates > kMaxSequences) {
    return bad_sequences(
        fmt::format("oldest.max_candidate_sequences is {}, it must be 0 to {}", candidates, kMaxSequences));
  }
  const std::uint64_t idle =
      said.max_sequence_idle_microseconds() == 0 ? kDefaultIdleUs : said.max_sequence_idle_microseconds();
  if (idle > kMaxTimeoutUs) {
    return bad_sequences(fmt::format("max_sequence_idle_microseconds is {}, the limit is {}", idle, kMaxTimeoutUs));
  }
  return SequenceConfig{.idle = std::chrono::microseconds(static_cast<std::int64_t>(idle)),
                        .max_live = static_cast<std::size_t>(candidates == 0 ? kMaxSequences : candidates)};
}

// The parameter shoal_priority: the level of requests that name none, by its word.
Status read_priority(const inference::ModelConfig& config, SchedulingConfig& scheduling) {
  const auto found = config.parameters().find("shoal_priority");
  if (found == config.parameters().end()) {
    return {};
  }
  const auto level = priority_of(found->second.string_value(), scheduling.priority_levels);
  if (!level) {
    return fail(Code::kInvalidArgument,
                fmt::format("parameters: shoal_priority is '{:.100}', it must be 'high', 'medium' or 'low'",
                            found->second.string_value()));
  }
  if (config.dynamic_batching().default_priority_level() != 0) {
    return bad("default_priority_level and the parameter shoal_priority say the same: leave one of them out");
  }
  scheduling.default_priority = static_cast<std::uint32_t>(*level);
  return {};
}

Result<SchedulingConfig> read_all(const inference::ModelConfig& config, const ModelVersion& model) {
  SchedulingConfig scheduling;
  if (config.has_sequence_batching()) {
    auto sequences = read_sequences(config.sequence_batching());
    if (!sequences) {
      return fail(std::move(sequences.error()));
    }
    scheduling.sequences = *sequences;
    return scheduling;
  }
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
  if (Status read = read_levels(said, scheduling, config.parameters().contains("shoal_priority")); !read) {
    return fail(std::move(read.error()));
  }
  return scheduling;
}

}  // namespace

std::optional<std::uint64_t> priority_of(std::string_view word, std::uint32_t levels) {
  if (word == "high") {
    return 1;
  }
  if (word == "medium") {
    return (levels + 1) / 2;
  }
  return word == "low" ? std::optional<std::uint64_t>(levels) : std::nullopt;
}

Result<SchedulingConfig> read_scheduling(const inference::ModelConfig& config, const ModelVersion& model) {
  auto scheduling = read_all(config, model);
  if (scheduling) {
    if (Status status = read_priority(config, *scheduling); !status) {
      return fail(std::move(status.error()));
    }
  }
  return scheduling;
}

}  // namespace shoal::models
