// Float rows into a block format. The method decides how scales are chosen; the codes are then the nearest ones under
// the scales as they are stored, so that what was minimised is what is read back. Rows are independent: threads may
// take different ones.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/formats/pack.hpp"

namespace shoal::quantize {

enum class Method : std::uint8_t {
  kNearest,  // the range of the block, rounded to nearest
  kSearch,   // the least squared error that was found
};

struct Options {
  Method method = Method::kSearch;
  // Whether the search counts an error by sigma of the row + |value|: large weights matter more than their number says.
  bool weigh_magnitude = true;
};

// Writes a row in the format of `matrix` (f32 and f16 too). kInvalidArgument when a value is not finite or too large
// for the format's f16 scales. Requires: values.size() == k, a row that was not written before.
Status quantize_row(const formats::MatrixWriter& matrix, std::uint64_t row, std::span<const float> values,
                    const Options& options = {});

// Squared error of what was stored, beside the squares of what it should be; sums over rows add up.
struct StorageError {
  double error = 0;
  double square = 0;
  double largest = 0;

  // 0 for a matrix of zeros.
  [[nodiscard]] double relative() const { return square > 0 ? error / square : 0; }
  void add(const StorageError& other);
};
StorageError storage_error(const formats::BlockMatrix& matrix, std::uint64_t row, std::span<const float> values);

}  // namespace shoal::quantize
