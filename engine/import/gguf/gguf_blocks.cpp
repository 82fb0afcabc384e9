#include "engine/import/gguf/gguf_blocks.hpp"

#include <cstring>

#include "engine/core/f16.hpp"
#include "engine/formats/half.hpp"

namespace shoal::import {
namespace {

using formats::BlockFormat;
using formats::Codes;
using formats::ScaleEncoding;
using formats::Scheme;

// One block, read field by field; offsets are within the block and always inside it.
struct Block {
  const std::byte* data;

  [[nodiscard]] std::uint32_t u8(std::size_t at) const { return std::to_integer<std::uint32_t>(data[at]); }
  [[nodiscard]] std::int32_t i8(std::size_t at) const { return static_cast<std::int8_t>(u8(at)); }
  [[nodiscard]] std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(u8(at) | u8(at + 1) << 8); }
  [[nodiscard]] std::uint32_t u32(std::size_t at) const { return u16(at) | std::uint32_t{u16(at + 2)} << 16; }
  [[nodiscard]] float half(std::size_t at) const { return f16_to_f32(u16(at)); }
};

float number(std::uint32_t value) { return static_cast<float>(value); }
float number(std::int32_t value) { return static_cast<float>(value); }

// Element `index` of 16 bytes at `at`: the low nibbles are the first 16 elements.
std::uint32_t nibble(const Block& block, std::size_t at, std::size_t index) {
  return block.u8(at + index % 16) >> (index / 16 * 4) & 15U;
}

void read_q4_0(const Block& block, float* values) {
  for (std::size_t index = 0; index < 32; ++index) {
    values[index] = block.half(0) * (number(nibble(block, 2, index)) - 8);
  }
}

void read_q4_1(const Block& block, float* values) {
  for (std::size_t index = 0; index < 32; ++index) {
    values[index] = block.half(0) * number(nibble(block, 4, index)) + block.half(2);
  }
}

void read_q5_0(const Block& block, float* values) {
  for (std::size_t index = 0; index < 32; ++index) {
    const std::uint32_t code = nibble(block, 6, index) | (block.u32(2) >> index & 1U) << 4;
    values[index] = block.half(0) * (number(code) - 16);
  }
}

void read_q5_1(const Block& block, float* values) {
  for (std::size_t index = 0; index < 32; ++index) {
    const std::uint32_t code = nibble(block, 8, index) | (block.u32(4) >> index & 1U) << 4;
    values[index] = block.half(0) * number(code) + block.half(2);
  }
}

void read_q8_0(const Block& block, float* values) {
  for (std::size_t index = 0; index < 32; ++index) {
    values[index] = block.half(0) * number(block.i8(2 + index));
  }
}

void read_q2_k(const Block& block, float* values) {
  for (std::size_t index = 0; index < 256; ++index) {
    const std::uint32_t scales = block.u8(index / 16);
    const std::uint32_t code = block.u8(16 + index / 128 * 32 + index % 32) >> (index % 128 / 32 * 2) & 3U;
    values[index] = block.half(80) * number(scales & 15U) * number(code) - block.half(82) * number(scales >> 4);
  }
}

// The 6-bit scale and min of sub-block `index`, packed into 12 bytes at `at`.
struct KScale {
  std::uint32_t scale;
  std::uint32_t min;
};
KScale k_scale(const Block& block, std::size_t at, std::size_t index) {
  if (index < 4) {
    return {block.u8(at + index) & 63U, block.u8(at + index + 4) & 63U};
  }
  return {(block.u8(at + index + 4) & 15U) | (block.u8(at + index - 4) >> 6) << 4,
          block.u8(at + index + 4) >> 4 | (block.u8(at + index) >> 6) << 4};
}

void read_q4_k(const Block& block, float* values) {
  for (std::size_t index = 0; index < 256; ++index) {
    const KScale scale = k_scale(block, 4, index / 32);
    const std::uint32_t code = block.u8(16 + index / 64 * 32 + index % 32) >> (index / 32 % 2 * 4) & 15U;
    values[index] = block.half(0) * number(scale.scale) * number(code) - block.half(2) * number(scale.min);
  }
}

void read_q5_k(const Block& block, float* values) {
  for (std::size_t index = 0; index < 256; ++index) {
    const KScale scale = k_scale(block, 4, index / 32);
    const std::uint32_t low = block.u8(48 + index / 64 * 32 + index % 32) >> (index / 32 % 2 * 4) & 15U;
    const std::uint32_t code = low | (block.u8(16 + index % 32) >> (index / 32) & 1U) << 4;
    values[index] = block.half(0) * number(scale.scale) * number(code) - block.half(2) * number(scale.min);
  }
}

void read_q6_k(const Block& block, float* values) {
  for (std::size_t index = 0; index < 256; ++index) {
    const std::size_t half = index / 128;
    const std::size_t quarter = index % 128 / 32;
    const std::size_t lane = index % 32;
    const std::uint32_t low = block.u8(half * 64 + quarter % 2 * 32 + lane) >> (quarter / 2 * 4) & 15U;
    const std::uint32_t code = low | (block.u8(128 + half * 32 + lane) >> (2 * quarter) & 3U) << 4;
    values[index] = block.half(208) * number(block.i8(192 + index / 16)) * (number(code) - 32);
  }
}

using ReadBlock = void (*)(const Block& block, float* values);

ReadBlock reader_of(GgufCode code) {
  switch (code) {
    case GgufCode::kF32:
      return [](const Block& block, float* values) { std::memcpy(values, block.data, 4); };
    case GgufCode::kF16:
      return [](const Block& block, float* values) { *values = block.half(0); };
    case GgufCode::kBf16:
      return [](const Block& block, float* values) { *values = bf16_to_f32(block.u16(0)); };
    case GgufCode::kQ4_0:
      return read_q4_0;
    case GgufCode::kQ4_1:
      return read_q4_1;
    case GgufCode::kQ5_0:
      return read_q5_0;
    case GgufCode::kQ5_1:
      return read_q5_1;
    case GgufCode::kQ8_0:
      return read_q8_0;
    case GgufCode::kQ2K:
      return read_q2_k;
    case GgufCode::kQ4K:
      return read_q4_k;
    case GgufCode::kQ5K:
      return read_q5_k;
    case GgufCode::kQ6K:
      return read_q6_k;
    default:
      return nullptr;
  }
}

Status check_size(const GgufType& type, Bytes row, std::uint64_t elements) {
  if (elements % type.block_elements != 0 || row.size() != elements / type.block_elements * type.block_bytes) {
    return fail(Code::kInvalidArgument, "GGUF: a row of " + std::to_string(row.size()) + " bytes is not " +
                                            std::to_string(elements) + " elements of " + std::string(type.name));
  }
  return {};
}

Status repack_blocks(const GgufType& type, Bytes row, const formats::MatrixWriter& matrix, std::uint64_t to) {
  const std::uint64_t blocks = row.size() / type.block_bytes;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(blocks) * 32);
  for (std::uint64_t number = 0; number < blocks; ++number) {
    const Block block{row.data() + number * type.block_bytes};
    const bool has_min = type.code == GgufCode::kQ4_1;
    const std::uint16_t scale = block.u16(0);
    const std::uint16_t min = has_min ? block.u16(2) : std::uint16_t{0};
    if (!formats::is_finite_half(scale) || !formats::is_finite_half(min)) {
      return fail(Code::kInvalidArgument, "GGUF: a scale of " + std::string(type.name) + " is not finite");
    }
    for (std::size_t index = 0; index < 32; ++index) {
      codes[static_cast<std::size_t>(number) * 32 + index] = static_cast<std::uint8_t>(
          type.code == GgufCode::kQ8_0 ? block.u8(2 + index) ^ 0x80U : nibble(block, has_min ? 4 : 2, index));
    }
    formats::write_entry(matrix, to, number, scale, min);
  }
  formats::write_codes(matrix, to, codes);
  return {};
}

}  // namespace

