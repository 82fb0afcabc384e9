// Reader of GGUF files, versions 2 and 3. Pure: bytes in, descriptions out; copies no weights and opens no file.
//
//   file    = "GGUF" | u32 version | u64 tensor count | u64 value count | value... | tensor... | padding | data
//   value   = string key | u32 type | payload           string = u64 length | bytes
//   type    = 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 9 array, 10 u64, 11 i64, 12 f64
//   array   = u32 type | u64 count | payload...         no arrays of arrays
//   tensor  = string name | u32 rank | u64 dims[rank] | u32 type | u64 offset    the first dim is the fastest
//   Offsets count from the start of data, which is the next multiple of general.alignment (32) after the tensors.
//
// Every violation is kInvalidArgument, in words that name the key or the tensor. Nothing is allocated for a count that
// the bytes cannot hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"
#include "engine/import/gguf/gguf_type.hpp"

namespace shoal::import {

inline constexpr std::size_t kMaxGgufRank = 4;

// Whole numbers are u64 where their type is unsigned and i64 where it is signed; bools of an array are u64.
using GgufValue = std::variant<bool, std::uint64_t, std::int64_t, double, std::string, std::vector<std::uint64_t>,
                               std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

struct GgufTensor {
  const GgufType* type = nullptr;
  // As the file has them: dims[0] is the length of a row.
  std::vector<std::uint64_t> dims;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t bytes = 0;

  [[nodiscard]] std::uint64_t row_length() const { return dims.empty() ? 1 : dims[0]; }
  [[nodiscard]] std::uint64_t row_count() const;
  [[nodiscard]] std::uint64_t row_bytes() const { return row_length() / type->block_elements * type->block_bytes; }
};

struct Gguf {
  std::map<std::string, GgufValue, std::less<>> values;
  std::map<std::string, GgufTensor, std::less<>> tensors;

  // The value of a key if it has this type, else null.
  template <class T>
  [[nodiscard]] const T* find(std::string_view key) const {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : std::get_if<T>(&found->second);
  }
};

// `head` holds the file from its start to the end of the tensor descriptions or further; `file_bytes` is its whole
// size, against which the tensors' extents are checked.
Result<Gguf> parse_gguf(Bytes head, std::uint64_t file_bytes);

}  // namespace shoal::import
