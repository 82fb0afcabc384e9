#include "engine/import/recipe.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include "engine/import/gguf/gguf_blocks.hpp"

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

// Where row `row` is stored.
std::uint64_t stored_row(const StoredTensor& tensor, std::uint32_t row) {
  return tensor.head_size == 0 ? row : interleaved_row(row, tensor.head_size);
}

Bytes block_row(const StoredTensor& tensor, std::uint64_t row) {
  const std::size_t bytes = tensor.view.data.size() / static_cast<std::size_t>(tensor.view.shape[0]);
  return tensor.view.data.subspan(static_cast<std::size_t>(row) * bytes, bytes);
}

void read_row(const StoredTensor& tensor, bool transposed, std::uint32_t row, std::span<float> out) {
  if (tensor.blocks != nullptr) {
    // check() has seen the type and the size of a row.
    static_cast<void>(dequantize_gguf_row(*tensor.blocks, block_row(tensor, stored_row(tensor, row)), out));
  } else if (transposed) {
    read_floats(tensor.view, row, dim(tensor.view, 1), out);
  } else {
    read_floats(tensor.view, static_cast<std::size_t>(stored_row(tensor, row)) * out.size(), 1, out);
  }
}

std::unexpected<Error> bad(const std::string& tensor, const std::string& what) {
  return fail(Code::kInvalidArgument, "tensor '" + tensor + "' " + what, tensor);
}

Result<const TensorView*> matrix(const Checkpoint& checkpoint, const std::string& name, bool transposed) {
  const StoredTensor* tensor = checkpoint.find(name);
  if (tensor == nullptr) {
    return fail(Code::kNotFound, "there is no tensor '" + name + "'", name);
  }
  const TensorView& view = tensor->view;
  if (tensor->blocks == nullptr && !is_float(view.type)) {
    return bad(name, "has the type " + std::string(element_name(view.type)) + ", expected F32, F16 or BF16");
  }
  if (!is_matrix(view) || (tensor->blocks != nullptr && view.shape.size() != 2)) {
    return bad(name, "is no vector or matrix");
  }
  if (tensor->blocks != nullptr && !can_dequantize(*tensor->blocks)) {
    return fail(Code::kPrecisionNotSupported,
                "tensor '" + name + "' has the type " + std::string(tensor->blocks->name) + ", which is not supported",
                name);
  }
  if (transposed && (tensor->blocks != nullptr || tensor->head_size != 0)) {
    return bad(name, "cannot be transposed as it is stored");
  }
  if (tensor->head_size != 0 && view.shape[0] % tensor->head_size != 0) {
    return bad(name, "has rows that are no whole heads of " + std::to_string(tensor->head_size));
  }
  return &view;
}

}  // namespace

Result<Recipe> whole_tensor(const Checkpoint& checkpoint, const std::string& name, bool transposed) {
  const auto tensor = matrix(checkpoint, name, transposed);
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
    const auto tensor = matrix(checkpoint, part.tensor, part.transposed);
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
    const StoredTensor& tensor = *checkpoint.find(part.tensor);
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

std::optional<formats::BlockFormat> kept_format(const Recipe& recipe, const Checkpoint& checkpoint) {
  if (recipe.parts.empty() || recipe.factor != 1 || recipe.offset != 0) {
    return std::nullopt;
  }
  const StoredTensor* first = checkpoint.find(recipe.parts.front().tensor);
  const bool is_one_type = std::ranges::all_of(recipe.parts, [&](const RecipePart& part) {
    const StoredTensor* tensor = checkpoint.find(part.tensor);
    return tensor != nullptr && !part.transposed && tensor->blocks == first->blocks;
  });
  return is_one_type && first->blocks != nullptr ? lossless_format(*first->blocks) : std::nullopt;
}

Status keep_row(const Recipe& recipe, const Checkpoint& checkpoint, std::uint32_t row,
                const formats::MatrixWriter& matrix) {
  std::uint32_t part_begin = 0;
  for (const RecipePart& part : recipe.parts) {
    if (row < part_begin + part.row_count) {
      const StoredTensor& tensor = *checkpoint.find(part.tensor);
      const std::uint64_t from = stored_row(tensor, part.first_row + row - part_begin);
      return repack_gguf_row(*tensor.blocks, block_row(tensor, from), matrix, row);
    }
    part_begin += part.row_count;
  }
  return fail(Code::kInvalidArgument, "row " + std::to_string(row) + " of a weight of " + std::to_string(recipe.rows));
}

}  // namespace shoal::import