bool can_dequantize(const GgufType& type) { return reader_of(type.code) != nullptr; }

Status dequantize_gguf_row(const GgufType& type, Bytes row, std::span<float> values) {
  const ReadBlock read = reader_of(type.code);
  if (read == nullptr) {
    return fail(Code::kPrecisionNotSupported, "GGUF: " + std::string(type.name) + " cannot be read as floats");
  }
  if (const Status status = check_size(type, row, values.size()); !status) {
    return status;
  }
  for (std::size_t block = 0; block < values.size() / type.block_elements; ++block) {
    read({row.data() + block * type.block_bytes}, values.data() + block * type.block_elements);
  }
  return {};
}

std::optional<BlockFormat> lossless_format(const GgufType& type) {
  switch (type.code) {
    case GgufCode::kF32:
    case GgufCode::kBf16:
      return BlockFormat{.codes = Codes::kF32};
    case GgufCode::kF16:
      return BlockFormat{.codes = Codes::kF16};
    case GgufCode::kQ4_0:
      return BlockFormat{Codes::kQ4, Scheme::kSymmetric, ScaleEncoding::kF16, 32};
    case GgufCode::kQ4_1:
      return BlockFormat{Codes::kQ4, Scheme::kAsymmetric, ScaleEncoding::kF16, 32};
    case GgufCode::kQ8_0:
      return BlockFormat{Codes::kQ8, Scheme::kSymmetric, ScaleEncoding::kF16, 32};
    default:
      return std::nullopt;
  }
}

Status repack_gguf_row(const GgufType& type, Bytes row, const formats::MatrixWriter& matrix, std::uint64_t to) {
  if (lossless_format(type) != matrix.format || to >= matrix.layout.n) {
    return fail(Code::kInvalidArgument, "GGUF: " + std::string(type.name) + " does not go unchanged into row " +
                                            std::to_string(to) + " of a " + formats::format_name(matrix.format) +
                                            " matrix");
  }
  if (const Status status = check_size(type, row, matrix.layout.k); !status) {
    return status;
  }
  if (formats::is_quantized(matrix.format.codes)) {
    return repack_blocks(type, row, matrix, to);
  }
  std::vector<float> values(static_cast<std::size_t>(matrix.layout.k));
  if (const Status status = dequantize_gguf_row(type, row, values); !status) {
    return status;
  }
  return formats::write_row(matrix, to, values);
}

}  // namespace shoal::import
