// The JSON of OpenAI's completions and chat completions, as requests. Knows no model. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/generation.hpp"
#include "server/wire/answer_form.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

inline constexpr std::size_t kMaxStops = 4;
inline constexpr std::uint32_t kMaxChoices = 16;  // of one request, all prompts together
inline constexpr std::size_t kMaxBiases = 1024;
inline constexpr std::size_t kMaxSaltBytes = 256;

// What both kinds of requests say.
struct CompletionOptions {
  std::string model;
  std::optional<std::uint32_t> max_tokens;  // max_completion_tokens too
  std::uint32_t n = 1;
  std::vector<std::string> stop;
  std::optional<std::uint64_t> seed;
  SamplingOptions sampling{.temperature = 1};  // as the API has it
  bool ignores_eos = false;
  std::string cache_salt;  // 1 to 256 bytes; what was read of the prompt serves requests with the same one only
  bool is_streamed = false;
  bool wants_usage = false;      // stream_options.include_usage
  bool wants_token_ids = false;  // return_token_ids
  bool wants_logprobs = false;
  std::uint32_t top_logprobs = 0;
  Parameters parameters;  // of the object `shoal`, as parse_embeddings() has them
};

struct ChatBody : CompletionOptions {
  nlohmann::ordered_json messages;  // a list of objects with a role, as check_messages() leaves them
  AnswerForm form;
  nlohmann::ordered_json template_variables = nlohmann::ordered_json::object();  // chat_template_kwargs
  bool adds_generation_prompt = true;
};

struct CompletionBody : CompletionOptions {
  std::vector<std::variant<std::string, std::vector<std::uint32_t>>> prompts;  // at least one
  bool echo = false;
};

// kInvalidArgument with `param` = the member at fault; kOperatorNotSupported for what this server does not do. Members
// that the API does not have are passed over, as it does.
Result<ChatBody> parse_chat(std::string_view body);
Result<CompletionBody> parse_completion(std::string_view body);

}  // namespace shoal::wire
