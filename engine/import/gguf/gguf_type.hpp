// The element types of GGUF tensors: how many elements make a block and how many bytes it has.
#pragma once

#include <cstdint>
#include <string_view>

namespace shoal::import {

// Numbers are those of the file.
enum class GgufCode : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2K = 10,
  kQ3K = 11,
  kQ4K = 12,
  kQ5K = 13,
  kQ6K = 14,
  kQ8K = 15,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kBf16 = 30,
};

struct GgufType {
  GgufCode code;
  std::string_view name;
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

// Bits of one code, without its scale: 4 of Q4_K. Of single elements all of their bits.
constexpr std::uint32_t code_bits(const GgufType& type) {
  return type.name.front() == 'Q' ? static_cast<std::uint32_t>(type.name[1] - '0') : 8 * type.block_bytes;
}

// Null for a number that this reader does not know.
const GgufType* gguf_type(std::uint32_t code);

}  // namespace shoal::import
