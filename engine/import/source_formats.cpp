#include "engine/import/source_formats.hpp"

#include <algorithm>
#include <array>

namespace shoal::import {

std::uint32_t source_bits(std::span<const Recipe> recipes, const Checkpoint& checkpoint) {
  std::array<std::uint64_t, 33> weights{};
  for (const Recipe& recipe : recipes) {
    for (const RecipePart& part : recipe.parts) {
      const StoredTensor* tensor = checkpoint.find(part.tensor);
      const std::uint32_t bits = tensor == nullptr || tensor->blocks == nullptr ? 0 : code_bits(*tensor->blocks);
      weights[bits] += std::uint64_t{part.row_count} * recipe.columns;
    }
  }
  return static_cast<std::uint32_t>(std::ranges::max_element(weights) - weights.begin());
}

std::optional<formats::BlockFormat> format_to_keep(const Recipe& recipe, const Checkpoint& checkpoint,
                                                   std::uint32_t bits, std::uint32_t source_bits) {
  const auto format = kept_format(recipe, checkpoint);
  const bool is_kept = format && (bits == source_bits || formats::code_bits(format->codes) == bits);
  return is_kept ? format : std::nullopt;
}

}  // namespace shoal::import
