// The tokenizer of a GGUF file as a tokenizer.json and a tokenizer_config.json.
#pragma once

#include <string>

#include "engine/core/result.hpp"
#include "engine/import/gguf/gguf.hpp"

namespace shoal::import {

struct TokenizerFiles {
  std::string tokenizer;         // tokenizer.json
  std::string tokenizer_config;  // tokenizer_config.json: the texts of bos_token, eos_token and so on
};

// Empty texts when the file has no tokenizer. kOperatorNotSupported names a kind that is not known: byte-level BPE
// ("gpt2") is, with the splits of GPT-2, SmolLM, Llama 3 and Qwen 2. kInvalidArgument names the key at fault.
Result<TokenizerFiles> tokenizer_of_gguf(const Gguf& gguf);

}  // namespace shoal::import
