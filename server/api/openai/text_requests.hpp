// From the body of a completion to requests for the dispatcher, one for each answer. Pure, but for the time that a chat
// template may ask for and the seeds of requests that name none.
#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/api/http/message.hpp"
#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"
#include "server/text/tool_calls.hpp"
#include "server/wire/completion_json.hpp"

namespace shoal::api::openai {

// Tokens of an answer of /v1/completions where a request does not say it, as the API has it.
inline constexpr std::uint32_t kDefaultCompletionTokens = 16;

struct TextRequests {
  models::ModelPtr model;
  wire::CompletionOptions options;
  std::size_t prompts = 1;
  std::vector<std::string> echoes;                      // by prompt; none without `echo`
  text::ToolStyle tool_style = text::ToolStyle::kNone;  // of calls that answers may have
  std::vector<dispatch::InferenceRequest> requests;     // those of the first prompt first
};

// kNotFound: no such model. kInvalidArgument names the member that is wrong, or that the model takes no messages.
Result<TextRequests> chat_requests(const models::Snapshot& snapshot, const http::Request& request, wire::ChatBody body);
Result<TextRequests> completion_requests(const models::Snapshot& snapshot, const http::Request& request,
                                         wire::CompletionBody body);

}  // namespace shoal::api::openai
