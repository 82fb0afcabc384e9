#include "server/api/openai/responses_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/api/openai/report.hpp"
#include "server/api/openai/token_logprobs.hpp"
#include "server/core/error_table.hpp"

namespace shoal::api::openai {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

Json repeated(const wire::ResponsesBody& body) {
  Json out = {{"instructions", body.instructions},
              {"max_output_tokens", nullptr},
              {"metadata", body.metadata},
              {"parallel_tool_calls", body.form.is_parallel},
              {"previous_response_id", nullptr},
              {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
              {"store", false},
              {"temperature", body.sampling.temperature},
              {"text", {{"format", body.form.format}}},
              {"tool_choice", body.choice_as_given},
              {"tools", body.tools_as_given},
              {"top_logprobs", body.top_logprobs},
              {"top_p", body.sampling.top_p},
              {"truncation", "disabled"},
              {"user", body.user}};
  if (body.max_tokens) {
    out["max_output_tokens"] = *body.max_tokens;
  }
  return out;
}

void ResponsesAnswer::add(std::size_t /*choice*/, dispatch::InferenceResponse response, bool is_last) {
  added_text_.clear();
  added_ids_.clear();
  added_logprobs_.clear();
  if (response.piece) {
    text::ToolCalls::Piece read = reader_.add(response.piece->text);
    if (is_last) {
      text::ToolCalls::Piece rest = reader_.finish();
      read.content += rest.content;
      std::ranges::move(rest.calls, std::back_inserter(read.calls));
    }
    added_text_ = std::move(read.content);
    added_ids_ = std::move(response.piece->ids);
    added_logprobs_ = std::move(response.piece->logprobs);
    text_ += added_text_;
    has_text_ = has_text_ || !added_text_.empty();
    std::ranges::move(read.calls, std::back_inserter(calls_));
    ids_.insert(ids_.end(), added_ids_.begin(), added_ids_.end());
    logprobs_.insert(logprobs_.end(), added_logprobs_.begin(), added_logprobs_.end());
  }
  if (is_last) {
    last_ = std::move(response);
  }
}

std::string ResponsesAnswer::status() const { return last_->finish_reason == "length" ? "incomplete" : "completed"; }

Json ResponsesAnswer::text_part(bool is_done) const {
  const bool has_logprobs = is_done && head_.tokenizer != nullptr;
  return {{"type", "output_text"},
          {"text", is_done ? text_ : std::string()},
          {"annotations", Json::array()},
          {"logprobs", has_logprobs ? chat_logprobs(*head_.tokenizer, ids_, logprobs_) : Json::array()}};
}

Json ResponsesAnswer::message_item(bool is_done) const {
  return {{"id", "msg_" + head_.unique},
          {"type", "message"},
          {"status", is_done ? status() : "in_progress"},
          {"role", "assistant"},
          {"content", is_done ? Json::array({text_part(true)}) : Json::array()}};
}

Json ResponsesAnswer::call_item(std::size_t index, bool is_done) const {
  const text::ToolCall& call = calls_[index];
  return {{"id", fmt::format("fc_{}_{}", head_.unique, index)},
          {"type", "function_call"},
          {"status", is_done ? "completed" : "in_progress"},
          {"call_id", fmt::format("call_{}_{}", head_.unique, index)},
          {"name", call.name},
          {"arguments", is_done ? call.arguments : std::string()}};
}

Json ResponsesAnswer::output() const {
  Json out = Json::array();
  if (has_message()) {
    out.push_back(message_item(true));
  }
  for (std::size_t index = 0; index < calls_.size(); ++index) {
    out.push_back(call_item(index, true));
  }
  return out;
}

Json ResponsesAnswer::document(std::string_view status) const {
  Json out = {{"id", "resp_" + head_.unique},
              {"object", "response"},
              {"created_at", head_.created},
              {"status", status},
              {"error", nullptr},
              {"incomplete_details", nullptr},
              {"model", head_.model},
              {"output", Json::array()}};
  out.update(head_.about);
  out["usage"] = nullptr;
  if (status == "incomplete") {
    out["incomplete_details"] = {{"reason", "max_output_tokens"}};
  }
  if (last_ && last_->piece) {
    const dispatch::TextPiece& piece = *last_->piece;
    out["output"] = output();
    out["usage"] = {{"input_tokens", piece.prompt_tokens},
                    {"input_tokens_details", {{"cached_tokens", last_->cached_tokens}}},
                    {"output_tokens", piece.completion_tokens},
                    {"output_tokens_details", {{"reasoning_tokens", 0}}},
                    {"total_tokens", piece.prompt_tokens + piece.completion_tokens}};
    if (head_.wants_token_ids) {
      out["token_ids"] = ids_;
    }
    out["shoal"] = report_of(*last_);
  }
  return out;
}

std::string ResponsesAnswer::whole() const { return text_of(document(status())); }

std::string ResponsesAnswer::event(std::string_view type, Json members) {
  Json out = {{"type", type}, {"sequence_number", sequence_++}};
  out.update(members);
  return fmt::format("event: {}\ndata: {}\n\n", type, text_of(out));
}

std::string ResponsesAnswer::begin_events() {
  const Json response = document("in_progress");
  std::string out = event("response.created", {{"response", response}});
  return out + event("response.in_progress", {{"response", response}});
}

std::string ResponsesAnswer::begin_message() {
  is_message_open_ = true;
  std::string out = event("response.output_item.added", {{"output_index", 0}, {"item", message_item(false)}});
  return out + event("response.content_part.added", {{"item_id", "msg_" + head_.unique},
                                                     {"output_index", 0},
                                                     {"content_index", 0},
                                                     {"part", text_part(false)}});
}

std::string ResponsesAnswer::end_message() {
  const Json place = {{"item_id", "msg_" + head_.unique}, {"output_index", 0}, {"content_index", 0}};
  Json done = place;
  const Json part = text_part(true);
  done.update({{"text", text_}, {"logprobs", part["logprobs"]}});
  Json part_done = place;
  part_done["part"] = part;
  std::string out = event("response.output_text.done", done);
  out += event("response.content_part.done", part_done);
  return out + event("response.output_item.done", {{"output_index", 0}, {"item", message_item(true)}});
}

std::string ResponsesAnswer::call_events(std::size_t index) {
  const std::size_t place = index + (has_message() ? 1 : 0);
  const Json item = call_item(index, true);
  const Json at = {{"item_id", item["id"]}, {"output_index", place}};
  Json delta = at;
  delta["delta"] = item["arguments"];
  Json done = at;
  done["name"] = item["name"];
  done["arguments"] = item["arguments"];
  std::string out = event("response.output_item.added", {{"output_index", place}, {"item", call_item(index, false)}});
  out += event("response.function_call_arguments.delta", delta);
  out += event("response.function_call_arguments.done", done);
  return out + event("response.output_item.done", {{"output_index", place}, {"item", item}});
}

std::string ResponsesAnswer::events(std::size_t /*choice*/) {
  std::string out = std::exchange(has_begun_, true) ? std::string() : begin_events();
  if (!added_text_.empty() || (last_ && has_message())) {
    out += is_message_open_ ? std::string() : begin_message();
  }
  if (!added_text_.empty()) {
    out += event(
        "response.output_text.delta",
        {{"item_id", "msg_" + head_.unique},
         {"output_index", 0},
         {"content_index", 0},
         {"delta", added_text_},
         {"logprobs",
          head_.tokenizer == nullptr ? Json::array() : chat_logprobs(*head_.tokenizer, added_ids_, added_logprobs_)}});
  }
  // Where items stand is certain once the answer has ended: text may follow a call.
  if (last_) {
    out += is_message_open_ ? end_message() : std::string();
    for (; told_calls_ < calls_.size(); ++told_calls_) {
      out += call_events(told_calls_);
    }
  }
  return out;
}

std::string ResponsesAnswer::closing_events() {
  return event(status() == "completed" ? "response.completed" : "response.incomplete",
               {{"response", document(status())}});
}

std::string ResponsesAnswer::error_events(const Error& error) {
  const ErrorRow& row = error_row(error.code);
  return event("error", {{"code", row.openai_code.empty() ? Json() : Json(row.openai_code)},
                         {"message", error.message},
                         {"param", error.param.empty() ? Json() : Json(error.param)}});
}

}  // namespace shoal::api::openai
