#include "server/api/openai/token_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::api::openai {
namespace {

Result<text::Tokens> from_ids(const wire::TokenIds& ids, const text::Tokenizer& tokenizer) {
  text::Tokens tokens;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("token id {} is outside the vocabulary of {} tokens", id, tokenizer.vocab_size()),
                  "input");
    }
    tokens.ids.push_back(static_cast<std::uint32_t>(id));
  }
  tokens.type_ids.resize(tokens.ids.size());
  return tokens;
}

// Whether this text ends in a special token ([SEP], </s>): the empty text then ends in it too.
bool ends_special(const text::Tokens& tokens, const text::Tokenizer& tokenizer) {
  const auto empty = tokenizer.encode("");
  return empty && !empty->ids.empty() && empty->ids.back() == tokens.ids.back();
}

void cut(text::Tokens& tokens, std::size_t limit, bool keep_last) {
  const std::uint32_t last = tokens.ids.back();
  tokens.ids.resize(limit);
  tokens.type_ids.resize(limit);
  if (keep_last) {
    tokens.ids.back() = last;
  }
}

}  // namespace

Result<std::vector<text::Tokens>> token_rows(const models::ModelVersion& model, const wire::EmbeddingsBody& body) {
  const models::EmbeddingConfig& config = *model.embedding;
  const auto limit =
      static_cast<std::size_t>(std::min<std::int64_t>(config.max_tokens, body.truncate_to.value_or(config.max_tokens)));
  std::vector<text::Tokens> rows;
  rows.reserve(body.inputs.size());
  for (const auto& input : body.inputs) {
    const auto* words = std::get_if<std::string>(&input);
    auto tokens = words != nullptr ? config.tokenizer->encode(*words)
                                   : from_ids(std::get<wire::TokenIds>(input), *config.tokenizer);
    if (!tokens) {
      tokens.error().param = "input";
      return fail(std::move(tokens.error()));
    }
    if (tokens->ids.empty()) {
      return fail(Code::kInvalidArgument, fmt::format("'input' {} has no tokens", rows.size()), "input");
    }
    const bool is_long = tokens->ids.size() > limit;
    if (is_long && !body.truncate) {
      return fail(Code::kContextLengthExceeded,
                  fmt::format("This model's maximum context length is {} tokens, however you requested {} tokens in "
                              "input {}. Shorten it or set \"truncate\": true.",
                              limit, tokens->ids.size(), rows.size()),
                  "input");
    }
    if (is_long) {
      cut(*tokens, limit, words != nullptr && ends_special(*tokens, *config.tokenizer));
    }
    rows.push_back(std::move(*tokens));
  }
  return rows;
}

}  // namespace shoal::api::openai
