// From requests that make text to the HTTP answer of all of them, whole or as server-sent events. What is wrong before
// the first token is an HTTP error, what is wrong later an event with the error, after which the stream ends. Main
// lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/api/http/message.hpp"
#include "server/api/openai/answer_writer.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

// A client that goes away cancels all of them.
boost::asio::awaitable<http::Response> answer_text(Services& services, http::Exchange& exchange,
                                                   std::vector<dispatch::InferenceRequest> requests,
                                                   std::shared_ptr<AnswerWriter> writer, bool is_streamed);

http::Response json_response(std::string body);

std::int64_t unix_seconds();

}  // namespace shoal::api::openai
