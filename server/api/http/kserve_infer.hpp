// POST /v2/models/{model}[/versions/{version}]/infer: JSON, JSON with binary tensors, or one raw tensor. Main lane;
// large JSON is read and written on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::http {

boost::asio::awaitable<Response> infer(Services& services, Exchange& exchange);

// The model that the path names. A version that is no number is no path of ours: kNotFound.
Result<models::ModelPtr> find_model(const models::Snapshot& snapshot, const Request& request);

}  // namespace shoal::api::http
