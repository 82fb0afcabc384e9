// The JSON of OpenAI's embeddings, to and from values. Knows no model. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/result.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

using TokenIds = std::vector<std::int64_t>;

struct EmbeddingsBody {
  std::string model;
  std::vector<std::variant<std::string, TokenIds>> inputs;  // at least one, none of them empty
  bool is_base64 = false;                                   // encoding_format
  std::optional<std::int64_t> dimensions;
  // `truncate: true` or `truncate_prompt_tokens`: longer inputs are cut to the model's limit, or to this many tokens.
  bool truncate = false;
  std::optional<std::int64_t> truncate_to;
  // The members of the object `shoal`, as KServe parameters are called: "shoal_backend", ..., "priority", "timeout".
  Parameters parameters;
};

// kInvalidArgument with `param` = the member at fault, as OpenAI says it.
Result<EmbeddingsBody> parse_embeddings(std::string_view body, std::size_t max_inputs);

struct EmbeddingsAnswer {
  std::string_view model;
  std::span<const std::vector<float>> embeddings;
  bool is_base64 = false;
  std::uint64_t prompt_tokens = 0;
  std::string_view shoal;  // a JSON object
};
std::string write_embeddings(const EmbeddingsAnswer& answer);

struct ListedModel {
  std::string_view id;
  std::int64_t created = 0;    // Unix seconds
  std::string_view kind = {};  // "chat" "completion" "embedding" "other"
  std::uint32_t context = 0;   // tokens, of those that generate
};
std::string write_model(const ListedModel& model);
std::string write_models(std::span<const ListedModel> models);

std::string base64(std::string_view bytes);

}  // namespace shoal::wire
