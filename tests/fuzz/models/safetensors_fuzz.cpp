// Any bytes as a safetensors file: an error, or tensors that all lie inside the bytes.
#include <cstdlib>

#include "engine/import/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const shoal::Bytes file(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = shoal::import::parse_safetensors(file);
  if (!parsed) {
    return 0;
  }
  std::size_t total = 0;
  for (const auto& [name, tensor] : parsed->tensors) {
    total += tensor.data.size();
    const auto floats = shoal::import::to_floats(tensor);
    if (floats && floats->size() * shoal::import::element_size(tensor.type) != tensor.data.size()) {
      std::abort();
    }
  }
  if (total > size) {
    std::abort();
  }
  return 0;
}
