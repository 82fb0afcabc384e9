#include "server/models/echo_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include "inference/model_config.pb.h"
#include "server/core/echo_sums.hpp"
#include "server/models/config_types.hpp"

namespace shoal::models {
namespace {

constexpr std::uint64_t kMaxDelayUs = 60'000'000;
constexpr std::uint32_t kMaxInstances = 1024;
constexpr std::string_view kDelay = "echo_delay_us";
constexpr std::string_view kDelayPerRow = "echo_delay_per_row_us";
constexpr std::uint64_t kMaxResponses = 4096;
constexpr std::string_view kResponses = "echo_responses";
constexpr std::string_view kGap = "echo_gap_us";
constexpr std::string_view kAccumulate = "echo_accumulate";
constexpr std::array kKeys = {kAccumulate, kDelay, kDelayPerRow, kGap, kResponses};

std::unexpected<Error> bad(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

template <class ConfigTensor>
Result<TensorSignature> signature_of(const ConfigTensor& said, bool has_batch) {
  auto datatype = datatype_of(said.data_type());
  if (!datatype) {
    return fail(std::move(datatype.error()));
  }
  TensorSignature tensor{.name = said.name(), .datatype = *datatype, .dims = {}, .dim_names = {}};
  if (has_batch) {
    tensor.dims.push_back(-1);
    tensor.dim_names.emplace_back("batch");
  }
  if (said.dims_size() == 0 && !has_batch) {
    return bad("dims are missing");
  }
  for (const std::int64_t dim : said.dims()) {
    if (dim < -1 || dim == 0) {
      return bad(fmt::format("a dimension is {}, it must be -1 (any size) or > 0", dim));
    }
    tensor.dims.push_back(dim);
    tensor.dim_names.emplace_back();
  }
  return tensor;
}

template <class ConfigTensors>
Result<std::vector<TensorSignature>> signatures_of(const ConfigTensors& said, bool has_batch, std::string_view role) {
  std::vector<TensorSignature> tensors;
  std::set<std::string> names;
  if (said.empty() || static_cast<std::size_t>(said.size()) > kMaxSignatureTensors) {
    return bad(fmt::format("the echo backend needs 1 to {} entries of {}, there are {}", kMaxSignatureTensors, role,
                           said.size()));
  }
  for (const auto& entry : said) {
    if (entry.name().empty() || !names.insert(entry.name()).second) {
      return bad(fmt::format("{} '{}': a name is given to each, and once", role, entry.name()));
    }
    auto tensor = signature_of(entry, has_batch);
    if (!tensor) {
      return fail(std::move(tensor.error()).with(fmt::format("{} '{}'", role, entry.name())));
    }
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

// `absent` where the key is not there.
Result<std::uint64_t> number_of(const inference::ModelConfig& config, std::string_view key, std::string_view what,
                                std::uint64_t max, std::uint64_t absent) {
  const auto found = config.parameters().find(std::string(key));
  if (found == config.parameters().end()) {
    return absent;
  }
  const std::string& text = found->second.string_value();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) {
    return bad(fmt::format("parameters: {} is '{}', it must be {} from 0 to {}", key, text, what, max));
  }
  return value;
}

Result<Duration> microseconds_of(const inference::ModelConfig& config, std::string_view key) {
  const auto value = number_of(config, key, "microseconds", kMaxDelayUs, 0);
  return value ? Result<Duration>(std::chrono::microseconds(static_cast<std::int64_t>(*value))) : fail(value.error());
}

Result<std::uint32_t> responses_of(const inference::ModelConfig& config) {
  const auto count = number_of(config, kResponses, "a number", kMaxResponses, 1);
  if (!count) {
    return fail(count.error());
  }
  if (*count != 1 && !config.model_transaction_policy().decoupled()) {
    return bad(
        fmt::format("parameters: {} is {}, another number than 1 needs model_transaction_policy {{ decoupled: "
                    "true }}",
                    kResponses, *count));
  }
  return static_cast<std::uint32_t>(*count);
}

Result<bool> accumulates(const inference::ModelConfig& config, const ModelVersion& model) {
  const auto found = config.parameters().find(std::string(kAccumulate));
  if (found == config.parameters().end() || found->second.string_value() == "false") {
    return false;
  }
  if (found->second.string_value() != "true") {
    return bad(
        fmt::format("parameters: {} is '{}', it must be true or false", kAccumulate, found->second.string_value()));
  }
  if (!config.has_sequence_batching()) {
    return bad(fmt::format("parameters: {} needs sequence_batching", kAccumulate));
  }
  for (const TensorSignature& input : model.inputs) {
    if (!has_sums(input.datatype)) {
      return bad(fmt::format("parameters: {}: input '{}' is {}, of which there are no sums", kAccumulate, input.name,
                             datatype_name(input.datatype)));
    }
  }
  return true;
}

Result<std::uint32_t> instances_of(const inference::ModelConfig& config) {
  std::uint64_t count = 0;
  for (const auto& group : config.instance_group()) {
    count += static_cast<std::uint64_t>(std::max(group.count(), 1));
  }
  if (count > kMaxInstances) {
    return bad(fmt::format("instance_group: {} instances, the limit is {}", count, kMaxInstances));
  }
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(count, 1));
}

Status check_keys(const inference::ModelConfig& config) {
  for (const auto& [key, parameter] : config.parameters()) {
    if (key == "shoal_backend" || key == "shoal_buckets" || key == "shoal_family") {
      return bad(fmt::format("parameters: {} is for models that browsers run, not for the echo backend", key));
    }
    if (key.starts_with("echo_") && std::ranges::find(kKeys, key) == kKeys.end()) {
      return bad(fmt::format("parameters: unknown key '{}'; the echo backend's are {}", key, fmt::join(kKeys, ", ")));
    }
  }
  return {};
}

// The input that the output gives back, or nullptr.
const TensorSignature* source_of(const ModelVersion& model, std::size_t output) {
  if (const TensorSignature* same_name = model.input(model.outputs[output].name)) {
    return same_name;
  }
  return output < model.inputs.size() ? &model.inputs[output] : nullptr;
}

}  // namespace

bool is_echo(const inference::ModelConfig& config) { return config.backend() == kEchoBackend; }

Result<GraphSignature> echo_signature(const inference::ModelConfig& config) {
  const bool has_batch = config.max_batch_size() > 0;
  auto inputs = signatures_of(config.input(), has_batch, "input");
  if (!inputs) {
    return fail(std::move(inputs.error()));
  }
  auto outputs = signatures_of(config.output(), has_batch, "output");
  if (!outputs) {
    return fail(std::move(outputs.error()));
  }
  return GraphSignature{.inputs = *std::move(inputs), .outputs = *std::move(outputs), .external = {}};
}

Result<Echo> read_echo(const inference::ModelConfig& config, const ModelVersion& model) {
  if (Status status = check_keys(config); !status) {
    return fail(std::move(status.error()));
  }
  Echo echo;
  for (std::size_t index = 0; index < model.outputs.size(); ++index) {
    const TensorSignature& output = model.outputs[index];
    const TensorSignature* input = source_of(model, index);
    if (input == nullptr) {
      return bad(fmt::format("output '{}': no input has its name, and there are only {} inputs", output.name,
                             model.inputs.size()));
    }
    if (input->datatype != output.datatype || input->dims != output.dims) {
      return bad(fmt::format("output '{}' gives back input '{}', and must have its data_type and dims: {} {} and {} {}",
                             output.name, input->name, datatype_name(output.datatype), shape_text(output.dims),
                             datatype_name(input->datatype), shape_text(input->dims)));
    }
    echo.outputs.emplace_back(output.name, input->name);
  }
  const auto delay = microseconds_of(config, kDelay);
  const auto per_row = microseconds_of(config, kDelayPerRow);
  const auto instances = instances_of(config);
  const auto gap = microseconds_of(config, kGap);
  const auto responses = responses_of(config);
  const auto sums = accumulates(config, model);
  for (const Error* error : {delay ? nullptr : &delay.error(), per_row ? nullptr : &per_row.error(),
                             instances ? nullptr : &instances.error(), gap ? nullptr : &gap.error(),
                             responses ? nullptr : &responses.error(), sums ? nullptr : &sums.error()}) {
    if (error != nullptr) {
      return fail(*error);
    }
  }
  echo.delay = *delay;
  echo.delay_per_row = *per_row;
  echo.instances = *instances;
  echo.gap = *gap;
  echo.responses = *responses;
  echo.accumulates = *sums;
  return echo;
}

}  // namespace shoal::models
