// The builders, one function a family. Each reads the configuration, writes the signatures into the assembly and
// answers what generation needs; mistakes are kept in the assembly.
#pragma once

#include "engine/archs/assembly.hpp"
#include "engine/archs/build.hpp"

namespace shoal::archs {

Facts assemble_bert(Assembly& a, const EmbeddingStyle& style);  // roberta, xlm-roberta and electra too
Facts assemble_albert(Assembly& a, const EmbeddingStyle& style);
Facts assemble_distilbert(Assembly& a, const EmbeddingStyle& style);

Facts assemble_bart(Assembly& a);
Facts assemble_bloom(Assembly& a);
Facts assemble_falcon(Assembly& a);
Facts assemble_gpt2(Assembly& a);
Facts assemble_llama(Assembly& a);  // qwen2, qwen3 and gemma3_text too
Facts assemble_opt(Assembly& a);
Facts assemble_t5(Assembly& a);

}  // namespace shoal::archs
