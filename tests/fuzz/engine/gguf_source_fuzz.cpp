// Any bytes as a whole GGUF file: an error in words, or a source whose model the verifier accepts. Weights are not
// read.
#include <cstdlib>

#include "engine/archs/build.hpp"
#include "engine/graph/verify.hpp"
#include "engine/import/source.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal;
  auto source = import::open_gguf(Bytes(reinterpret_cast<const std::byte*>(data), size));
  if (!source) {
    if (source.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  const auto model =
      archs::build_model(source->config, source->generation ? &*source->generation : nullptr, source->checkpoint);
  if (model ? !graph::verify(model->plan) : model.error().message.empty()) {
    std::abort();
  }
  return 0;
}
