// Which matrices of a quantised source keep their codes, when a model is wanted at so many bits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/import/recipe.hpp"

namespace shoal::import {

// Bits that most weights of the source have as codes; 0 when most are floats.
std::uint32_t source_bits(std::span<const Recipe> recipes, const Checkpoint& checkpoint);

// The format in which a matrix keeps the codes of its source when a model is wanted at `bits`: where that is what most
// of the source has, everything is kept that a format holds, whatever bits it has itself; else what has these bits.
std::optional<formats::BlockFormat> format_to_keep(const Recipe& recipe, const Checkpoint& checkpoint,
                                                   std::uint32_t bits, std::uint32_t source_bits);

}  // namespace shoal::import
