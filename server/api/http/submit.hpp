// Awaiting the dispatcher. While it runs, a client that goes away cancels what is still waiting. Main lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "server/api/http/message.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::http {

boost::asio::awaitable<Result<dispatch::InferenceResponse>> submit(dispatch::InferenceService& service,
                                                                   dispatch::InferenceRequest request,
                                                                   Exchange& exchange);

// All at once, each with an outcome of its own, in the order of the requests.
boost::asio::awaitable<std::vector<Result<dispatch::InferenceResponse>>> submit_each(
    dispatch::InferenceService& service, std::vector<dispatch::InferenceRequest> requests, Exchange& exchange);

// All at once; the answers are in the order of the requests. The first failure cancels the others and is the result.
boost::asio::awaitable<Result<std::vector<dispatch::InferenceResponse>>> submit_all(
    dispatch::InferenceService& service, std::vector<dispatch::InferenceRequest> requests, Exchange& exchange);

}  // namespace shoal::api::http
