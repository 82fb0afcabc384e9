// How a sentence encoder's folder says that it wants to be used: tokenizer.json and, beside it, config.json,
// sentence_bert_config.json, modules.json and the pooling module's config.json of sentence-transformers. Reads files.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

// Tokenizers by the digest of their file: models with the same one share it (10 MiB each for a 30,000 word vocabulary).
using Tokenizers = std::map<std::string, std::weak_ptr<const text::Tokenizer>, std::less<>>;

inline constexpr std::size_t kMaxJsonFileBytes = std::size_t{1} << 20;

// kNotFound: nothing here says that this is an embedding model (the message says what is missing). Any other error: it
// is one and cannot be served as such (a pooling that Shoal does not do, a broken file).
//   limit    max_position_embeddings of config.json, less what RoBERTa's position offset takes; else max_seq_length of
//            sentence_bert_config.json; else 512. The tokenizer file's own truncation is ignored.
//   pooling  modules.json and its pooling folder; a plain encoder folder without modules.json means mean pooling and no
//            normalisation, as sentence-transformers reads it.
// Requires: model.inputs and model.outputs.
Result<EmbeddingConfig> read_embedding_config(const std::filesystem::path& folder, const ModelVersion& model,
                                              Tokenizers& tokenizers);

// How a sentence-transformers folder makes one vector of its tokens; nothing without modules.json. kInvalidArgument for
// a pooling that Shoal does not do and for a broken file.
struct SentenceStyle {
  Pooling::Kind pooling = Pooling::Kind::kMean;
  bool is_normalized = false;
};
Result<std::optional<SentenceStyle>> read_sentence_style(const std::filesystem::path& folder);

// The tokenizer of this file's text, one for all models that have the same.
Result<std::shared_ptr<const text::Tokenizer>> shared_tokenizer(const std::string& json, Tokenizers& tokenizers);

// Buckets for static-shape backends where the configuration names none: single rows of 32, 128, 512 (or max_tokens).
Buckets default_embedding_buckets(const ModelVersion& model, const EmbeddingConfig& embedding);

}  // namespace shoal::models
