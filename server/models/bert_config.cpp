#include "server/models/bert_config.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

namespace shoal::models {
namespace {

using Json = nlohmann::json;

std::string text_or(const Json& config, const char* key, std::string_view otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

bool is_set(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_boolean() && found->get<bool>();
}

Status read_number(const Json& config, const char* key, std::int64_t most, std::int64_t& out) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_number_integer() || found->get<std::int64_t>() < 1 ||
      found->get<std::int64_t>() > most) {
    return fail(Code::kInvalidArgument, fmt::format("config.json: {} must be a number from 1 to {}", key, most));
  }
  out = found->get<std::int64_t>();
  return {};
}

Status check_kind(const Json& config) {
  const auto refuse = [](std::string what) { return fail(Code::kOperatorNotSupported, "config.json: " + what); };
  const std::string type = text_or(config, "model_type", "");
  if (type != "bert") {
    return refuse(fmt::format("model_type is '{}', only 'bert' can be imported", type));
  }
  const std::string positions = text_or(config, "position_embedding_type", "absolute");
  if (positions != "absolute") {
    return refuse(fmt::format("position_embedding_type '{}' is not supported", positions));
  }
  if (is_set(config, "is_decoder") || is_set(config, "add_cross_attention")) {
    return refuse("a BERT decoder is not supported");
  }
  return {};
}

}  // namespace

Result<BertConfig> parse_bert_config(std::string_view json) {
  const Json config = Json::parse(json, nullptr, false);
  if (!config.is_object()) {
    return fail(Code::kInvalidArgument, "config.json is not a JSON object");
  }
  if (auto kind = check_kind(config); !kind) {
    return fail(std::move(kind.error()));
  }
  BertConfig out;
  struct Row {
    const char* key;
    std::int64_t most;
    std::int64_t* target;
  };
  for (const Row& row :
       {Row{"vocab_size", 1 << 22, &out.vocab}, Row{"max_position_embeddings", 1 << 20, &out.positions},
        Row{"type_vocab_size", 1 << 10, &out.types}, Row{"hidden_size", 1 << 15, &out.hidden},
        Row{"intermediate_size", 1 << 17, &out.intermediate}, Row{"num_hidden_layers", 256, &out.layers},
        Row{"num_attention_heads", 1 << 10, &out.heads}}) {
    if (auto read = read_number(config, row.key, row.most, *row.target); !read) {
      return fail(std::move(read.error()));
    }
  }
  if (out.hidden % out.heads != 0) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("config.json: hidden_size {} is no multiple of num_attention_heads {}", out.hidden, out.heads));
  }
  const auto epsilon = config.find("layer_norm_eps");
  if (epsilon != config.end() && epsilon->is_number()) {
    out.epsilon = epsilon->get<float>();
  }
  const std::string activation = text_or(config, "hidden_act", "gelu");
  if (activation != "gelu" && activation != "relu") {
    return fail(Code::kOperatorNotSupported,
                fmt::format("config.json: hidden_act '{}' is not supported; 'gelu' and 'relu' are", activation));
  }
  out.activation = activation == "relu" ? Activation::kRelu : Activation::kGelu;
  return out;
}

}  // namespace shoal::models
