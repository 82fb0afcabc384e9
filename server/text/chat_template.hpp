// The chat template of a model: from messages to the text that the model was trained to read. Immutable and thread-safe
// after loading. A template is a program of whoever made the model: its steps and its output are bounded.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/text/tool_calls.hpp"

struct ShoalTemplate;

namespace shoal::text {

struct ChatOptions {
  // Ends with the words that begin an answer.
  bool add_generation_prompt = true;
  // What the template's strftime_now says, in local time.
  std::time_t now = 0;
  // More variables: tools, documents, enable_thinking and so on.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
};

class ChatTemplate {
 public:
  static constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20;

  // `source` is Jinja; `tokenizer_config` the text of a tokenizer_config.json, or empty: its special tokens (bos_token,
  // eos_token, ...) are variables of the template. kInvalidArgument says in which line the template is wrong.
  static Result<std::shared_ptr<const ChatTemplate>> load(std::string_view source, std::string_view tokenizer_config);

  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;
  ~ChatTemplate();

  // `messages` is a list of {"role": ..., "content": ...}. kInvalidArgument: the template raises (roles that do not
  // alternate, for one), takes too many steps or writes more than kMaxTextBytes.
  [[nodiscard]] Result<std::string> render(const nlohmann::ordered_json& messages, const ChatOptions& options) const;

  // How a model that was taught by it calls tools.
  [[nodiscard]] ToolStyle tool_style() const { return tool_style_; }

 private:
  ChatTemplate(ShoalTemplate* handle, nlohmann::ordered_json special_tokens, ToolStyle tool_style)
      : handle_(handle), special_tokens_(std::move(special_tokens)), tool_style_(tool_style) {}

  ShoalTemplate* handle_;
  nlohmann::ordered_json special_tokens_;
  ToolStyle tool_style_;
};

}  // namespace shoal::text
