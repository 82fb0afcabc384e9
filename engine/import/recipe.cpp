#include "engine/import/recipe.hpp"

#include <algorithm>
#include <limits>
#include <span>

namespace shoal::import {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max() / 2;

// Rank 1 or 2.
bool is_matrix(const TensorView& tensor) {
  return !tensor.shape.empty() && tensor.shape.size() <= 2 &&
         std::all_of(tensor.shape.begin(), tensor.shape.end(), [](auto dim) { return dim != 0 && dim <= kMost; });
}

std::uint32_t dim(const TensorView& tensor, std::size_t index) {
  return index < tensor.shape.size() ? static_cast<std::uint32_t>(tensor.shape[index]) : 1U;
}
std::uint32_t rows_of(const TensorView& tensor, bool transposed) { return dim(tensor, transposed ? 1 : 0); }
std::uint32_t columns_of(const TensorView& tensor, bool transposed) { return dim(tensor, transposed ? 0 : 1); }

void read_row(const TensorView& tensor, bool transposed, std::uint32_t row, std::span<float> out) {
  if (transposed) {
    read_floats(tensor, row, dim(tensor, 1), out);
  } else {
    read_floats(tensor, std::size_t{row} * out.size(), 1, out);
  }
}

std::unexpected<Error> bad(const std::string& tensor, const std::string& what) {
  return fail(Code::kInvalidArgument, "tensor '" + tensor + "' " + what, tensor);
}

Result<const TensorView*> matrix(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView* tensor = checkpoint.find(name);
  if (tensor == nullptr) {
    return fail(Code::kNotFound, "there is no tensor '" + name + "'", name);
  }
  if (!is_float(tensor->type)) {
    return bad(name, "has the type " + std::string(element_name(tensor->type)) + ", expected F32, F16 or BF16");
  }
  if (!is_matrix(*tensor)) {
    return bad(name, "is no vector or matrix");
  }
  return tensor;
}

}  // namespace

Result<Recipe> whole_tensor(const Checkpoint& checkpoint, const std::string& name, bool transposed) {
  const auto tensor = matrix(checkpoint, name);
  if (!tensor) {
    return fail(tensor.error());
  }
  Recipe recipe;
  recipe.rows = rows_of(**tensor, transposed);
  recipe.columns = columns_of(**tensor, transposed);
  recipe.parts.push_back({.tensor = name, .row_count = recipe.rows, .transposed = transposed});
  return recipe;
}

Status stack(Recipe& recipe, const Recipe& below) {
  if (recipe.columns != below.columns || std::uint64_t{recipe.rows} + below.rows > kMost) {
    return fail(Code::kInvalidArgument, "tensors that belong below each other have different columns",
                below.parts.empty() ? std::string() : below.parts.front().tensor);
  }
  recipe.parts.insert(recipe.parts.end(), below.parts.begin(), below.parts.end());
  recipe.rows += below.rows;
  return {};
}

Status check(const Recipe& recipe, const Checkpoint& checkpoint) {
  if (!recipe.numbers.empty() || recipe.parts.empty()) {
    return recipe.parts.empty() && recipe.numbers.size() == std::size_t{recipe.rows} * recipe.columns
               ? Status()
               : fail(Code::kInvalidArgument, "a computed weight has another size than it says");
  }
  std::uint64_t rows = 0;
  for (const RecipePart& part : recipe.parts) {
    const auto tensor = matrix(checkpoint, part.tensor);
    if (!tensor) {
      return fail(tensor.error());
    }
    if (columns_of(**tensor, part.transposed) != recipe.columns) {
      return bad(part.tensor, "has other columns than expected");
    }
    const std::uint32_t available = rows_of(**tensor, part.transposed);
    if (part.first_row > available || part.row_count > available - part.first_row) {
      return bad(part.tensor, "has only " + std::to_string(available) + " rows");
    }
    rows += part.row_count;
  }
  return rows == recipe.rows ? Status() : bad(recipe.parts.front().tensor, "has other rows than expected");
}

void read_rows(const Recipe& recipe, const Checkpoint& checkpoint, std::uint32_t first, std::uint32_t count,
               float* out) {
  const std::size_t columns = recipe.columns;
  if (!recipe.numbers.empty()) {
    std::copy_n(recipe.numbers.begin() + static_cast<std::ptrdiff_t>(first * columns), count * columns, out);
    return;
  }
  std::uint32_t part_begin = 0;
  for (const RecipePart& part : recipe.parts) {
    const std::uint32_t part_end = part_begin + part.row_count;
    const TensorView& tensor = *checkpoint.find(part.tensor);
    for (std::uint32_t row = std::max(first, part_begin); row < std::min(first + count, part_end); ++row) {
      read_row(tensor, part.transposed, part.first_row + row - part_begin,
               {out + std::size_t{row - first} * columns, columns});
    }
    part_begin = part_end;
  }
  if (recipe.factor != 1 || recipe.offset != 0) {
    for (std::size_t index = 0; index < count * columns; ++index) {
      out[index] = out[index] * recipe.factor + recipe.offset;
    }
  }
}

}  // namespace shoal::import
