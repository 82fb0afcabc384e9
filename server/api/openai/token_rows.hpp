// The inputs of an embeddings request as rows of token ids that the model can take. Pure.
#pragma once

#include <vector>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"
#include "server/text/tokenizer.hpp"
#include "server/wire/openai_json.hpp"

namespace shoal::api::openai {

// kInvalidArgument: an id outside the vocabulary. kContextLengthExceeded: longer than the model takes, unless the body
// asks to cut; a text that is cut keeps its last special token. Requires: model.embedding.
Result<std::vector<text::Tokens>> token_rows(const models::ModelVersion& model, const wire::EmbeddingsBody& body);

}  // namespace shoal::api::openai
