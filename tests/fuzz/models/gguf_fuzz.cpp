// Any bytes as a GGUF file: an error, or tensors that all lie inside the bytes and whose rows can be read.
#include <cstdlib>

#include "engine/import/gguf/gguf_blocks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const shoal::Bytes file(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = shoal::import::parse_gguf(file, size);
  if (!parsed) {
    return 0;
  }
  for (const auto& [name, tensor] : parsed->tensors) {
    const auto row = shoal::slice(file, tensor.offset, tensor.row_bytes());
    if (!row || tensor.bytes != tensor.row_bytes() * tensor.row_count()) {
      std::abort();
    }
    std::vector<float> values(tensor.row_length());
    (void)shoal::import::dequantize_gguf_row(*tensor.type, *row, values);
  }
  return 0;
}
