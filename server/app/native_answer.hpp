// One answer of a generating model on this machine: the prompt as tokens, and the answer as it grows.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/runtime/generation.hpp"
#include "server/core/clock.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::app {

struct PromptTexts {
  std::string_view tokenizer_config;
  std::string_view chat_template;  // empty: the prompt is taken as it is
};

// Token ids of a prompt: as the only message of a chat where there is a template.
Result<std::vector<std::int32_t>> prompt_ids(const text::Tokenizer& tokenizer, const PromptTexts& texts,
                                             const std::string& prompt);

struct Answer {
  std::vector<std::int32_t> ids{};
  std::string text{};  // empty without a tokenizer
  runtime::FinishReason reason = runtime::FinishReason::kLength;
  Duration prefill{};  // to the first token, the end where there is none
  Duration decode{};   // from there on
};

struct AnswerListener {
  // Told of each token, and of what it adds to the text: often nothing, and at the end once more without a token.
  std::function<void(std::optional<std::int32_t> id, std::string_view text)> on_token;
  // Looked at between steps.
  const std::atomic<bool>* is_cancelled = nullptr;
};

// `tokenizer` may be null. Errors are those of runtime::run_step().
Result<Answer> run_answer(runtime::Executor& executor, runtime::Generation& generation,
                          const std::shared_ptr<const text::Tokenizer>& tokenizer, const AnswerListener& listener);

}  // namespace shoal::app
