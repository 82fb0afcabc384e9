// Models that generate, as /v1 routes find and prompt them. Pure, but for the time that a chat template may ask for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"
#include "server/wire/answer_form.hpp"

namespace shoal::api::openai {

// kNotFound, as OpenAI says it: no such model.
Result<models::ModelPtr> find_any_model(const models::Snapshot& snapshot, const std::string& name);
// kInvalidArgument with `param` model: it does not generate text.
Result<models::ModelPtr> find_generating_model(const models::Snapshot& snapshot, const std::string& name);

struct ChatPrompt {
  const nlohmann::ordered_json& messages;
  nlohmann::ordered_json tools = nullptr;  // as AnswerForm has them
  nlohmann::ordered_json variables;        // of the template
  bool adds_generation_prompt = true;
};

// The text that the model's template makes of messages. kInvalidArgument: it has no template, the template takes no
// tools, or it refuses these messages.
Result<std::string> chat_text(const models::ModelVersion& model, ChatPrompt prompt);

}  // namespace shoal::api::openai
