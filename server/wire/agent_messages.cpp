#include "server/wire/agent_messages.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::wire {

// Codes and datatypes cross the wire as numbers: each name must be the same number on both sides.
#define SHOAL_SAME_CODE(ours, theirs) static_assert(static_cast<int>(Code::ours) == static_cast<int>(core::v1::theirs))
SHOAL_SAME_CODE(kInvalidArgument, INVALID_ARGUMENT);
SHOAL_SAME_CODE(kNotFound, NOT_FOUND);
SHOAL_SAME_CODE(kOverloaded, OVERLOADED);
SHOAL_SAME_CODE(kUnavailable, UNAVAILABLE);
SHOAL_SAME_CODE(kDeadlineExceeded, DEADLINE_EXCEEDED);
SHOAL_SAME_CODE(kCancelled, CANCELLED);
SHOAL_SAME_CODE(kResourceLimit, RESOURCE_LIMIT);
SHOAL_SAME_CODE(kBackendUnavailable, BACKEND_UNAVAILABLE);
SHOAL_SAME_CODE(kOperatorNotSupported, OPERATOR_NOT_SUPPORTED);
SHOAL_SAME_CODE(kPrecisionNotSupported, PRECISION_NOT_SUPPORTED);
SHOAL_SAME_CODE(kGraphBuildingError, GRAPH_BUILDING_ERROR);
SHOAL_SAME_CODE(kDeviceLost, DEVICE_LOST);
SHOAL_SAME_CODE(kWorkerLost, WORKER_LOST);
SHOAL_SAME_CODE(kContextLengthExceeded, CONTEXT_LENGTH_EXCEEDED);
SHOAL_SAME_CODE(kInternal, INTERNAL);
SHOAL_SAME_CODE(kUnauthenticated, UNAUTHENTICATED);
SHOAL_SAME_CODE(kPermissionDenied, PERMISSION_DENIED);
SHOAL_SAME_CODE(kQuotaExceeded, QUOTA_EXCEEDED);
static_assert(kCodeCount == core::v1::Code_MAX);
#undef SHOAL_SAME_CODE

#define SHOAL_SAME_TYPE(ours, theirs) \
  static_assert(static_cast<int>(DataType::ours) == static_cast<int>(agent::v1::theirs))
SHOAL_SAME_TYPE(kBool, BOOL);
SHOAL_SAME_TYPE(kUint8, UINT8);
SHOAL_SAME_TYPE(kUint16, UINT16);
SHOAL_SAME_TYPE(kUint32, UINT32);
SHOAL_SAME_TYPE(kUint64, UINT64);
SHOAL_SAME_TYPE(kInt8, INT8);
SHOAL_SAME_TYPE(kInt16, INT16);
SHOAL_SAME_TYPE(kInt32, INT32);
SHOAL_SAME_TYPE(kInt64, INT64);
SHOAL_SAME_TYPE(kFp16, FP16);
SHOAL_SAME_TYPE(kFp32, FP32);
SHOAL_SAME_TYPE(kFp64, FP64);
SHOAL_SAME_TYPE(kBytes, BYTES);
SHOAL_SAME_TYPE(kBf16, BF16);
static_assert(kDataTypeCount == agent::v1::DataType_MAX);
#undef SHOAL_SAME_TYPE

namespace {

constexpr std::size_t kMaxRank = 32;
constexpr std::size_t kMaxDetailBytes = 8192;

std::string either(const std::string& text, std::string_view otherwise) {
  return text.empty() ? std::string(otherwise) : text;
}

// What the benchmark of a backend says when the backend itself said nothing: its probe did not end in time.
std::string unrated(const agent::v1::Capabilities& capabilities, Backend backend, std::string_view otherwise) {
  for (const agent::v1::Benchmark& benchmark : capabilities.benchmarks()) {
    if (benchmark.backend() == backend_name(backend) && !benchmark.why_not().empty()) {
      return benchmark.why_not();
    }
  }
  return std::string(otherwise);
}

// Nothing when `backend` is usable, else why not.
std::optional<std::string> obstacle(const agent::v1::Capabilities& capabilities, Backend backend) {
  switch (backend) {
    case Backend::kWasm:
      return capabilities.wasm_simd() ? std::nullopt
                                      : std::optional<std::string>("the browser has no WebAssembly SIMD");
    case Backend::kWebgpu:
      if (capabilities.webgpu().available()) {
        return std::nullopt;
      }
      return either(capabilities.webgpu().why_not(),
                    unrated(capabilities, backend, "the browser has no WebGPU adapter"));
    case Backend::kEcho:
      return "no browser has it";
    case Backend::kWebnn:
      break;
  }
  // Instances are loaded on the cpu device unless asked otherwise, so that one counts.
  std::string why_not;
  for (const agent::v1::WebNn& device : capabilities.webnn()) {
    if (device.device_type() == "cpu") {
      if (device.available()) {
        return std::nullopt;
      }
      why_not = device.why_not();
    }
  }
  return either(why_not, unrated(capabilities, backend, "the browser has no WebNN"));
}

}  // namespace

std::string_view cut_text(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) {
    return text;
  }
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80U) {
    --limit;
  }
  return text.substr(0, limit);
}

