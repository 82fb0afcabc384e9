#include "server/api/openai/responses.hpp"

#include <memory>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/openai/responses_answer.hpp"
#include "server/api/openai/text_answers.hpp"
#include "server/api/openai/text_requests.hpp"
#include "server/core/ids.hpp"

namespace shoal::api::openai {
namespace {

struct Prepared {
  TextRequests requests;
  nlohmann::ordered_json about;
};

Result<Prepared> prepare(const models::Snapshot& snapshot, const http::Request& request) {
  auto body = wire::parse_responses(request.body);
  if (!body) {
    return fail(std::move(body.error()));
  }
  auto about = repeated(*body);
  auto requests = chat_requests(snapshot, request, std::move(*body));
  if (!requests) {
    std::string& param = requests.error().param;
    param = param == "messages" ? "input" : param == "response_format" ? "text.format" : param;
    return fail(std::move(requests.error()));
  }
  return Prepared{.requests = std::move(*requests), .about = std::move(about)};
}

}  // namespace

boost::asio::awaitable<http::Response> responses(Services& services, http::Exchange& exchange) {
  const models::SnapshotPtr snapshot = services.models();
  const auto prepare_here = [&] { return prepare(*snapshot, exchange.request); };
  auto prepared = exchange.request.body.size() > services.limits.text_offload_bytes
                      ? co_await http::offload(services.cpu, prepare_here)
                      : prepare_here();
  exchange.request.body = {};
  if (!prepared) {
    co_return error_response(http::ErrorStyle::kOpenai, prepared.error());
  }
  TextRequests& requests = prepared->requests;
  const bool is_streamed = requests.options.is_streamed;
  auto writer = std::make_shared<ResponsesAnswer>(ResponsesAnswer::Head{
      .unique = uuid_v7(),
      .created = unix_seconds(),
      .model = requests.model->name,
      .about = std::move(prepared->about),
      .wants_token_ids = requests.options.wants_token_ids,
      .tokenizer = requests.options.wants_logprobs ? requests.model->generation->tokenizer : nullptr,
      .tool_style = requests.tool_style});
  co_return co_await answer_text(services, exchange, std::move(requests.requests), std::move(writer), is_streamed);
}

}  // namespace shoal::api::openai
