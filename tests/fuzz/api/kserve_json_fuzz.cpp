// Any bytes as the body of an inference request, the first two of them choosing where the JSON ends: errors of the
// client's kind, or tensors that the answer's writer can say again and the reader reads back the same.
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "server/wire/kserve_json.hpp"

namespace {

using shoal::wire::InferBody;

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check_round_trip(const InferBody& body) {
  std::vector<bool> binary;
  for (const shoal::Tensor& tensor : body.inputs) {
    // Sizes are checked against the model's, later; an answer always has the right ones.
    if (!shoal::check_byte_size(tensor, "m")) {
      return;
    }
    binary.push_back(tensor.datatype == shoal::DataType::kFp16 || tensor.datatype == shoal::DataType::kBf16);
  }
  const auto encoded = shoal::wire::write_infer({.model = "m",
                                                 .version = "1",
                                                 .id = body.id,
                                                 .parameters = body.parameters,
                                                 .outputs = body.inputs,
                                                 .binary = binary});
  if (!encoded) {
    check(encoded.error().code == shoal::Code::kInvalidArgument);
    return;
  }
  // An answer reads as a request whose inputs are called outputs. No string can hold this key: its quotes would be
  // escaped.
  std::string request = encoded->body;
  constexpr std::string_view kOutputs = "\"outputs\":[";
  const std::size_t key = request.find(kOutputs);
  check(key != std::string::npos);
  request.replace(key, kOutputs.size(), "\"inputs\":[");
  const auto json_size = encoded->json_size ? std::optional(std::uint64_t{*encoded->json_size - 1}) : std::nullopt;
  const auto again = shoal::wire::parse_infer(request, json_size, std::size_t{1} << 24);
  check(again.has_value() && again->inputs.size() == body.inputs.size());
  for (std::size_t index = 0; index < body.inputs.size(); ++index) {
    const shoal::Tensor& before = body.inputs[index];
    const shoal::Tensor& after = again->inputs[index];
    check(before.name == after.name && before.datatype == after.datatype && before.shape == after.shape);
    // Any byte but 0 is true, and there are many NaNs.
    const bool is_loose = before.datatype == shoal::DataType::kBool || request.contains("NaN");
    check(is_loose ? before.data.size() == after.data.size() : before.data == after.data);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::uint64_t split = (std::uint64_t{data[0]} << 8) | data[1];
  const auto parsed =
      shoal::wire::parse_infer(body, split == 0xFFFF ? std::nullopt : std::optional(split), std::size_t{1} << 20);
  if (!parsed) {
    check(parsed.error().code == shoal::Code::kInvalidArgument && !parsed.error().message.empty());
    return 0;
  }
  check_round_trip(*parsed);
  return 0;
}
