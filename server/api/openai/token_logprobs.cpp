#include "server/api/openai/token_logprobs.hpp"

#include <algorithm>

namespace shoal::api::openai {
namespace {

using Json = nlohmann::ordered_json;

std::string bytes_of(const text::Tokenizer& tokenizer, std::uint32_t id) {
  return tokenizer.token_bytes(id).value_or(std::string());
}

// JSON has no bytes: what is no UTF-8 becomes U+FFFD.
std::string printable(const std::string& bytes) {
  return Json::parse(Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

Json told(const text::Tokenizer& tokenizer, std::uint32_t id, float logprob) {
  const std::string bytes = bytes_of(tokenizer, id);
  Json numbers = Json::array();
  for (const char byte : bytes) {
    numbers.push_back(static_cast<unsigned char>(byte));
  }
  // The API has no infinity; what cannot be drawn is as unlikely as its documentation says.
  return {{"token", printable(bytes)}, {"logprob", std::max(logprob, -9999.0F)}, {"bytes", std::move(numbers)}};
}

std::size_t characters_in(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

}  // namespace

Json chat_logprobs(const text::Tokenizer& tokenizer, std::span<const std::uint32_t> ids,
                   std::span<const dispatch::TokenLogprobs> logprobs) {
  Json out = Json::array();
  for (std::size_t index = 0; index < std::min(ids.size(), logprobs.size()); ++index) {
    Json one = told(tokenizer, ids[index], logprobs[index].logprob);
    Json& likely = one["top_logprobs"] = Json::array();
    for (const auto& [id, logprob] : logprobs[index].likely) {
      likely.push_back(told(tokenizer, id, logprob));
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json completion_logprobs(const text::Tokenizer& tokenizer, std::span<const std::uint32_t> ids,
                         std::span<const dispatch::TokenLogprobs> logprobs, std::size_t& offset) {
  Json tokens = Json::array();
  Json values = Json::array();
  Json likely = Json::array();
  Json offsets = Json::array();
  for (std::size_t index = 0; index < std::min(ids.size(), logprobs.size()); ++index) {
    const std::string text = printable(bytes_of(tokenizer, ids[index]));
    tokens.push_back(text);
    values.push_back(std::max(logprobs[index].logprob, -9999.0F));
    offsets.push_back(offset);
    offset += characters_in(text);
    Json by_text = Json::object();
    for (const auto& [id, logprob] : logprobs[index].likely) {
      by_text.emplace(printable(bytes_of(tokenizer, id)), std::max(logprob, -9999.0F));
    }
    likely.push_back(by_text.empty() ? Json() : std::move(by_text));
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(likely)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace shoal::api::openai
