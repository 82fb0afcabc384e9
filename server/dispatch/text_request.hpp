// What is asked of a model that generates, in words, and what it is answered with. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/core/generation.hpp"
#include "server/dispatch/answer_grammar.hpp"
#include "server/dispatch/token_logprobs.hpp"

namespace shoal::dispatch {

// What one response adds to a generated text.
struct TextPiece {
  std::string text;                          // never ends inside a character; empty while a stop string may have begun
  std::vector<std::uint32_t> ids = {};       // tokens that were made since the last response
  std::vector<TokenLogprobs> logprobs = {};  // of each of them, where they are wanted
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;  // until now
};

// A text to be continued, by a model that generates (ModelVersion::generation). Instead of inputs.
struct TextRequest {
  // Token ids, or a text that becomes them.
  std::variant<std::string, std::vector<std::uint32_t>> prompt;
  bool adds_special_tokens = true;          // to the text, as the tokenizer has it; a chat template writes them itself
  std::optional<std::uint32_t> max_tokens;  // of the answer; none: what the context has room for
  std::vector<std::string> stop = {};       // the text ends before the first of them
  bool ignores_eos = false;                 // the model's own stop ids do not end the answer
  SamplingOptions sampling = {};
  std::string cache_salt = {};  // what a worker has read of the prompt serves others of the same salt only
  bool wants_logprobs = false;
  std::uint32_t top_logprobs = 0;
  std::optional<AnswerGrammar> grammar = {};
  bool is_streamed = true;  // else there is one response, the whole text
};

}  // namespace shoal::dispatch
