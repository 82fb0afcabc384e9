// What a client of /v1/responses is told, whole or as events, as OpenAI's API has it. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/openai/answer_writer.hpp"
#include "server/dispatch/token_logprobs.hpp"
#include "server/text/tokenizer.hpp"
#include "server/text/tool_calls.hpp"
#include "server/wire/responses_json.hpp"

namespace shoal::api::openai {

// The members of a response that repeat its request.
nlohmann::ordered_json repeated(const wire::ResponsesBody& body);

class ResponsesAnswer final : public AnswerWriter {
 public:
  struct Head {
    std::string unique;  // what the ids in it end in
    std::int64_t created = 0;
    std::string model;
    nlohmann::ordered_json about;  // repeated()
    bool wants_token_ids = false;
    std::shared_ptr<const text::Tokenizer> tokenizer = {};  // null: log probabilities are not wanted
    text::ToolStyle tool_style = text::ToolStyle::kNone;
  };

  explicit ResponsesAnswer(Head head) : head_(std::move(head)), reader_(head_.tool_style) {}

  void add(std::size_t choice, dispatch::InferenceResponse response, bool is_last) override;
  [[nodiscard]] std::string whole() const override;
  std::string events(std::size_t choice) override;
  std::string closing_events() override;
  std::string error_events(const Error& error) override;

 private:
  [[nodiscard]] std::string status() const;
  [[nodiscard]] nlohmann::ordered_json document(std::string_view status) const;
  [[nodiscard]] nlohmann::ordered_json output() const;
  [[nodiscard]] nlohmann::ordered_json text_part(bool is_done) const;
  [[nodiscard]] nlohmann::ordered_json message_item(bool is_done) const;
  [[nodiscard]] nlohmann::ordered_json call_item(std::size_t index, bool is_done) const;
  [[nodiscard]] bool has_message() const { return has_text_ || calls_.empty(); }
  std::string event(std::string_view type, nlohmann::ordered_json members);
  std::string begin_events();
  std::string begin_message();
  std::string end_message();
  std::string call_events(std::size_t index);

  Head head_;
  text::ToolCalls reader_;
  std::string text_;
  std::vector<text::ToolCall> calls_;
  std::vector<std::uint32_t> ids_;
  std::vector<dispatch::TokenLogprobs> logprobs_;
  std::optional<dispatch::InferenceResponse> last_;
  std::string added_text_;  // by the last add()
  std::vector<std::uint32_t> added_ids_;
  std::vector<dispatch::TokenLogprobs> added_logprobs_;
  // Of a stream.
  std::uint64_t sequence_ = 0;
  bool has_begun_ = false;
  bool has_text_ = false;
  bool is_message_open_ = false;
  std::size_t told_calls_ = 0;
};

}  // namespace shoal::api::openai
