#include "server/schedule/shape_bucket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace shoal::schedule {
namespace {

// Copies the box `extent` from `from` (row-major, sizes `from_shape`) to `to` (sizes `to_shape`), row by row.
void copy_box(const char* from, const Shape& from_shape, char* to, const Shape& to_shape, const Shape& extent,
              std::size_t axis, std::size_t element) {
  const auto count = static_cast<std::size_t>(extent[axis]);
  if (axis + 1 == extent.size()) {
    std::memcpy(to, from, count * element);
    return;
  }
  std::size_t from_stride = element;
  std::size_t to_stride = element;
  for (std::size_t inner = axis + 1; inner < extent.size(); ++inner) {
    from_stride *= static_cast<std::size_t>(from_shape[inner]);
    to_stride *= static_cast<std::size_t>(to_shape[inner]);
  }
  for (std::size_t index = 0; index < count; ++index) {
    copy_box(from + index * from_stride, from_shape, to + index * to_stride, to_shape, extent, axis + 1, element);
  }
}

Tensor reshape_box(const Tensor& tensor, const Shape& shape, const Shape& extent) {
  Tensor result{tensor.name, tensor.datatype, shape, {}};
  std::size_t size = datatype_size(tensor.datatype);
  const std::size_t element = size;
  for (const std::int64_t dim : shape) {
    size *= static_cast<std::size_t>(dim);
  }
  result.data.resize(size);
  const bool is_empty = std::ranges::find(extent, 0) != extent.end();
  if (extent.empty()) {
    result.data = tensor.data;
  } else if (!is_empty) {
    copy_box(tensor.data.data(), tensor.shape, result.data.data(), shape, extent, 0, element);
  }
  return result;
}

}  // namespace

Result<Dimensions> bucket_of(const Buckets& buckets, const Dimensions& actual) {
  Dimensions result = actual;
  for (auto& [name, size] : result) {
    const auto sizes = buckets.find(name);
    if (sizes == buckets.end()) {
      continue;
    }
    const auto fit = std::ranges::lower_bound(sizes->second, size);
    if (fit == sizes->second.end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("dimension '{}' is {}, above the largest size {} that this model is built for here", name,
                              size, sizes->second.back()),
                  name);
    }
    size = *fit;
  }
  return result;
}

Tensor pad(const Tensor& tensor, const Shape& shape) { return reshape_box(tensor, shape, tensor.shape); }

Tensor crop(const Tensor& tensor, const Shape& shape) { return reshape_box(tensor, shape, shape); }

}  // namespace shoal::schedule
