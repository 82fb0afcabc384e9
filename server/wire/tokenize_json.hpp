// The JSON of /tokenize and /detokenize, as vLLM has them. Knows no model. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::wire {

struct TokenizeBody {
  std::string model;                  // empty: the only one that there is
  std::optional<std::string> prompt;  // else there are messages
  nlohmann::ordered_json messages = nullptr;
  nlohmann::ordered_json tools = nullptr;
  nlohmann::ordered_json template_variables = nlohmann::ordered_json::object();  // chat_template_kwargs
  std::optional<bool> adds_special_tokens;                                       // none: to a prompt alone
  bool adds_generation_prompt = true;
  bool wants_texts = false;  // return_token_strs
};

struct DetokenizeBody {
  std::string model;
  std::vector<std::uint32_t> tokens;
};

// kInvalidArgument with `param` = the member at fault.
Result<TokenizeBody> parse_tokenize(std::string_view body);
Result<DetokenizeBody> parse_detokenize(std::string_view body);

}  // namespace shoal::wire
