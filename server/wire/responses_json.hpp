// The JSON of OpenAI's /v1/responses, as a request for a chat. Knows no model. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/wire/completion_json.hpp"

namespace shoal::wire {

struct ResponsesBody : ChatBody {
  // What the answer repeats of the request.
  nlohmann::ordered_json instructions = nullptr;
  nlohmann::ordered_json tools_as_given = nlohmann::ordered_json::array();
  nlohmann::ordered_json choice_as_given = "auto";
  nlohmann::ordered_json metadata = nlohmann::ordered_json::object();
  nlohmann::ordered_json user = nullptr;
};

// As parse_chat(). Nothing is kept between requests: `store: true` and `previous_response_id` are kInvalidArgument.
Result<ResponsesBody> parse_responses(std::string_view body);

}  // namespace shoal::wire
