#include "server/api/kserve/infer_call.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>

#include "inference/model_config.pb.h"
#include "server/api/kserve/natural.hpp"
#include "server/api/kserve/text_call.hpp"
#include "server/models/model_config.hpp"
#include "server/models/scheduling_config.hpp"
#include "server/models/validate.hpp"

namespace shoal::api::kserve {
namespace {

constexpr std::size_t kMaxSequenceId = 128;
constexpr std::uint32_t kMaxSinks = 65536;
constexpr std::int64_t kMaxTimeoutUs = std::int64_t{24} * 3600 * 1'000'000;

std::unexpected<Error> wrong(std::string_view name, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("parameter '{}' must be {}", name, expected), std::string(name));
}

Status apply_demand(const std::string& name, const wire::Parameter& value, dispatch::Demand& demand) {
  const auto* text = std::get_if<std::string>(&value);
  if (name == "shoal_backend") {
    auto backends = models::parse_backends(text == nullptr ? std::string_view() : *text);
    if (!backends) {
      return wrong(name, "'wasm', 'webgpu' or 'webnn', or several of them by preference, each once: 'webgpu,wasm'");
    }
    demand.backend = backends->size() == 1 ? std::optional(backends->front()) : std::nullopt;
    demand.preference = backends->size() == 1 ? std::vector<Backend>() : *std::move(backends);
  } else if (name == "shoal_family") {
    demand.family = text == nullptr ? std::nullopt : family_from(*text);
    if (!demand.family) {
      return wrong(name, "'text', 'vision', 'audio' or 'multimodal'");
    }
  } else if (name == "shoal_bits") {
    const auto bits = natural(value);
    if (!bits || *bits == 0 || *bits > 64) {
      return wrong(name, "an integer from 1 to 64");
    }
    demand.bits = static_cast<std::uint32_t>(*bits);
  } else if (name == "shoal_worker" || name == "shoal_variant") {
    if (text == nullptr || text->empty()) {
      return wrong(name, "a string");
    }
    (name == "shoal_worker" ? demand.worker : demand.variant) = *text;
  } else if (name == "shoal_max_batch_size") {
    const auto rows = natural(value);
    if (!rows || *rows == 0 || *rows > std::numeric_limits<std::uint32_t>::max()) {
      return wrong(name, "an integer above 0");
    }
    demand.max_batch_size = static_cast<std::uint32_t>(*rows);
  } else if (name == "shoal_trust") {
    demand.trust = text == nullptr ? std::nullopt : tier_from(*text);
    if (!demand.trust) {
      return wrong(name, "'trusted' or 'untrusted'");
    }
  } else {
    return fail(Code::kInvalidArgument,
                fmt::format("parameter '{:.100}' is not known; there are shoal_backend, shoal_bits, "
                            "shoal_family, shoal_max_batch_size, shoal_overflow, shoal_resume, shoal_sinks, "
                            "shoal_trust, shoal_variant and "
                            "shoal_worker",
                            name),
                name);
  }
  return {};
}

// Of a stateful model. An id of 0 or "" is none, as Triton has it.
Status apply_sequence(const std::string& name, const wire::Parameter& value, std::optional<SequenceStep>& step) {
  if (name == "sequence_id") {
    const auto* text = std::get_if<std::string>(&value);
    const auto number = natural(value);
    if (!number && (text == nullptr || text->size() > kMaxSequenceId)) {
      return wrong(name, fmt::format("an integer >= 0 or a string of at most {} bytes", kMaxSequenceId));
    }
    step = step.value_or(SequenceStep());
    step->id = text != nullptr ? *text : *number == 0 ? std::string() : std::to_string(*number);
    return {};
  }
  const bool* flag = std::get_if<bool>(&value);
  if (name != "sequence_start" && name != "sequence_end") {
    return wrong(name, "sequence_id, sequence_start or sequence_end");
  }
  if (flag == nullptr) {
    return wrong(name, "a boolean");
  }
  step = step.value_or(SequenceStep());
  (name == "sequence_start" ? step->is_first : step->is_last) = *flag;
  return {};
}

Status apply_parameter(const std::string& name, const wire::Parameter& value, dispatch::InferenceRequest& request) {
  if (name == "shoal_resume") {
    const bool* flag = std::get_if<bool>(&value);
    request.resumes = flag != nullptr && *flag;
    return flag != nullptr ? Status() : wrong(name, "a boolean");
  }
  if (name == "shoal_overflow") {
    const auto* word = std::get_if<std::string>(&value);
    if (word == nullptr || (*word != "error" && *word != "shift")) {
      return wrong(name, "'error' or 'shift'");
    }
    if (*word == "shift") {
      request.shift.emplace();
    }
    return {};
  }
  if (name == "shoal_sinks") {
    const auto sinks = natural(value);
    if (!sinks || *sinks > kMaxSinks || !request.shift) {
      return wrong(name, fmt::format("an integer from 0 to {}, beside shoal_overflow 'shift'", kMaxSinks));
    }
    request.shift->sinks = static_cast<std::uint32_t>(*sinks);
    return {};
  }
  if (name.starts_with("shoal_")) {
    return apply_demand(name, value, request.demand);
  }
  if (name == "priority") {
    const auto* word = std::get_if<std::string>(&value);
    const auto priority =
        word == nullptr ? natural(value) : models::priority_of(*word, request.model->scheduling.priority_levels);
    if (!priority) {
      return wrong(name, "an integer >= 0 or 'high', 'medium' or 'low'");
    }
    const std::uint64_t levels = request.model->scheduling.priority_levels;
    if (*priority > levels) {
      return wrong(name, fmt::format("at most {}, the levels of model '{}'", levels, request.model->name));
    }
    request.priority = static_cast<std::uint32_t>(*priority);
    return {};
  }
  if (name == "timeout") {
    const auto* timeout = std::get_if<std::int64_t>(&value);
    if (timeout == nullptr || *timeout < 0) {
      return wrong(name, "an integer >= 0 of microseconds");
    }
    if (*timeout > 0) {
      request.deadline =
          std::min(request.deadline, request.received + std::chrono::microseconds(std::min(*timeout, kMaxTimeoutUs)));
    }
    return {};
  }
  if (name.starts_with("sequence_") && request.model->scheduling.sequences) {
    return apply_sequence(name, value, request.sequence);
  }
  if (name.starts_with("sequence_")) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("parameter '{:.100}' is for stateful models, and model '{}' is not one", name, request.model->name),
        name);
  }
  if (name == "triton_enable_empty_final_response") {
    // perf_analyzer sends it with every request; see wants_empty_final().
    return std::holds_alternative<bool>(value) ? Status() : wrong(name, "a boolean");
  }
  if (name.starts_with("triton_") || name == "headers" || name == "binary_data_output") {
    return fail(Code::kInvalidArgument, fmt::format("parameter '{:.100}' is reserved and cannot be specified", name),
                name);
  }
  return {};
}

}  // namespace

