// What an architecture makes of a checkpoint: the plan, a recipe for each of its weights, and what generation needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/graph/plan.hpp"
#include "engine/import/recipe.hpp"

namespace shoal::archs {

enum class ModelClass : std::uint8_t {
  kEncoder,         // signature encode
  kDecoder,         // signature decode: chunks of prompts and single tokens alike
  kEncoderDecoder,  // both; encode leaves the keys and values of the cross attention in the row's slot
};

struct Facts {
  ModelClass model_class = ModelClass::kEncoder;
  std::uint32_t vocabulary = 0;
  std::uint32_t max_positions = 0;  // 0 where positions are relative and nothing bounds them
  std::int32_t decoder_start = -1;  // first token of an encoder-decoder's answer
  std::vector<std::int32_t> eos{};  // tokens that end an answer
};

struct Model {
  graph::Plan plan;
  std::vector<import::Recipe> recipes;  // by tensor of the plan; empty for what is no weight
  Facts facts;
};

}  // namespace shoal::archs
