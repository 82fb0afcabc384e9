#include "server/api/openai/completion_answer.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "server/api/openai/report.hpp"

namespace shoal::api::openai {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string event_of(const Json& document) { return "data: " + text_of(document) + "\n\n"; }

Json usage_of(std::span<const Choice> choices, std::size_t per_prompt) {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  for (std::size_t index = 0; index < choices.size(); ++index) {
    if (!choices[index].last || !choices[index].last->piece) {
      continue;
    }
    const dispatch::TextPiece& piece = *choices[index].last->piece;
    prompt += index % per_prompt == 0 ? piece.prompt_tokens : 0;
    completion += piece.completion_tokens;
  }
  return {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}};
}

Json begin(const CompletionAnswer::Head& head, std::string_view object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

}  // namespace

CompletionAnswer::CompletionAnswer(Head head, std::size_t prompts, std::size_t per_prompt,
                                   std::vector<std::string> echoes)
    : head_(std::move(head)), choices_(prompts * per_prompt), per_prompt_(per_prompt) {
  for (std::size_t index = 0; index < choices_.size(); ++index) {
    choices_[index].prompt = index / per_prompt;
    choices_[index].text = echoes.empty() ? std::string() : echoes[index / per_prompt];
  }
}

void CompletionAnswer::add(std::size_t choice, dispatch::InferenceResponse response, bool is_last) {
  Choice& to = choices_[choice];
  added_ = to.has_begun ? std::string() : to.text;
  added_ids_.clear();
  if (response.piece) {
    added_ += response.piece->text;
    to.text += response.piece->text;
    added_ids_ = std::move(response.piece->ids);
    to.ids.insert(to.ids.end(), added_ids_.begin(), added_ids_.end());
  }
  if (is_last) {
    to.last = std::move(response);
  }
}

std::string CompletionAnswer::whole() const {
  Json document = begin(head_, head_.is_chat ? "chat.completion" : "text_completion");
  Json& listed = document["choices"] = Json::array();
  for (std::size_t index = 0; index < choices_.size(); ++index) {
    const Choice& choice = choices_[index];
    Json one = {{"index", index}};
    if (head_.is_chat) {
      one["message"] = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    } else {
      one["text"] = choice.text;
    }
    one["logprobs"] = nullptr;
    one["finish_reason"] = choice.last->finish_reason;
    if (head_.wants_token_ids) {
      one["token_ids"] = choice.ids;
    }
    listed.push_back(std::move(one));
  }
  document["usage"] = usage_of(choices_, per_prompt_);
  document["shoal"] = report_of(*choices_.back().last);
  return text_of(document);
}

std::string CompletionAnswer::events(std::size_t choice) {
  Choice& to = choices_[choice];
  std::string out;
  const auto chunk = [&](Json content, const Json& finish_reason) {
    Json document = begin(head_, head_.is_chat ? "chat.completion.chunk" : "text_completion");
    Json one = {{"index", choice}};
    one[head_.is_chat ? "delta" : "text"] = std::move(content);
    one["logprobs"] = nullptr;
    one["finish_reason"] = finish_reason;
    if (head_.wants_token_ids) {
      one["token_ids"] = std::exchange(added_ids_, {});
    }
    document["choices"] = Json::array({std::move(one)});
    if (head_.wants_usage) {
      document["usage"] = nullptr;
    }
    if (!finish_reason.is_null()) {
      document["shoal"] = report_of(*to.last);
    }
    out += event_of(document);
  };
  const bool is_first = !std::exchange(to.has_begun, true);
  if (is_first && head_.is_chat) {
    const auto ids = std::exchange(added_ids_, {});
    chunk({{"role", "assistant"}, {"content", ""}}, nullptr);
    added_ids_ = ids;
  }
  if (!added_.empty() || (!added_ids_.empty() && head_.wants_token_ids)) {
    const std::string text = std::exchange(added_, {});
    chunk(head_.is_chat ? Json{{"content", text}} : Json(text), nullptr);
  }
  if (to.last) {
    chunk(head_.is_chat ? Json::object() : Json(""), to.last->finish_reason);
  }
  return out;
}

std::string CompletionAnswer::closing_events() const {
  std::string out;
  if (head_.wants_usage) {
    Json document = begin(head_, head_.is_chat ? "chat.completion.chunk" : "text_completion");
    document["choices"] = Json::array();
    document["usage"] = usage_of(choices_, per_prompt_);
    out += event_of(document);
  }
  return out + "data: [DONE]\n\n";
}

}  // namespace shoal::api::openai
