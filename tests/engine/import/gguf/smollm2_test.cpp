// The real SmolLM2-135M-Instruct (Q4_1, Q8_0, F32): every weight is repacked and must come out bit for bit as another
// decoder has it. SHOAL_SMOLLM2_GGUF names the file; without it the test is skipped.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>

#include "engine/import/gguf/gguf_blocks.hpp"

namespace shoal::import {
namespace {

std::vector<float> repacked_floats(const GgufTensor& tensor, Bytes file) {
  const auto format = *lossless_format(*tensor.type);
  const std::uint64_t n = tensor.row_count();
  const std::uint64_t k = tensor.row_length();
  const auto layout = *formats::layout_of(format, n, k);
  std::vector<std::uint32_t> memory(layout.bytes / 4);
  const auto matrix = *formats::matrix_writer(format, n, k, std::as_writable_bytes(std::span(memory)));
  std::vector<float> values(n * k);
  for (std::uint64_t row = 0; row < n; ++row) {
    const Bytes bytes = file.subspan(tensor.offset + row * tensor.row_bytes(), tensor.row_bytes());
    EXPECT_TRUE(repack_gguf_row(*tensor.type, bytes, matrix, row));
    formats::dequantize_row({format, layout, matrix.data}, row, std::span(values).subspan(row * k, k));
  }
  return values;
}

TEST(Smollm2, IsRepackedBitForBit) {
  const char* path = std::getenv("SHOAL_SMOLLM2_GGUF");
  if (path == nullptr) {
    GTEST_SKIP() << "SHOAL_SMOLLM2_GGUF names no file";
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto gguf = parse_gguf(as_bytes(file), file.size());
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ(*gguf->find<std::string>("general.architecture"), "llama");
  EXPECT_EQ(gguf->find<std::vector<std::string>>("tokenizer.ggml.tokens")->size(), 49152U);
  EXPECT_EQ(gguf->tensors.size(), 272U);

  std::vector<const GgufTensor*> in_order;
  for (const auto& [name, tensor] : gguf->tensors) {
    in_order.push_back(&tensor);
  }
  std::ranges::sort(in_order, {}, &GgufTensor::offset);
  std::map<std::string_view, uLong> checksums;
  for (const GgufTensor* tensor : in_order) {
    const auto values = repacked_floats(*tensor, as_bytes(file));
    uLong& checksum = checksums[tensor->type->name];
    checksum = crc32_z(checksum, reinterpret_cast<const Bytef*>(values.data()), values.size() * 4);
  }
  // CRC-32 of the floats of all tensors of a type, by the decoder of the Python package gguf.
  EXPECT_EQ(checksums,
            (std::map<std::string_view, uLong>{{"F32", 2398556346}, {"Q4_1", 3951226802}, {"Q8_0", 964192520}}));
}

}  // namespace
}  // namespace shoal::import
