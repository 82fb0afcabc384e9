// What a client of a completion is told, whole or in chunks, as OpenAI's API has it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/dispatch/inference.hpp"

namespace shoal::api::openai {

// One answer as it grows.
struct Choice {
  std::size_t prompt = 0;  // which of the request's prompts
  std::string text;        // until now; with `echo` it begins with the prompt
  std::vector<std::uint32_t> ids;
  bool has_begun = false;                                // a chunk has told of it
  std::optional<dispatch::InferenceResponse> last = {};  // its end
};

class CompletionAnswer {
 public:
  struct Head {
    bool is_chat = true;
    std::string id;  // "chatcmpl-..." "cmpl-..."
    std::int64_t created = 0;
    std::string model;
    bool wants_usage = false;      // in a chunk of its own at the end of a stream
    bool wants_token_ids = false;  // in each choice
  };

  // `echoes`: what each choice begins with; empty strings mostly.
  CompletionAnswer(Head head, std::size_t prompts, std::size_t per_prompt, std::vector<std::string> echoes);

  // Takes note of a response to this choice, the last one with `finish_reason`.
  void add(std::size_t choice, dispatch::InferenceResponse response, bool is_last);

  [[nodiscard]] std::string whole() const;
  // What add() has just added, as events of a stream: none or more of "data: {...}\n\n".
  [[nodiscard]] std::string events(std::size_t choice);
  // After the last one.
  [[nodiscard]] std::string closing_events() const;

 private:
  Head head_;
  std::vector<Choice> choices_;
  std::size_t per_prompt_;
  std::string added_;  // by the last add()
  std::vector<std::uint32_t> added_ids_;
};

}  // namespace shoal::api::openai
