// POST /v1/chat/completions and /v1/completions: prompts in, text out, whole or as server-sent events. What is wrong
// before the first token is an HTTP error, what is wrong later an event with the error, after which the stream ends
// without [DONE]. Main lane; long requests are read on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

boost::asio::awaitable<http::Response> chat_completions(Services& services, http::Exchange& exchange);
boost::asio::awaitable<http::Response> completions(Services& services, http::Exchange& exchange);

}  // namespace shoal::api::openai
