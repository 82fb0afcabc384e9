// How a weight of a plan is made of the tensors of a checkpoint: ranges of rows one below the other, each as it is or
// transposed, then `value * factor + offset`; or numbers that the architecture computed. This is how q, k and v become
// one matrix, how a fused matrix with its heads in another order is put right, and how gains are folded. A vector is
// read as a matrix with one column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/formats/pack.hpp"
#include "engine/import/checkpoint.hpp"

namespace shoal::import {

struct RecipePart {
  std::string tensor;
  std::uint32_t first_row = 0;  // after the transposition
  std::uint32_t row_count = 0;
  bool transposed = false;
};

struct Recipe {
  std::vector<RecipePart> parts;
  float factor = 1;
  float offset = 0;
  std::vector<float> numbers;  // instead of parts
  std::uint32_t rows = 0;
  std::uint32_t columns = 1;
};

// The recipe of one whole tensor of rank 1 or 2; kNotFound or kInvalidArgument name it.
Result<Recipe> whole_tensor(const Checkpoint& checkpoint, const std::string& name, bool transposed = false);

// Puts `below` under `recipe`: the columns must be equal.
Status stack(Recipe& recipe, const Recipe& below);

// kInvalidArgument or kNotFound when the recipe does not fit the checkpoint: read_rows() is safe behind it.
Status check(const Recipe& recipe, const Checkpoint& checkpoint);

// Rows [first, first + count) as floats, row-major, count * columns of them. Requires: check() accepted it.
void read_rows(const Recipe& recipe, const Checkpoint& checkpoint, std::uint32_t first, std::uint32_t count,
               float* out);

// The format that holds the codes and scales of a quantised source unchanged; nothing where the source has floats, a
// type that no format holds, several types, or where the recipe changes values.
std::optional<formats::BlockFormat> kept_format(const Recipe& recipe, const Checkpoint& checkpoint);

// Row `row` with its codes and scales as they are. kInvalidArgument for a scale that is not finite. Requires: check()
// accepted the recipe, and `matrix` has its kept_format().
Status keep_row(const Recipe& recipe, const Checkpoint& checkpoint, std::uint32_t row,
                const formats::MatrixWriter& matrix);

}  // namespace shoal::import