void tensor_to_wire(const Tensor& tensor, agent::v1::Tensor& out) {
  out.set_name(tensor.name);
  out.set_datatype(static_cast<agent::v1::DataType>(tensor.datatype));
  for (const std::int64_t dimension : tensor.shape) {
    out.add_shape(static_cast<std::uint64_t>(dimension));
  }
  out.set_byte_size(tensor.data.size());
}

Result<TensorHeader> tensor_from_wire(const agent::v1::Tensor& message) {
  if (message.datatype() == agent::v1::DATA_TYPE_UNSPECIFIED || !agent::v1::DataType_IsValid(message.datatype())) {
    return fail(Code::kInvalidArgument, fmt::format("output '{}' has unknown datatype {}", message.name(),
                                                    static_cast<int>(message.datatype())));
  }
  if (message.shape_size() > static_cast<int>(kMaxRank)) {
    return fail(Code::kInvalidArgument,
                fmt::format("output '{}' has {} dimensions", message.name(), message.shape_size()));
  }
  TensorHeader header;
  header.tensor.name = message.name();
  header.tensor.datatype = static_cast<DataType>(message.datatype());
  header.byte_size = message.byte_size();
  for (const std::uint64_t dimension : message.shape()) {
    header.tensor.shape.push_back(static_cast<std::int64_t>(std::min<std::uint64_t>(dimension, INT64_MAX)));
  }
  const auto count = element_count(header.tensor.shape, message.name());
  if (!count) {
    return fail(count.error());
  }
  const std::size_t size = datatype_size(header.tensor.datatype);
  if (size != 0 && *count * size != header.byte_size) {
    return fail(Code::kInvalidArgument,
                fmt::format("output '{}' of {} {} declares {} bytes", message.name(),
                            datatype_name(header.tensor.datatype), shape_text(header.tensor.shape), header.byte_size));
  }
  return header;
}

void deadline_to_wire(TimePoint deadline, TimePoint now, agent::v1::Run& out) {
  if (deadline != kNoDeadline) {
    // At least 1: 0 would read as no deadline.
    out.set_timeout_ms(std::max<std::uint64_t>(1, microseconds_between(now, deadline) / 1000));
  }
}

void pooling_to_wire(const Pooling& pooling, agent::v1::Pooling& out) {
  out.set_kind(pooling.kind == Pooling::Kind::kMean ? agent::v1::Pooling::MEAN : agent::v1::Pooling::CLS);
  out.set_normalize(pooling.normalize);
  out.set_output(pooling.output);
  out.set_mask(pooling.mask);
}

void generate_to_wire(const GenerateOptions& options, agent::v1::Generate& out) {
  out.set_max_tokens(options.max_tokens);
  out.mutable_stop_ids()->Add(options.stop_ids.begin(), options.stop_ids.end());
  out.set_decoder_start(options.decoder_start);
  out.set_logprobs(options.wants_logprobs);
  out.set_top_logprobs(options.top_logprobs);
  out.set_masked(options.is_masked);
  const SamplingOptions& from = options.sampling;
  agent::v1::Sampling& to = *out.mutable_sampling();
  to.set_temperature(from.temperature);
  to.set_top_k(from.top_k);
  to.set_top_p(from.top_p);
  to.set_min_p(from.min_p);
  to.set_repetition_penalty(from.repetition_penalty);
  to.set_presence_penalty(from.presence_penalty);
  to.set_frequency_penalty(from.frequency_penalty);
  to.set_seed(from.seed);
  to.mutable_logit_bias()->insert(from.logit_bias.begin(), from.logit_bias.end());
  out.set_prefix_key(options.prefix_key);
}

Error error_from_wire(const agent::v1::Error& message) {
  Error error;
  const int number = message.code();
  error.code = number >= 1 && number <= static_cast<int>(kCodeCount) ? static_cast<Code>(number) : Code::kInternal;
  error.message = either(std::string(cut_text(message.message(), kMaxDetailBytes)), "the browser gave no message");
  if (!message.operator_().empty() && error.message.find(message.operator_()) == std::string::npos) {
    error.message += fmt::format(" (operator {})", cut_text(message.operator_(), 256));
  }
  if (!message.detail().empty() && error.message.find(message.detail()) == std::string::npos) {
    error.message += fmt::format(": {}", cut_text(message.detail(), kMaxDetailBytes));
  }
  return error;
}

BackendProbe probe_backends(const agent::v1::Capabilities& capabilities, std::span<const Backend> allowed) {
  BackendProbe probe;
  for (const Backend backend : allowed) {
    if (auto why_not = obstacle(capabilities, backend)) {
      probe.why_not.emplace(backend, std::move(*why_not));
    } else {
      probe.usable.push_back(backend);
    }
  }
  if (capabilities.webgpu().available()) {
    // SwiftShader and lavapipe may come without the flag set, but not without their names.
    const std::string& architecture = capabilities.webgpu().architecture();
    const bool software = capabilities.webgpu().is_fallback_adapter() || architecture == "swiftshader" ||
                          architecture == "llvmpipe" || architecture == "lavapipe";
    probe.adapter = software ? "software" : "hardware";
  }
  return probe;
}

}  // namespace shoal::wire
