#include "server/models/config_support.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "inference/model_config.pb.h"
#include "server/models/echo_config.hpp"

namespace shoal::models {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fields that something is done with, with all that is below them; what they may hold is checked where it is read.
constexpr auto kDone = std::to_array<std::string_view>({
    "name", "platform", "backend", "version_policy", "max_batch_size", "input.name", "input.data_type",
    "input.format",  // for people and clients: it changes no shape
    "input.dims", "output.name", "output.data_type", "output.dims", "output.label_filename", "instance_group.name",
    "instance_group.count", "instance_group.kind", "default_model_filename", "metric_tags", "dynamic_batching",
    "sequence_batching",
    // On by default in Triton, which writes them into configurations that it completes; here no memory is pinned.
    "optimization.input_pinned_memory.enable", "optimization.output_pinned_memory.enable", "parameters", "model_warmup",
    "model_transaction_policy",
    "response_cache.",  // { enable: false }, in which nothing is set
});

bool is_done(const std::string& path) { return std::ranges::find(kDone, path) != kDone.end(); }

// Whether anything below the message is done.
bool is_part_done(const std::string& path) {
  return std::ranges::any_of(kDone, [&](std::string_view done) { return done.starts_with(path + '.'); });
}

Status check(const Message& message, const std::string& prefix) {
  std::vector<const FieldDescriptor*> set;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  reflection.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    const std::string path = prefix + field->name();
    if (is_done(path)) {
      continue;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || !is_part_done(path)) {
      return fail(Code::kInvalidArgument, path + " is not supported", path);
    }
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int at = 0; at < count; ++at) {
      const Message& below = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, at)
                                                  : reflection.GetMessage(message, field);
      if (Status status = check(below, path + '.'); !status) {
        return status;
      }
    }
  }
  return {};
}

}  // namespace

Status check_supported(const inference::ModelConfig& config) {
  if (Status status = check(config, {}); !status) {
    return status;
  }
  const auto bad = [](std::string_view field, std::string message) {
    return fail(Code::kInvalidArgument, std::move(message), std::string(field));
  };
  if (config.model_transaction_policy().decoupled() && !is_echo(config) && config.platform() != kPlanPlatform) {
    return bad("model_transaction_policy",
               "model_transaction_policy: only models of the echo backend may be decoupled");
  }
  const bool is_platform_fine = config.platform().empty() || (is_echo(config) ? config.platform() == kEchoPlatform
                                                                              : config.platform() == kOnnxPlatform ||
                                                                                    config.platform() == kPlanPlatform);
  const bool is_backend_fine =
      config.backend().empty() || config.backend() == "onnxruntime" || config.backend() == "shoal" || is_echo(config);
  if (!is_platform_fine || !is_backend_fine) {
    return bad("backend",
               fmt::format("platform '{}' with backend '{}' is not served here: the platform is 'onnxruntime_onnx' "
                           "or 'shoal_plan', the backend 'shoal' or 'onnxruntime'; or the backend is 'echo'",
                           config.platform(), config.backend()));
  }
  if (config.max_batch_size() < 0) {
    return bad("max_batch_size", fmt::format("max_batch_size is {}, it must be >= 0", config.max_batch_size()));
  }
  return {};
}

}  // namespace shoal::models
