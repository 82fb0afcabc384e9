// What a model is imported from: a Hugging Face folder or a GGUF file, both told in the words of the first. Pure: bytes
// in, views out; no weights are copied, so the bytes must outlive the source.
#pragma once

#include <optional>
#include <string>

#include "engine/import/checkpoint.hpp"
#include "engine/import/config.hpp"

namespace shoal::import {

struct Source {
  Config config;                     // config.json
  std::optional<Config> generation;  // generation_config.json
  Checkpoint checkpoint;
  // Texts of tokenizer.json, tokenizer_config.json and the Jinja template of a chat; empty where there is none.
  std::string tokenizer;
  std::string tokenizer_config;
  std::string chat_template;
  // As the source says them; often empty.
  std::string name;
  std::string licence;
};

// kNotFound without config.json or weights; kInvalidArgument names the file at fault.
Result<Source> open_folder(Files& files);

// `file` is a whole GGUF file. kOperatorNotSupported names an architecture, a tokenizer or a tensor that is not known;
// kInvalidArgument names the key at fault.
Result<Source> open_gguf(Bytes file);

// Whether the bytes begin as a GGUF file does.
bool is_gguf(Bytes file);

}  // namespace shoal::import
