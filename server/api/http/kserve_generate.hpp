// POST /v2/models/{model}[/versions/{version}]/generate and /generate_stream: a flat JSON object for the tensors, one
// JSON object as the answer, or one for each response as a server-sent event. Main lane; large JSON is read and written
// on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::http {

// kInvalidArgument when there is not exactly one response.
boost::asio::awaitable<Response> generate(Services& services, Exchange& exchange);
// What fails before the first response is an HTTP error, later an event that says it.
boost::asio::awaitable<Response> generate_stream(Services& services, Exchange& exchange);

}  // namespace shoal::api::http
