// OpenAI-compatible routes: /v1/models, /v1/models/{model}, /v1/embeddings, /v1/chat/completions, /v1/completions,
// /v1/responses; /tokenize and /detokenize beside them. The router refers to `services`, which must outlive it. Main
// lane; long texts are tokenised on the CPU pool.
#pragma once

#include "server/api/http/router.hpp"
#include "server/api/services.hpp"

namespace shoal::api::openai {

void add_openai_routes(http::Router& router, Services& services);

}  // namespace shoal::api::openai
