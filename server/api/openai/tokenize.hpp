// POST /tokenize and /detokenize, as vLLM has them: the ids that a model makes of a prompt or of messages, and back.
// Main lane; long texts are read on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

boost::asio::awaitable<http::Response> tokenize(Services& services, http::Exchange& exchange);
boost::asio::awaitable<http::Response> detokenize(Services& services, http::Exchange& exchange);

}  // namespace shoal::api::openai
