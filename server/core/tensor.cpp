#include "server/core/tensor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "engine/core/bytes.hpp"

namespace shoal {
namespace {

struct DataTypeRow {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DataTypeRow, kDataTypeCount> kDataTypes = {{
    {"BOOL", 1},
    {"UINT8", 1},
    {"UINT16", 2},
    {"UINT32", 4},
    {"UINT64", 8},
    {"INT8", 1},
    {"INT16", 2},
    {"INT32", 4},
    {"INT64", 8},
    {"FP16", 2},
    {"FP32", 4},
    {"FP64", 8},
    {"BYTES", 0},
    {"BF16", 2},
}};

constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;

}  // namespace

std::string_view datatype_name(DataType type) { return kDataTypes[static_cast<std::size_t>(type) - 1].name; }

std::size_t datatype_size(DataType type) { return kDataTypes[static_cast<std::size_t>(type) - 1].size; }

std::optional<DataType> datatype_from(std::string_view name) {
  for (std::size_t index = 0; index < kDataTypes.size(); ++index) {
    if (kDataTypes[index].name == name) {
      return static_cast<DataType>(index + 1);
    }
  }
  return std::nullopt;
}

std::uint64_t total_bytes(std::span<const Tensor> tensors) {
  std::uint64_t bytes = 0;
  for (const Tensor& tensor : tensors) {
    bytes += tensor.data.size();
  }
  return bytes;
}

Result<std::uint64_t> element_count(std::span<const std::int64_t> shape, std::string_view what) {
  std::uint64_t count = 1;
  bool is_empty = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("{} has a negative dimension in shape {}; dimensions must be >= 0", what, shape_text(shape)),
          std::string(what));
    }
    if (dim == 0) {
      is_empty = true;
      continue;
    }
    if (count > kMaxElements / static_cast<std::uint64_t>(dim)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{} with shape {} causes total element count to exceed maximum size of {}", what,
                              shape_text(shape), kMaxElements),
                  std::string(what));
    }
    count *= static_cast<std::uint64_t>(dim);
  }
  return is_empty ? 0 : count;
}

Result<std::uint64_t> bytes_element_count(std::string_view raw, std::string_view what) {
  const Bytes bytes = as_bytes(raw);
  std::uint64_t count = 0;
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    const auto length = load_le<std::uint32_t>(bytes, offset);
    if (!length) {
      return fail(Code::kInvalidArgument, fmt::format("incomplete string length indicator for {}", what),
                  std::string(what));
    }
    offset += sizeof(std::uint32_t);
    if (*length > bytes.size() - offset) {
      return fail(Code::kInvalidArgument,
                  fmt::format("incomplete string data for {}: expected string of length {} but only {} bytes available",
                              what, *length, bytes.size() - offset),
                  std::string(what));
    }
    offset += *length;
    ++count;
  }
  return count;
}

Status check_byte_size(const Tensor& tensor, std::string_view model) {
  const auto count = element_count(tensor.shape, fmt::format("input '{}'", tensor.name));
  if (!count) {
    return fail(count.error());
  }
  if (tensor.datatype == DataType::kBytes) {
    const auto actual = bytes_element_count(tensor.data, fmt::format("inference input '{}'", tensor.name));
    if (!actual) {
      return fail(actual.error());
    }
    if (*actual != *count) {
      return fail(Code::kInvalidArgument,
                  fmt::format("expected {} string elements for inference input '{}' for model '{}', got {}", *count,
                              tensor.name, model, *actual),
                  tensor.name);
    }
    return {};
  }
  const std::uint64_t expected = *count * datatype_size(tensor.datatype);
  if (expected != tensor.data.size()) {
    return fail(Code::kInvalidArgument,
                fmt::format("input byte size mismatch for input '{}' for model '{}'. Expected {}, got {}", tensor.name,
                            model, expected, tensor.data.size()),
                tensor.name);
  }
  return {};
}

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

}  // namespace shoal
