// One step of a plan: rows of tokens and where their state lies. Rows are packed, see engine/graph/dims.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/dims.hpp"

namespace shoal::runtime {

// The tokens of one sequence that join in this step.
struct Row {
  std::span<const std::int32_t> tokens{};
  std::span<const std::int32_t> token_types{};  // as many, or none: all 0
  std::uint32_t slot = 0;
  std::uint32_t past = 0;           // tokens of the sequence in earlier steps
  std::uint32_t memory_length = 0;  // tokens that the encoder has read for it
  bool wants_every_output = false;  // logits after each token, else after the last
};

// The numbers of all rows as the inputs of a plan (graph::kInputs, in that order).
struct Step {
  graph::Extents extents;  // B, T and R
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> token_types;
  std::vector<std::int32_t> row_starts;
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> past;
  std::vector<std::int32_t> memory_lengths;
  std::vector<std::int32_t> output_tokens;

  [[nodiscard]] std::span<const std::int32_t> input(std::size_t index) const;
};

// kInvalidArgument for a row without tokens, with token_types of another length, or with the slot of another row.
Result<Step> make_step(std::span<const Row> rows);

}  // namespace shoal::runtime
