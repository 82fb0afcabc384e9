#include "engine/archs/build.hpp"

#include <algorithm>
#include <array>

#include "engine/archs/architectures.hpp"

namespace shoal::archs {
namespace {

using Build = Facts (*)(Assembly&, const EmbeddingStyle&);

template <Facts (*build)(Assembly&)>
Facts without_style(Assembly& assembly, const EmbeddingStyle&) {
  return build(assembly);
}

struct ArchitectureRow {
  std::string_view model_type;
  Build build;
};
constexpr std::array kArchitectures = std::to_array<ArchitectureRow>({
    {"albert", assemble_albert},
    {"bart", without_style<assemble_bart>},
    {"bert", assemble_bert},
    {"bloom", without_style<assemble_bloom>},
    {"distilbert", assemble_distilbert},
    {"electra", assemble_bert},
    {"falcon", without_style<assemble_falcon>},
    {"gemma3_text", without_style<assemble_llama>},
    {"gpt2", without_style<assemble_gpt2>},
    {"llama", without_style<assemble_llama>},
    {"opt", without_style<assemble_opt>},
    {"qwen2", without_style<assemble_llama>},
    {"qwen3", without_style<assemble_llama>},
    {"roberta", assemble_bert},
    {"t5", without_style<assemble_t5>},
    {"xlm-roberta", assemble_bert},
});

}  // namespace

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const ArchitectureRow& row : kArchitectures) {
    names.push_back(row.model_type);
  }
  return names;
}

Result<Model> build_model(import::Config config, import::Config* generation, const import::Checkpoint& checkpoint,
                          const EmbeddingStyle& style) {
  const std::string type = config.text("model_type", "");
  const auto row = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                [&](const ArchitectureRow& one) { return one.model_type == type; });
  if (row == kArchitectures.end()) {
    return fail(Code::kOperatorNotSupported, "config: the model_type '" + type + "' is not known", "model_type");
  }
  Assembly assembly(config, checkpoint);
  Facts facts = row->build(assembly, style);
  if (facts.eos.empty()) {
    facts.eos = config.ids("eos_token_id");
  }
  if (generation != nullptr && generation->has("eos_token_id")) {
    facts.eos = generation->ids("eos_token_id");
    if (auto fits = generation->status(); !fits) {
      return fail(std::move(fits.error()).with("generation_config.json"));
    }
  }
  return assembly.finish(std::move(facts));
}

}  // namespace shoal::archs