Status add_output(const wire::RequestedOutput& output, InferCall& call) {
  call.outputs.push_back(output.name);
  return output.classification ? add_classes(output.name, *output.classification, call.classes) : Status();
}

Status apply_parameters(const wire::Parameters& parameters, dispatch::InferenceRequest& request) {
  for (const auto& [name, value] : parameters) {
    if (Status status = apply_parameter(name, value, request); !status) {
      return status;
    }
  }
  if (request.shift && !request.text) {
    return wrong("shoal_overflow", "left out: the model does not generate text");
  }
  return {};
}

Result<dispatch::InferenceRequest> make_request(models::ModelPtr model, InferCall call, std::string request_id,
                                                TimePoint received) {
  if (Status status = models::validate(*model, call.inputs, call.outputs); !status) {
    return fail(std::move(status.error()));
  }
  if (Status status = check_classes(*model, call.classes); !status) {
    return fail(std::move(status.error()));
  }
  if (model->is_decoupled && !call.classes.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("classification is not offered for '{}', which is decoupled", model->name),
                call.classes.begin()->first);
  }
  dispatch::InferenceRequest request;
  request.request_id = std::move(request_id);
  request.model = std::move(model);
  if (request.model->generation) {
    auto text = text_request(call.inputs, call.parameters);
    if (!text) {
      return fail(std::move(text.error()));
    }
    request.text = std::move(*text);
  } else {
    request.inputs = std::move(call.inputs);
    request.outputs = std::move(call.outputs);
  }
  request.received = received;
  if (Status status = apply_parameters(call.parameters, request); !status) {
    return fail(std::move(status.error()));
  }
  const std::int64_t rows = models::batch_size_of(*request.model, request.inputs);
  if (const auto most = request.demand.max_batch_size; most && rows > *most) {
    return wrong("shoal_max_batch_size", fmt::format("at least {}, the rows of the request itself", rows));
  }
  return request;
}

