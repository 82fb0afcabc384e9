// Reader of the safetensors format. Pure: bytes in, views out; copies no weights and opens no file.
//
//   file   = u64 little-endian header size N | N bytes of JSON | data
//   JSON   = {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"k": "v"}}
//   Offsets count from the start of data. Together the tensors cover data exactly: no overlap, no gap, no tail.
//
// Every violation is kInvalidArgument, in words that name the tensor. The header is read without building a tree of
// it, to a nesting depth of 2, and may have 100,000,000 bytes (the format's own bound).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"

namespace shoal::import {

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr std::size_t kMaxSafetensorsRank = 16;

enum class ElementType : std::uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kU16,
  kI16,
  kF16,
  kBf16,
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
};
std::string_view element_name(ElementType type);  // "F32"
std::size_t element_size(ElementType type);

struct TensorView {
  ElementType type = ElementType::kF32;
  std::vector<std::uint64_t> shape;
  Bytes data;  // into the bytes that were parsed; not aligned
};

struct Safetensors {
  std::map<std::string, TensorView, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;

  // The tensor, or kNotFound naming it.
  [[nodiscard]] Result<const TensorView*> find(std::string_view name) const;
};

// The views point into `file`, which must outlive the result.
Result<Safetensors> parse_safetensors(Bytes file);

// Whether elements can be read as floats, exactly: F32, F16, BF16.
bool is_float(ElementType type);
// Elements first, first + stride, ... as floats. Requires: is_float(tensor.type), all of them within the tensor.
void read_floats(const TensorView& tensor, std::size_t first, std::size_t stride, std::span<float> out);
// All of them, one after the other; kInvalidArgument unless is_float(tensor.type).
Result<std::vector<float>> to_floats(const TensorView& tensor);

}  // namespace shoal::import
