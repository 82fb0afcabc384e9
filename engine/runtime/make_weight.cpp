#include "engine/runtime/make_weight.hpp"

#include <atomic>
#include <vector>

namespace shoal::runtime {

Status make_weight(const graph::Tensor& tensor, const import::Recipe& recipe, const import::Checkpoint& checkpoint,
                   const quantize::Options& options, Parallel& parallel, std::span<std::byte> out,
                   quantize::StorageError* error) {
  if (tensor.shape.size() == 1) {
    import::read_rows(recipe, checkpoint, 0, recipe.rows, reinterpret_cast<float*>(out.data()));
    return {};
  }
  const auto writer = formats::matrix_writer(tensor.format, recipe.rows, recipe.columns, out);
  if (!writer) {
    return fail(writer.error());
  }
  const auto matrix = formats::matrix_view(tensor.format, recipe.rows, recipe.columns, out);
  if (!matrix) {
    return fail(matrix.error());
  }
  struct Lane {
    std::vector<float> row;
    quantize::StorageError error;
  };
  const bool is_kept = import::kept_format(recipe, checkpoint) == tensor.format;
  std::vector<Lane> lanes(parallel.lanes(), Lane{std::vector<float>(recipe.columns), {}});
  std::atomic<bool> has_failed = false;
  for_ranges(parallel, recipe.rows, formats::kTileRows, [&](std::size_t begin, std::size_t end, std::uint32_t index) {
    Lane& lane = lanes[index];
    for (std::size_t row = begin; row < end; ++row) {
      const auto number = static_cast<std::uint32_t>(row);
      import::read_rows(recipe, checkpoint, number, 1, lane.row.data());
      if (!(is_kept ? import::keep_row(recipe, checkpoint, number, *writer)
                    : quantize::quantize_row(*writer, row, lane.row, options))) {
        has_failed = true;
      } else if (error != nullptr) {
        lane.error.add(quantize::storage_error(*matrix, row, lane.row));
      }
    }
  });
  if (has_failed) {
    return fail(Code::kPrecisionNotSupported, "a value does not fit into " + formats::format_name(tensor.format));
  }
  if (error != nullptr) {
    *error = {};
    for (const Lane& lane : lanes) {
      error->add(lane.error);
    }
  }
  return {};
}

}  // namespace shoal::runtime
