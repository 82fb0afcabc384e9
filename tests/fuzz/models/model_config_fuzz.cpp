// Any text as config.pbtxt over a small graph: an error with words, or a completed configuration.
#include <cstdlib>
#include <string_view>

#include "server/models/model_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using shoal::DataType;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = shoal::models::parse_model_config(text, "config.pbtxt");
  if (!parsed) {
    if (parsed.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  shoal::models::GraphSignature graph{
      .inputs = {{"ids", DataType::kInt64, {-1, -1}, {"batch_size", "sequence_length"}}},
      .outputs = {{"y", DataType::kFp32, {-1, 4}, {"batch_size", ""}}, {"z", DataType::kFp32, {-1}, {""}, false}},
      .external = {}};
  shoal::models::ModelVersion model;
  model.name = "m";
  const auto applied =
      shoal::models::apply_model_config(std::move(*parsed), std::move(graph), {shoal::Backend::kWasm}, model);
  if (applied && (model.config == nullptr || model.backends.empty() || model.max_batch_size < 0)) {
    std::abort();
  }
  return 0;
}
