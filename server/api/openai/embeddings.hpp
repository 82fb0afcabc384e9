// POST /v1/embeddings: texts or token ids in, vectors out. Inputs are cut into batches that the model takes, which run
// at the same time. Main lane; long texts are tokenised on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

boost::asio::awaitable<http::Response> embeddings(Services& services, http::Exchange& exchange);

}  // namespace shoal::api::openai
