#include "server/models/validate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace shoal::models {
namespace {

std::unexpected<Error> bad(std::string message, const std::string& tensor) {
  return fail(Code::kInvalidArgument, std::move(message), tensor);
}

std::string quoted_list(const std::vector<std::string_view>& names) {
  std::vector<std::string> quoted;
  quoted.reserve(names.size());
  for (const std::string_view name : names) {
    quoted.push_back(fmt::format("'{}'", name));
  }
  return fmt::format("[{}]", fmt::join(quoted, ","));
}

Status check_names(const ModelVersion& model, std::span<const Tensor> inputs) {
  std::set<std::string_view> seen;
  for (const Tensor& input : inputs) {
    if (!seen.insert(input.name).second) {
      return bad(fmt::format("input '{}' already exists in request", input.name), input.name);
    }
  }
  std::vector<std::string_view> got;
  std::vector<std::string_view> missing;
  for (const TensorSignature& expected : model.inputs) {
    if (!expected.is_optional || seen.contains(expected.name)) {
      (seen.contains(expected.name) ? got : missing).push_back(expected.name);
    }
  }
  for (const Tensor& input : inputs) {
    if (model.input(input.name) == nullptr && missing.empty()) {
      return bad(fmt::format("unexpected inference input '{}' for model '{}'", input.name, model.name), input.name);
    }
  }
  if (missing.empty()) {
    return {};
  }
  got.clear();
  for (const Tensor& input : inputs) {
    got.push_back(input.name);
  }
  return bad(fmt::format("expected {} inputs but got {} inputs for model '{}'. Got input(s) {}, but missing required "
                         "input(s) {}. Please provide all required input(s).",
                         std::ranges::count(model.inputs, false, &TensorSignature::is_optional), inputs.size(),
                         model.name, quoted_list(got), quoted_list(missing)),
             std::string(missing.front()));
}

Status check_shape(const ModelVersion& model, const TensorSignature& expected, const Tensor& input) {
  bool is_match = !expected.has_rank || input.shape.size() == expected.dims.size();
  for (std::size_t axis = 0; is_match && expected.has_rank && axis < input.shape.size(); ++axis) {
    is_match = expected.dims[axis] < 0 || expected.dims[axis] == input.shape[axis];
  }
  if (is_match) {
    return {};
  }
  constexpr std::string_view kBatchNote =
      " NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each "
      "input shape. If you want to specify the full shape including the batch dim in your input dims config, try "
      "setting max_batch_size to zero.";
  return bad(
      fmt::format("unexpected shape for input '{}' for model '{}'. Expected {}, got {}.{}", input.name, model.name,
                  shape_text(expected.dims), shape_text(input.shape), model.max_batch_size > 0 ? kBatchNote : ""),
      input.name);
}

Status check_input(const ModelVersion& model, const Tensor& input) {
  const TensorSignature& expected = *model.input(input.name);
  if (input.datatype != expected.datatype) {
    return bad(fmt::format("inference input '{}' data-type is '{}', but model '{}' expects '{}'", input.name,
                           datatype_name(input.datatype), model.name, datatype_name(expected.datatype)),
               input.name);
  }
  // Negative and overflowing dimensions have messages of their own, before the shape is compared.
  if (const auto count = element_count(input.shape, fmt::format("input '{}'", input.name)); !count) {
    return bad(count.error().message, input.name);
  }
  if (auto shape = check_shape(model, expected, input); !shape) {
    return shape;
  }
  return check_byte_size(input, model.name);
}

Status check_batch(const ModelVersion& model, std::span<const Tensor> inputs) {
  if (model.max_batch_size == 0) {
    return {};
  }
  std::optional<std::int64_t> batch;
  for (const Tensor& input : inputs) {
    const std::int64_t rows = input.shape.empty() ? 0 : input.shape.front();
    if (batch && *batch != rows) {
      return bad(fmt::format("input '{}' batch size does not match other inputs for '{}'", input.name, model.name),
                 input.name);
    }
    batch = rows;
  }
  if (batch && *batch > model.max_batch_size) {
    return bad(fmt::format("inference request batch-size must be <= {} for '{}'", model.max_batch_size, model.name),
               inputs.front().name);
  }
  if (batch && *batch < 1) {
    return bad(fmt::format("inference request batch-size must be >= 1 for '{}'", model.name), inputs.front().name);
  }
  return {};
}

Status check_outputs(const ModelVersion& model, std::span<const std::string> outputs) {
  std::set<std::string_view> seen;
  for (const std::string& output : outputs) {
    if (!seen.insert(output).second) {
      return bad(fmt::format("output '{}' already exists in request", output), output);
    }
    if (model.output(output) == nullptr) {
      return bad(fmt::format("unexpected inference output '{}' for model '{}'", output, model.name), output);
    }
  }
  return {};
}

}  // namespace

Status validate(const ModelVersion& model, std::span<const Tensor> inputs, std::span<const std::string> outputs) {
  if (auto names = check_names(model, inputs); !names) {
    return names;
  }
  for (const Tensor& input : inputs) {
    if (auto checked = check_input(model, input); !checked) {
      return checked;
    }
  }
  if (auto batch = check_batch(model, inputs); !batch) {
    return batch;
  }
  return check_outputs(model, outputs);
}

std::int64_t batch_size_of(const ModelVersion& model, std::span<const Tensor> inputs) {
  const bool has_batch = model.max_batch_size > 0 && !inputs.empty() && !inputs.front().shape.empty();
  return has_batch ? inputs.front().shape.front() : 1;
}

}  // namespace shoal::models
