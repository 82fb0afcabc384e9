// What a client of a completion is told, whole or in chunks, as OpenAI's API has it. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/openai/answer_writer.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/token_logprobs.hpp"
#include "server/text/tokenizer.hpp"
#include "server/text/tool_calls.hpp"

namespace shoal::api::openai {

// One answer as it grows.
struct Choice {
  explicit Choice(text::ToolStyle style) : reader(style) {}

  std::string text;  // until now, without calls; with `echo` it begins with the prompt
  std::vector<text::ToolCall> calls;
  std::vector<std::uint32_t> ids;
  std::vector<dispatch::TokenLogprobs> logprobs;  // of each id, where they are wanted
  text::ToolCalls reader;
  bool has_begun = false;                                // a chunk has told of it
  std::size_t offset = 0;                                // characters before the next token that is told of
  std::optional<dispatch::InferenceResponse> last = {};  // its end
};

class CompletionAnswer final : public AnswerWriter {
 public:
  struct Head {
    bool is_chat = true;
    std::string id;  // "chatcmpl-..." "cmpl-..."
    std::int64_t created = 0;
    std::string model;
    bool wants_usage = false;                               // in a chunk of its own at the end of a stream
    bool wants_token_ids = false;                           // in each choice
    std::shared_ptr<const text::Tokenizer> tokenizer = {};  // null: log probabilities are not wanted
    text::ToolStyle tool_style = text::ToolStyle::kNone;
  };

  // `echoes`: what each choice begins with; empty strings mostly.
  CompletionAnswer(Head head, std::size_t prompts, std::size_t per_prompt, const std::vector<std::string>& echoes);

  void add(std::size_t choice, dispatch::InferenceResponse response, bool is_last) override;
  [[nodiscard]] std::string whole() const override;
  std::string events(std::size_t choice) override;
  std::string closing_events() override;
  std::string error_events(const Error& error) override;

 private:
  struct Added {
    std::string text;
    std::vector<text::ToolCall> calls;
    std::vector<std::uint32_t> ids;
    std::vector<dispatch::TokenLogprobs> logprobs;
  };
  [[nodiscard]] nlohmann::ordered_json call_of(std::size_t choice, std::size_t index, const text::ToolCall& call) const;
  // Null where they are not wanted.
  [[nodiscard]] nlohmann::ordered_json logprobs_of(std::span<const std::uint32_t> ids,
                                                   std::span<const dispatch::TokenLogprobs> logprobs,
                                                   std::size_t& offset) const;
  void write_chunk(std::string& out, std::size_t choice, std::string_view content, std::string_view finish,
                   bool has_tokens);

  Head head_;
  std::string chunk_stem_;  // "data: {...," as far as the choices
  std::vector<Choice> choices_;
  std::size_t per_prompt_;
  Added added_;  // by the last add()
};

}  // namespace shoal::api::openai
