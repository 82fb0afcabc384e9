#include "server/api/openai/generating_model.hpp"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "server/text/chat_template.hpp"

namespace shoal::api::openai {

Result<models::ModelPtr> find_any_model(const models::Snapshot& snapshot, const std::string& name) {
  auto model = snapshot.find(name);
  if (!model && model.error().code == Code::kNotFound) {
    return fail(Code::kNotFound, fmt::format("The model '{:.200}' does not exist", name), "model");
  }
  return model;
}

Result<models::ModelPtr> find_generating_model(const models::Snapshot& snapshot, const std::string& name) {
  auto model = find_any_model(snapshot, name);
  if (!model) {
    return model;
  }
  if (!(*model)->generation) {
    return fail(Code::kInvalidArgument, fmt::format("The model '{}' does not generate text", name), "model");
  }
  if ((*model)->generation->tokenizer == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' has no tokenizer: its prompts are token ids, at /v2/models", name),
                "model");
  }
  return model;
}

Result<std::string> chat_text(const models::ModelVersion& model, ChatPrompt prompt) {
  const models::GenerationConfig& generation = *model.generation;
  if (generation.chat_template == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' takes no messages: {}. Its place is /v1/completions.", model.name,
                            generation.no_chat_reason),
                "messages");
  }
  if (!prompt.tools.is_null()) {
    if (generation.chat_template->tool_style() == text::ToolStyle::kNone) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("The model '{}' calls no tools: its chat template has no form for them that is known here",
                      model.name),
          "tools");
    }
    prompt.variables["tools"] = std::move(prompt.tools);
  }
  auto text = generation.chat_template->render(prompt.messages, {.add_generation_prompt = prompt.adds_generation_prompt,
                                                                 .now = std::time(nullptr),
                                                                 .variables = std::move(prompt.variables)});
  if (!text) {
    text.error().param = "messages";
  }
  return text;
}

}  // namespace shoal::api::openai
