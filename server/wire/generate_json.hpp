// The JSON of Triton's generate extension: one flat object each way, whose members are tensors by name or parameters.
// Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

struct GenerateBody {
  std::string id;
  Parameters parameters;
  std::vector<Tensor> inputs;  // of the shape [elements]
};

// Nothing: the model has no input of this name.
using InputType = std::function<std::optional<DataType>(std::string_view name)>;

// Members named as an input, of the object or of the object "parameters" in it, are its elements: one, or an array.
// "id" is the request's; all others are parameters. Everything wrong is kInvalidArgument, with `param` = its name.
Result<GenerateBody> parse_generate(std::string_view body, const InputType& type_of, std::size_t max_tensor_bytes);

// One member for each output (an array, or the element where there is but one) and each parameter. kInvalidArgument as
// write_infer().
Result<std::string> write_generate(const InferAnswer& answer);

}  // namespace shoal::wire
