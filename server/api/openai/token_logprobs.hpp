// Log probabilities of tokens as OpenAI's APIs have them. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "server/dispatch/token_logprobs.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::api::openai {

// Of chats and responses: [{"token", "logprob", "bytes", "top_logprobs": [...]}]. A token that is half a character has
// U+FFFD in its text and what it is in its bytes.
nlohmann::ordered_json chat_logprobs(const text::Tokenizer& tokenizer, std::span<const std::uint32_t> ids,
                                     std::span<const dispatch::TokenLogprobs> logprobs);

// Of completions: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; offsets count characters from `offset`
// on, which is moved on.
nlohmann::ordered_json completion_logprobs(const text::Tokenizer& tokenizer, std::span<const std::uint32_t> ids,
                                           std::span<const dispatch::TokenLogprobs> logprobs, std::size_t& offset);

}  // namespace shoal::api::openai
