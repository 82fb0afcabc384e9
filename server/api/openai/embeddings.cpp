#include "server/api/openai/embeddings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/http/submit.hpp"
#include "server/api/kserve/infer_call.hpp"
#include "server/api/openai/generating_model.hpp"
#include "server/api/openai/report.hpp"
#include "server/api/openai/token_rows.hpp"
#include "server/models/embedding_inputs.hpp"
#include "server/models/validate.hpp"
#include "server/wire/openai_json.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using dispatch::InferenceRequest;
using dispatch::InferenceResponse;
using http::ErrorStyle;
using http::Exchange;
using http::Response;

struct Prepared {
  wire::EmbeddingsBody body;
  models::ModelPtr model;
  std::vector<InferenceRequest> requests;
  std::vector<std::vector<std::size_t>> rows_of;  // of each request: which inputs its rows are
  std::uint64_t prompt_tokens = 0;
};

Result<models::ModelPtr> find_model(const models::Snapshot& snapshot, const wire::EmbeddingsBody& body) {
  auto model = find_any_model(snapshot, body.model);
  if (!model) {
    return model;
  }
  if (!(*model)->embedding) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' does not make embeddings: {}. It is served at /v2/models.", body.model,
                            (*model)->no_embedding_reason),
                "model");
  }
  if (body.dimensions && *body.dimensions != (*model)->embedding->width) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' makes vectors of {} numbers; other 'dimensions' are not supported",
                            body.model, (*model)->embedding->width),
                "dimensions");
  }
  return model;
}

// Rows of like length go together: what a short row is padded with is computed for nothing.
std::vector<std::vector<std::size_t>> batches(const std::vector<text::Tokens>& rows, std::size_t batch_size) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t row) { return std::pair(rows[row].ids.size(), row); });
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t first = 0; first < order.size(); first += batch_size) {
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
    groups.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(std::min(batch_size, order.size() - first)));
  }
  return groups;
}

Result<InferenceRequest> make_request(const Prepared& prepared, const http::Request& http_request,
                                      std::span<const text::Tokens> rows) {
  auto inputs = models::build_embedding_inputs(*prepared.model, rows);
  if (!inputs) {
    return fail(std::move(inputs.error()));
  }
  InferenceRequest request;
  request.request_id = http_request.request_id;
  request.model = prepared.model;
  request.inputs = std::move(*inputs);
  const models::EmbeddingConfig& embedding = *prepared.model->embedding;
  if (embedding.pooled_output.empty()) {
    request.pooling = embedding.pooling;
  } else {
    request.outputs = {embedding.pooled_output};
  }
  request.received = http_request.received;
  if (Status status = kserve::apply_parameters(prepared.body.parameters, request); !status) {
    status.error().param = "shoal";
    return fail(std::move(status.error()));
  }
  return request;
}

Result<Prepared> prepare(const models::Snapshot& snapshot, const http::Request& http_request, std::size_t max_inputs) {
  auto body = wire::parse_embeddings(http_request.body, max_inputs);
  if (!body) {
    return fail(std::move(body.error()));
  }
  Prepared prepared{.body = std::move(*body), .model = {}, .requests = {}, .rows_of = {}};
  auto model = find_model(snapshot, prepared.body);
  if (!model) {
    return fail(std::move(model.error()));
  }
  prepared.model = std::move(*model);
  auto rows = token_rows(*prepared.model, prepared.body);
  if (!rows) {
    return fail(std::move(rows.error()));
  }
  const auto batch_size = static_cast<std::size_t>(std::max<std::int64_t>(prepared.model->max_batch_size, 1));
  prepared.rows_of = batches(*rows, batch_size);
  for (const std::vector<std::size_t>& group : prepared.rows_of) {
    std::vector<text::Tokens> members;
    for (const std::size_t row : group) {
      prepared.prompt_tokens += (*rows)[row].ids.size();
      members.push_back(std::move((*rows)[row]));
    }
    auto request = make_request(prepared, http_request, members);
    if (!request) {
      return fail(std::move(request.error()));
    }
    prepared.requests.push_back(std::move(*request));
  }
  return prepared;
}

// The vectors in the order of the inputs; kInternal when a worker's answer does not have the promised shape.
Result<std::vector<std::vector<float>>> gather(const Prepared& prepared, std::span<const InferenceResponse> answers) {
  std::vector<std::vector<float>> vectors(prepared.body.inputs.size());
  for (std::size_t index = 0; index < answers.size(); ++index) {
    const std::vector<std::size_t>& rows = prepared.rows_of[index];
    const std::vector<Tensor>& outputs = answers[index].outputs;
    const std::size_t row_bytes = outputs.empty() ? 0 : outputs.front().data.size() / rows.size();
    const bool is_right = outputs.size() == 1 && outputs.front().datatype == DataType::kFp32 && row_bytes > 0 &&
                          row_bytes % sizeof(float) == 0 && outputs.front().data.size() == row_bytes * rows.size();
    if (!is_right) {
      return fail(Code::kInternal, "a worker's answer is not one vector per input");
    }
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::vector<float>& vector = vectors[rows[row]];
      vector.resize(row_bytes / sizeof(float));
      std::memcpy(vector.data(), outputs.front().data.data() + row * row_bytes, row_bytes);
    }
  }
  return vectors;
}

// Where it ran, and the time of the slowest batch.
std::string report(std::span<const InferenceResponse> answers) {
  const auto slowest =
      std::ranges::max_element(answers, {}, [](const InferenceResponse& answer) { return answer.timing.total_us; });
  return report_of(*slowest).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Response write_answer(const Prepared& prepared, std::span<const InferenceResponse> answers) {
  const auto vectors = gather(prepared, answers);
  if (!vectors) {
    return error_response(ErrorStyle::kOpenai, vectors.error());
  }
  Response response;
  response.content_type = "application/json";
  const std::string shoal = report(answers);
  response.body = wire::write_embeddings({.model = prepared.model->name,
                                          .embeddings = *vectors,
                                          .is_base64 = prepared.body.is_base64,
                                          .prompt_tokens = prepared.prompt_tokens,
                                          .shoal = shoal});
  return response;
}

}  // namespace

asio::awaitable<Response> embeddings(Services& services, Exchange& exchange) {
  const Limits& limits = services.limits;
  const models::SnapshotPtr snapshot = services.models();
  const auto prepare_here = [&] { return prepare(*snapshot, exchange.request, limits.embedding_inputs); };
  auto prepared = exchange.request.body.size() > limits.text_offload_bytes
                      ? co_await http::offload(services.cpu, prepare_here)
                      : prepare_here();
  exchange.request.body = {};
  if (!prepared) {
    co_return error_response(ErrorStyle::kOpenai, prepared.error());
  }
  const auto answers = co_await http::submit_all(services.inference, std::move(prepared->requests), exchange);
  if (!answers) {
    co_return error_response(ErrorStyle::kOpenai, answers.error());
  }
  const auto write_here = [&] { return write_answer(*prepared, *answers); };
  const std::size_t answer_bytes = prepared->body.inputs.size() * prepared->model->embedding->width * sizeof(float);
  if (answer_bytes > limits.json_offload_bytes) {
    co_return co_await http::offload(services.cpu, write_here);
  }
  co_return write_here();
}

}  // namespace shoal::api::openai
