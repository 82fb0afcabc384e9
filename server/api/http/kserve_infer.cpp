#include "server/api/http/kserve_infer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/http/submit.hpp"
#include "server/api/kserve/infer_call.hpp"
#include "server/wire/kserve_json.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;
constexpr std::string_view kJsonSizeHeader = "Inference-Header-Content-Length";

// What of the request is needed to write the answer.
struct AnswerForm {
  std::string id;
  std::vector<wire::RequestedOutput> outputs;
  kserve::Classes classes;
  bool binary = false;  // where an output does not say

  [[nodiscard]] bool is_binary(std::string_view output) const {
    const auto found = std::ranges::find(outputs, output, &wire::RequestedOutput::name);
    return found == outputs.end() ? binary : found->binary.value_or(binary);
  }
};

struct ParsedRequest {
  kserve::InferCall call;
  AnswerForm form;
};

Result<std::optional<std::uint64_t>> json_size(const Request& request) {
  const std::string_view text = request.header("inference-header-content-length");
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint64_t size = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), size);
  if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) {
    return fail(Code::kInvalidArgument, fmt::format("{} '{:.40}' is not a number of bytes", kJsonSizeHeader, text),
                std::string(kJsonSizeHeader));
  }
  return size;
}

Result<ParsedRequest> parse(const Request& request, const models::ModelVersion& model, std::size_t max_tensor_bytes) {
  const auto size = json_size(request);
  if (!size) {
    return fail(size.error());
  }
  ParsedRequest parsed;
  if (*size == std::uint64_t{0}) {
    auto tensor = kserve::raw_input(model, request.body);
    if (!tensor) {
      return fail(std::move(tensor.error()));
    }
    parsed.call.inputs.push_back(std::move(*tensor));
    parsed.form.binary = true;
    return parsed;
  }
  auto body = wire::parse_infer(request.body, *size, max_tensor_bytes);
  if (!body) {
    return fail(std::move(body.error()));
  }
  parsed.call.parameters = std::move(body->parameters);
  parsed.call.inputs = std::move(body->inputs);
  for (const wire::RequestedOutput& output : body->outputs) {
    if (Status status = kserve::add_output(output, parsed.call); !status) {
      return fail(std::move(status.error()));
    }
  }
  parsed.form = {.id = std::move(body->id),
                 .outputs = std::move(body->outputs),
                 .classes = parsed.call.classes,
                 .binary = body->binary_output};
  return parsed;
}

// Refuses before the work what could not be said after it.
Status check_sayable(const models::ModelVersion& model, const kserve::InferCall& call, const AnswerForm& form) {
  for (const models::TensorSignature& output : model.outputs) {
    const bool is_wanted = call.outputs.empty() || std::ranges::find(call.outputs, output.name) != call.outputs.end();
    const bool is_half = output.datatype == DataType::kFp16 || output.datatype == DataType::kBf16;
    if (is_wanted && is_half && !form.is_binary(output.name) && !form.classes.contains(output.name)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("sending {} data via JSON is not supported: ask for output '{}' in binary "
                              "(parameters.binary_data = true)",
                              datatype_name(output.datatype), output.name),
                  output.name);
    }
  }
  return {};
}

Response write_answer(const models::ModelVersion& model, const AnswerForm& form, dispatch::InferenceResponse& answer) {
  if (const Status status = kserve::classify(model, form.classes, answer.outputs); !status) {
    return error_response(ErrorStyle::kKserve, status.error());
  }
  const std::string version = std::to_string(model.version);
  wire::InferAnswer document{.model = model.name,
                             .version = version,
                             .id = form.id,
                             .parameters = kserve::answer_parameters(answer),
                             .outputs = answer.outputs,
                             .binary = {}};
  for (const Tensor& output : answer.outputs) {
    document.binary.push_back(form.is_binary(output.name));
  }
  auto encoded = wire::write_infer(document);
  if (!encoded) {
    return error_response(ErrorStyle::kKserve, encoded.error());
  }
  Response response;
  response.body = std::move(encoded->body);
  response.content_type = encoded->json_size ? "application/octet-stream" : "application/json";
  if (encoded->json_size) {
    response.headers.emplace_back(kJsonSizeHeader, std::to_string(*encoded->json_size));
  }
  return response;
}

// Bytes of the answer that become digits or classes.
std::size_t text_bytes(const AnswerForm& form, const dispatch::InferenceResponse& answer) {
  std::size_t count = 0;
  for (const Tensor& output : answer.outputs) {
    const bool is_text = !form.is_binary(output.name) || form.classes.contains(output.name);
    count += is_text ? output.data.size() : 0;
  }
  return count;
}

}  // namespace

asio::awaitable<Response> infer(Services& services, Exchange& exchange) {
  const Request& request = exchange.request;
  const Limits& limits = services.limits;
  auto model = find_model(*services.models(), request);
  if (!model) {
    co_return error_response(ErrorStyle::kKserve, model.error());
  }
  if ((*model)->is_decoupled) {
    co_return error_response(
        ErrorStyle::kKserve,
        {Code::kOperatorNotSupported, "HTTP end point doesn't support models with decoupled transaction policy", {}});
  }
  const auto parse_here = [&] { return parse(request, **model, limits.infer_body_bytes); };
  auto parsed =
      request.body.size() > limits.json_offload_bytes ? co_await offload(services.cpu, parse_here) : parse_here();
  exchange.request.body = {};  // the tensors are copies; the request may wait long
  if (!parsed) {
    co_return error_response(ErrorStyle::kKserve, parsed.error());
  }
  if (const Status status = check_sayable(**model, parsed->call, parsed->form); !status) {
    co_return error_response(ErrorStyle::kKserve, status.error());
  }
  auto call = kserve::make_request(*model, std::move(parsed->call), request.request_id, request.received);
  if (!call) {
    co_return error_response(ErrorStyle::kKserve, call.error());
  }
  auto answer = co_await submit(services.inference, std::move(*call), exchange);
  if (!answer) {
    co_return error_response(ErrorStyle::kKserve, answer.error());
  }
  const auto write_here = [&] { return write_answer(**model, parsed->form, *answer); };
  if (text_bytes(parsed->form, *answer) > limits.json_offload_bytes) {
    co_return co_await offload(services.cpu, write_here);
  }
  co_return write_here();
}

}  // namespace shoal::api::http
