#include "server/api/openai/completion_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/openai/report.hpp"
#include "server/api/openai/token_logprobs.hpp"

namespace shoal::api::openai {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json usage_of(std::span<const Choice> choices, std::size_t per_prompt) {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  std::uint64_t cached = 0;
  for (std::size_t index = 0; index < choices.size(); ++index) {
    if (!choices[index].last || !choices[index].last->piece) {
      continue;
    }
    const dispatch::TextPiece& piece = *choices[index].last->piece;
    prompt += index % per_prompt == 0 ? piece.prompt_tokens : 0;
    cached += index % per_prompt == 0 ? choices[index].last->cached_tokens : 0;
    completion += piece.completion_tokens;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

Json begin(const CompletionAnswer::Head& head, std::string_view object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

// An answer that was cut is no call that is over.
std::string finish_reason(const Choice& choice) {
  return choice.calls.empty() || choice.last->finish_reason != "stop" ? choice.last->finish_reason : "tool_calls";
}

}  // namespace

CompletionAnswer::CompletionAnswer(Head head, std::size_t prompts, std::size_t per_prompt,
                                   const std::vector<std::string>& echoes)
    : head_(std::move(head)), per_prompt_(per_prompt) {
  // What all chunks begin with, written once: a chunk is made for each token of each stream.
  chunk_stem_ = "data: " + text_of(begin(head_, head_.is_chat ? "chat.completion.chunk" : "text_completion"));
  chunk_stem_.back() = ',';
  for (std::size_t index = 0; index < prompts * per_prompt; ++index) {
    Choice& choice = choices_.emplace_back(head_.tool_style);
    choice.text = echoes.empty() ? std::string() : echoes[index / per_prompt];
  }
}

void CompletionAnswer::add(std::size_t choice, dispatch::InferenceResponse response, bool is_last) {
  Choice& to = choices_[choice];
  added_ = {};
  if (response.piece) {
    text::ToolCalls::Piece read = to.reader.add(response.piece->text);
    if (is_last) {
      text::ToolCalls::Piece rest = to.reader.finish();
      read.content += rest.content;
      std::ranges::move(rest.calls, std::back_inserter(read.calls));
    }
    added_.ids = std::move(response.piece->ids);
    added_.logprobs = std::move(response.piece->logprobs);
    added_.text = (to.has_begun ? std::string() : to.text) + read.content;
    added_.calls = std::move(read.calls);
    to.text += read.content;
    to.calls.insert(to.calls.end(), added_.calls.begin(), added_.calls.end());
    to.ids.insert(to.ids.end(), added_.ids.begin(), added_.ids.end());
    to.logprobs.insert(to.logprobs.end(), added_.logprobs.begin(), added_.logprobs.end());
  }
  if (is_last) {
    to.last = std::move(response);
  }
}

Json CompletionAnswer::call_of(std::size_t choice, std::size_t index, const text::ToolCall& call) const {
  const std::string unique = head_.id.substr(head_.id.find('-') + 1);
  return {{"id", fmt::format("call_{}_{}_{}", unique, choice, index)},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json CompletionAnswer::logprobs_of(std::span<const std::uint32_t> ids,
                                   std::span<const dispatch::TokenLogprobs> logprobs, std::size_t& offset) const {
  if (head_.tokenizer == nullptr) {
    return nullptr;
  }
  return head_.is_chat ? Json{{"content", chat_logprobs(*head_.tokenizer, ids, logprobs)}, {"refusal", nullptr}}
                       : completion_logprobs(*head_.tokenizer, ids, logprobs, offset);
}

std::string CompletionAnswer::whole() const {
  Json document = begin(head_, head_.is_chat ? "chat.completion" : "text_completion");
  Json& listed = document["choices"] = Json::array();
  for (std::size_t index = 0; index < choices_.size(); ++index) {
    const Choice& choice = choices_[index];
    Json one = {{"index", index}};
    if (head_.is_chat) {
      const bool is_call = !choice.calls.empty();
      Json& message = one["message"] = {{"role", "assistant"},
                                        {"content", is_call && choice.text.empty() ? Json() : Json(choice.text)},
                                        {"refusal", nullptr}};
      for (std::size_t call = 0; call < choice.calls.size(); ++call) {
        message["tool_calls"].push_back(call_of(index, call, choice.calls[call]));
      }
    } else {
      one["text"] = choice.text;
    }
    std::size_t offset = 0;
    one["logprobs"] = logprobs_of(choice.ids, choice.logprobs, offset);
    one["finish_reason"] = finish_reason(choice);
    if (head_.wants_token_ids) {
      one["token_ids"] = choice.ids;
    }
    listed.push_back(std::move(one));
  }
  document["usage"] = usage_of(choices_, per_prompt_);
  document["shoal"] = report_of(*choices_.back().last);
  return text_of(document);
}

// `content`: JSON. `finish`: empty before the end.
void CompletionAnswer::write_chunk(std::string& out, std::size_t choice, std::string_view content,
                                   std::string_view finish, bool has_tokens) {
  // Ids and log probabilities go with the first chunk that tells of an addition.
  const auto ids = has_tokens ? std::exchange(added_.ids, {}) : std::vector<std::uint32_t>();
  const Json logprobs = ids.empty() ? Json() : logprobs_of(ids, added_.logprobs, choices_[choice].offset);
  out += chunk_stem_;
  fmt::format_to(std::back_inserter(out), R"("choices":[{{"index":{},"{}":{},"logprobs":{},"finish_reason":)", choice,
                 head_.is_chat ? "delta" : "text", content, logprobs.is_null() ? "null" : text_of(logprobs));
  out += finish.empty() ? "null" : text_of(finish);
  if (head_.wants_token_ids) {
    fmt::format_to(std::back_inserter(out), R"(,"token_ids":[{}])", fmt::join(ids, ","));
  }
  out += head_.wants_usage ? R"(}],"usage":null)" : "}]";
  if (!finish.empty()) {
    out += R"(,"shoal":)" + text_of(report_of(*choices_[choice].last));
  }
  out += "}\n\n";
}

std::string CompletionAnswer::events(std::size_t choice) {
  Choice& to = choices_[choice];
  std::string out;
  const bool is_first = !std::exchange(to.has_begun, true);
  if (is_first && head_.is_chat) {
    write_chunk(out, choice, R"({"role":"assistant","content":""})", "", false);
  }
  const bool has_wanted = !added_.ids.empty() && (head_.wants_token_ids || head_.tokenizer != nullptr);
  if (!added_.text.empty() || (has_wanted && added_.calls.empty() && !to.last)) {
    const std::string text = text_of(added_.text);
    write_chunk(out, choice, head_.is_chat ? R"({"content":)" + text + "}" : text, "", true);
  }
  for (std::size_t index = 0; index < added_.calls.size(); ++index) {
    const std::size_t place = to.calls.size() - added_.calls.size() + index;
    Json call = call_of(choice, place, added_.calls[index]);
    call["index"] = place;
    write_chunk(out, choice, text_of({{"tool_calls", Json::array({std::move(call)})}}), "", true);
  }
  if (to.last) {
    write_chunk(out, choice, head_.is_chat ? "{}" : R"("")", finish_reason(to), true);
  }
  added_ = {};
  return out;
}

std::string CompletionAnswer::closing_events() {
  std::string out;
  if (head_.wants_usage) {
    out = chunk_stem_ + R"("choices":[],"usage":)" + text_of(usage_of(choices_, per_prompt_)) + "}\n\n";
  }
  return out + "data: [DONE]\n\n";
}

std::string CompletionAnswer::error_events(const Error& error) {
  return "data: " + error_response(http::ErrorStyle::kOpenai, error).body + "\n\n";
}

}  // namespace shoal::api::openai
