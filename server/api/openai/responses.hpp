// POST /v1/responses: text and calls of functions, whole or as server-sent events. Nothing is kept between requests.
// Main lane; long requests are read on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

boost::asio::awaitable<http::Response> responses(Services& services, http::Exchange& exchange);

}  // namespace shoal::api::openai
