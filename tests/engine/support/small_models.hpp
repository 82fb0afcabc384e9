// Models of random weights, small enough for every test run and without any file.
#pragma once

#include <memory>
#include <string>

#include "engine/archs/build.hpp"
#include "engine/runtime/weights.hpp"
#include "tests/engine/support/memory_files.hpp"

namespace shoal::test {

struct SmallModel {
  std::unique_ptr<MemoryFiles> files = std::make_unique<MemoryFiles>();  // stays where it is
  import::Checkpoint checkpoint;
  archs::Model model;
  runtime::Weights weights;
};

// One BERT layer: 50 words, 16 wide, 4 heads, 20 positions. Ends the test program when it cannot be made.
SmallModel small_bert(Parallel& parallel);

// Two layers of Llama: 50 words, 16 wide, 4 heads that share 2 of keys, its head tied to the embedding.
inline constexpr std::string_view kSmallLlama =
    R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "num_hidden_layers": 2, "vocab_size": 50, "eos_token_id": 49})";
SmallModel small_llama(Parallel& parallel);

}  // namespace shoal::test
