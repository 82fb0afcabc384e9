// Blocks of GGUF tensors: as floats, exactly the values that the format defines, and into block formats of our own
// without changing a code or a scale where a format for that exists.
#pragma once

#include <optional>
#include <span>

#include "engine/formats/pack.hpp"
#include "engine/import/gguf/gguf.hpp"

namespace shoal::import {

// Whether dequantize_gguf_row() knows the type.
bool can_dequantize(const GgufType& type);

// A row as floats: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q4_K, Q5_K, Q6_K. Others are
// kPrecisionNotSupported. kInvalidArgument when `row` is not the bytes of values.size() elements.
Status dequantize_gguf_row(const GgufType& type, Bytes row, std::span<float> values);

// The format that holds this type's codes and scales unchanged: Q4_0 is q4-sym-f16-g32, Q4_1 q4-asym-f16-g32, Q8_0
// q8-sym-f16-g32, F16 f16, F32 and BF16 f32. Nothing for the others: the scale of a K-quant is a product of 17 bits and
// more, which f16 does not hold.
std::optional<formats::BlockFormat> lossless_format(const GgufType& type);

// Writes a row of the tensor as row `to` of a matrix of lossless_format(type). kInvalidArgument for a scale or value
// that is not finite.
Status repack_gguf_row(const GgufType& type, Bytes row, const formats::MatrixWriter& matrix, std::uint64_t to);

// GGUF files of llama models have the rows of q and k in the order of interleaved rotary pairs. The row of the
// Hugging Face order (halves) that row `row` of such a matrix is. `head_size` is even.
constexpr std::uint64_t half_split_row(std::uint64_t row, std::uint64_t head_size) {
  const std::uint64_t in_head = row % head_size;
  return row - in_head + in_head % 2 * (head_size / 2) + in_head / 2;
}
// The way back: where such a matrix has the row that is row `row` of the Hugging Face order.
constexpr std::uint64_t interleaved_row(std::uint64_t row, std::uint64_t head_size) {
  const std::uint64_t in_head = row % head_size;
  return row - in_head + in_head % (head_size / 2) * 2 + in_head / (head_size / 2);
}

}  // namespace shoal::import