bool wants_empty_final(const wire::Parameters& parameters) {
  const auto found = parameters.find("triton_enable_empty_final_response");
  const bool* flag = found == parameters.end() ? nullptr : std::get_if<bool>(&found->second);
  return flag != nullptr && *flag;
}

void each_answer_parameter(const dispatch::InferenceResponse& response,
                           const std::function<void(std::string_view name, const AnswerParameter& value)>& take) {
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      take(name, value);
    }
  };
  const auto number = [&](std::string_view name, std::uint64_t value) { take(name, static_cast<std::int64_t>(value)); };
  text("shoal_backend", response.backend);
  text("shoal_worker", response.worker);
  text("shoal_adapter", response.adapter);
  text("shoal_tier", response.tier);
  text("shoal_variant", response.variant);
  text("shoal_fallback_from", response.fallback_from);
  std::string nodes;
  for (const auto& [where, count] : response.nodes) {
    nodes += fmt::format("{}{}={}", nodes.empty() ? "" : ",", where, count);
  }
  text("shoal_nodes", nodes);
  if (response.bits > 0) {
    number("shoal_bits", response.bits);
  }
  if (response.attempts > 1) {
    number("shoal_attempts", response.attempts);
  }
  if (response.shifts > 0) {
    number("shoal_context_shifts", response.shifts);
  }
  number("shoal_queue_us", response.timing.queue_us);
  number("shoal_compute_us", response.timing.compute_us);
  if (response.piece) {
    number("prompt_tokens", response.piece->prompt_tokens);
    number("completion_tokens", response.piece->completion_tokens);
    if (response.cached_tokens > 0) {
      number("cached_tokens", response.cached_tokens);
    }
    text("finish_reason", response.finish_reason);
  }
}

wire::Parameters answer_parameters(const dispatch::InferenceResponse& response) {
  wire::Parameters parameters;
  each_answer_parameter(response, [&](std::string_view name, const AnswerParameter& value) {
    const auto* text = std::get_if<std::string_view>(&value);
    parameters.emplace(name, text != nullptr ? wire::Parameter(std::string(*text)) : std::get<std::int64_t>(value));
  });
  return parameters;
}

Result<Tensor> raw_input(const models::ModelVersion& model, std::string_view body) {
  const auto unfit = [&](std::string_view why) {
    return fail(Code::kInvalidArgument,
                fmt::format("a raw binary request cannot be made to model '{}': {}", model.name, why));
  };
  const auto wanted = std::ranges::count(model.inputs, false, &models::TensorSignature::is_optional);
  if (wanted != 1) {
    return unfit(fmt::format("it has {} inputs, not one", wanted));
  }
  const models::TensorSignature& signature =
      *std::ranges::find(model.inputs, false, &models::TensorSignature::is_optional);
  Tensor tensor{.name = signature.name, .datatype = signature.datatype, .shape = signature.dims, .data = {}};
  if (model.max_batch_size > 0 && !tensor.shape.empty()) {
    tensor.shape.front() = 1;
  }
  const auto variable = std::ranges::find(tensor.shape, -1);
  if (!signature.has_rank || std::ranges::count(tensor.shape, -1) > 1) {
    return unfit("its input has more than one variable dimension");
  }
  if (tensor.datatype == DataType::kBytes) {
    if (variable != tensor.shape.end()) {
      *variable = 1;
    }
    if (std::ranges::any_of(tensor.shape, [](std::int64_t dim) { return dim != 1; })) {
      return unfit("its input is of BYTES and takes more than one element");
    }
    const auto size = static_cast<std::uint32_t>(body.size());
    tensor.data.assign(reinterpret_cast<const char*>(&size), sizeof(size));
    tensor.data += body;
    return tensor;
  }
  if (variable != tensor.shape.end()) {
    std::uint64_t row = datatype_size(tensor.datatype);
    for (const std::int64_t dim : tensor.shape) {
      row *= dim >= 0 ? static_cast<std::uint64_t>(dim) : 1;
    }
    if (row == 0 || body.size() % row != 0) {
      return unfit(fmt::format("{} bytes are no multiple of {}", body.size(), row));
    }
    *variable = static_cast<std::int64_t>(body.size() / row);
  }
  tensor.data = body;
  return tensor;
}

}  // namespace shoal::api::kserve
