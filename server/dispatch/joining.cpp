#include "server/dispatch/joining.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace shoal::dispatch {
namespace {

// The symbol of the dimension that is padded: the second one of every input, and cut off wherever an output has it.
std::optional<std::string> padded_symbol(const InferenceRequest& request) {
  const models::ModelVersion& model = *request.model;
  if (!model.embedding || model.inputs.empty() || model.inputs.front().dim_names.size() != 2) {
    return std::nullopt;
  }
  const std::string& symbol = model.inputs.front().dim_names[1];
  const auto is_row_of_tokens = [&](const models::TensorSignature& input) {
    return input.dim_names.size() == 2 && input.dims[1] < 0 && input.dim_names[1] == symbol;
  };
  if (symbol.empty() || !std::ranges::all_of(model.inputs, is_row_of_tokens)) {
    return std::nullopt;
  }
  const auto can_be_cut = [&](const models::TensorSignature& output) {
    for (std::size_t axis = 1; axis < output.dims.size(); ++axis) {
      if (output.dims[axis] < 0 && output.dim_names[axis] != symbol) {
        return false;
      }
    }
    return true;
  };
  // A pooled answer has no tokens any more.
  return request.pooling || std::ranges::all_of(model.outputs, can_be_cut) ? std::optional(symbol) : std::nullopt;
}

const Tensor* find(const std::vector<Tensor>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &Tensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

// What a padded place of the input holds. Zeros do in a mask, and where the mask hides them.
std::int64_t padding_of(const models::ModelVersion& model, const std::string& input) {
  return model.embedding && input == "input_ids" ? std::int64_t{model.embedding->pad_id} : 0;
}

// The rows of `tensor` at the end of `joined`, each enlarged to `length` elements.
void append_rows(const Tensor& tensor, std::int64_t length, std::int64_t padding, Tensor& joined) {
  if (tensor.shape.size() != 2 || tensor.shape[1] == length) {
    joined.data += tensor.data;
    return;
  }
  const std::size_t element = datatype_size(tensor.datatype);
  const std::size_t own = static_cast<std::size_t>(tensor.shape[1]) * element;
  const auto missing = static_cast<std::size_t>(length - tensor.shape[1]);
  for (std::int64_t row = 0; row < tensor.shape[0]; ++row) {
    joined.data.append(tensor.data, static_cast<std::size_t>(row) * own, own);
    for (std::size_t place = 0; place < missing; ++place) {
      // Little-endian: the low bytes of the INT64 are the smaller integer.
      joined.data.append(std::string_view(reinterpret_cast<const char*>(&padding), element));
    }
  }
}

}  // namespace

void set_joining(const InferenceRequest& request, schedule::Job& job) {
  const models::ModelVersion& model = *request.model;
  if (model.scheduling.max_rows <= 1 || model.is_decoupled || request.inputs.empty()) {
    return;
  }
  const std::optional<std::string> padded = padded_symbol(request);
  std::string key = instance_prefix(model);
  for (const models::TensorSignature& signature : model.inputs) {
    const Tensor* tensor = find(request.inputs, signature.name);
    // One that is refused alone must not be made right by padding.
    const bool is_ragged = padded && tensor != nullptr && tensor->shape != request.inputs.front().shape;
    if (tensor == nullptr || tensor->shape.empty() || is_ragged) {
      return;
    }
    key += '|';
    for (std::size_t axis = padded ? 2 : 1; axis < tensor->shape.size(); ++axis) {
      fmt::format_to(std::back_inserter(key), "{},", tensor->shape[axis]);
    }
  }
  for (const std::string& output : request.outputs) {
    key += '>';
    key += output;
  }
  if (request.pooling) {
    fmt::format_to(std::back_inserter(key), "~{}{}{}", request.pooling->output, static_cast<int>(request.pooling->kind),
                   request.pooling->normalize);
  }
  std::int64_t max_rows = model.scheduling.max_rows;
  if (request.demand.max_batch_size) {
    // Those that stand another number of rows are not joined with it: a run has one bound.
    max_rows = std::min<std::int64_t>(max_rows, *request.demand.max_batch_size);
    fmt::format_to(std::back_inserter(key), "<{}", max_rows);
  }
  const Shape& shape = request.inputs.front().shape;
  if (shape[0] < 1 || (padded && shape[1] < 1)) {
    return;
  }
  job.batch_key = std::move(key);
  job.batching = std::make_shared<const schedule::BatchPolicy>(
      schedule::BatchPolicy{.max_rows = static_cast<std::uint32_t>(max_rows),
                            .preferred = model.scheduling.preferred_rows,
                            .max_delay = model.scheduling.max_delay,
                            .joins_unmeasured = model.scheduling.is_configured});
  job.rows = static_cast<std::uint32_t>(shape[0]);
  job.length = padded ? static_cast<std::uint32_t>(shape[1]) : 0;
}

std::vector<Tensor> join_inputs(const models::ModelVersion& model, std::span<const Member> members) {
  std::vector<Tensor> inputs;
  for (const models::TensorSignature& signature : model.inputs) {
    Tensor joined = {.name = signature.name, .datatype = signature.datatype, .shape = {}, .data = {}};
    std::size_t bytes = 0;
    for (const Member& member : members) {
      const Tensor& tensor = *find(*member.inputs, signature.name);
      if (joined.shape.empty()) {
        joined.shape = tensor.shape;
        joined.shape[0] = 0;
      }
      joined.shape[0] += tensor.shape[0];
      if (joined.shape.size() == 2) {
        joined.shape[1] = std::max(joined.shape[1], tensor.shape[1]);
      }
      bytes += tensor.data.size();
    }
    joined.data.reserve(bytes);
    const std::int64_t length = joined.shape.size() == 2 ? joined.shape[1] : 0;
    for (const Member& member : members) {
      append_rows(*find(*member.inputs, signature.name), length, padding_of(model, signature.name), joined);
    }
    inputs.push_back(std::move(joined));
  }
  return inputs;
}

Result<std::vector<std::vector<Tensor>>> split_outputs(const models::ModelVersion& model,
                                                       std::span<const Member> members,
                                                       const std::vector<Tensor>& outputs, std::int64_t rows) {
  std::vector<std::vector<Tensor>> split(members.size());
  for (const Tensor& output : outputs) {
    if (output.shape.empty() || output.shape[0] != rows || output.datatype == DataType::kBytes) {
      return fail(Code::kInternal, fmt::format("output '{}' of a run of {} rows has the shape {}", output.name, rows,
                                               shape_text(output.shape)));
    }
    const std::size_t row_bytes = output.data.size() / static_cast<std::size_t>(output.shape[0]);
    std::size_t offset = 0;
    for (std::size_t index = 0; index < members.size(); ++index) {
      Tensor part = {.name = output.name, .datatype = output.datatype, .shape = output.shape, .data = {}};
      part.shape[0] = members[index].rows;
      part.data = output.data.substr(offset, static_cast<std::size_t>(members[index].rows) * row_bytes);
      offset += part.data.size();
      split[index].push_back(std::move(part));
    }
  }
  for (std::size_t index = 0; index < members.size(); ++index) {
    crop_outputs(model, *members[index].inputs, split[index]);
  }
  return split;
}

}  // namespace shoal::dispatch
