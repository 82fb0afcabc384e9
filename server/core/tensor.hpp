// A named tensor on its way between a client and a browser: KServe v2 datatype, shape, and raw little-endian row-major
// bytes (BYTES elements: u32 length + bytes each, as on the wire). A value; no thread contract of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal {

// Numbers equal shoal.agent.v1.DataType (checked in server/wire).
enum class DataType : std::uint8_t {
  kBool = 1,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBytes,
  kBf16,
};
inline constexpr std::size_t kDataTypeCount = 14;

std::string_view datatype_name(DataType type);                 // "FP32", ...
std::optional<DataType> datatype_from(std::string_view name);  // exact KServe name
std::size_t datatype_size(DataType type);                      // bytes of one element; 0 for BYTES

using Shape = std::vector<std::int64_t>;

struct Tensor {
  std::string name;
  DataType datatype = DataType::kFp32;
  Shape shape;       // every dimension >= 0
  std::string data;  // raw bytes
};

// Of their data.
std::uint64_t total_bytes(std::span<const Tensor> tensors);

// Product of the dimensions; kInvalidArgument (naming `what`) when one is negative or the product exceeds 2^40.
Result<std::uint64_t> element_count(std::span<const std::int64_t> shape, std::string_view what);

// Number of elements in the raw form of a BYTES tensor; kInvalidArgument when a length runs over the end.
Result<std::uint64_t> bytes_element_count(std::string_view raw, std::string_view what);

// That data agrees with datatype and shape, in Triton's words ("input byte size mismatch for input 'X' ...").
Status check_byte_size(const Tensor& tensor, std::string_view model);

// "[1,-1,8]".
std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace shoal
