// Any bytes as an ONNX model: an error, or a signature whose tensors are whole.
#include <cstdlib>

#include "server/models/onnx_signature.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto signature =
      shoal::models::read_onnx_signature(shoal::Bytes(reinterpret_cast<const std::byte*>(data), size));
  if (!signature) {
    return 0;
  }
  for (const auto* tensors : {&signature->inputs, &signature->outputs}) {
    for (const auto& tensor : *tensors) {
      if (tensor.dims.size() != tensor.dim_names.size()) {
        std::abort();
      }
    }
  }
  return 0;
}
