#include "server/schedule/shape_bucket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace shoal::schedule {
namespace {

constexpr std::size_t kMaxBuckets = 32;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

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

Result<Buckets> parse_buckets(std::string_view text) {
  Buckets buckets;
  for (const std::string_view part : split(text, ';')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("shoal_buckets: '{}' is not of the form dimension=size,size,...", part), "shoal_buckets");
    }
    auto& sizes = buckets[std::string(part.substr(0, equals))];
    for (const std::string_view number : split(part.substr(equals + 1), ',')) {
      std::uint64_t size = 0;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
      if (error != std::errc() || end != number.data() + number.size() || size == 0 || size > (1U << 20)) {
        return fail(Code::kInvalidArgument,
                    fmt::format("shoal_buckets: '{}' is not a size between 1 and {}", number, 1U << 20), "shoal_buckets");
      }
      sizes.push_back(size);
    }
    std::ranges::sort(sizes);
    if (sizes.size() > kMaxBuckets) {
      return fail(Code::kInvalidArgument, fmt::format("shoal_buckets: more than {} sizes", kMaxBuckets), "shoal_buckets");
    }
  }
  return buckets;
}

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
