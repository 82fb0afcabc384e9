#include "engine/graph/builder.hpp"

#include <algorithm>

#include "engine/graph/buffers.hpp"
#include "engine/graph/infer.hpp"
#include "engine/graph/verify.hpp"

namespace shoal::graph {

TensorId Builder::add(Tensor tensor) {
  plan_.tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(plan_.tensors.size() - 1);
}

TensorId Builder::find(TensorKind kind, std::string_view name) const {
  const auto found = std::find_if(plan_.tensors.begin(), plan_.tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.kind == kind && tensor.name == name; });
  return found == plan_.tensors.end() ? kNoTensor : static_cast<TensorId>(found - plan_.tensors.begin());
}

Signature& Builder::signature() {
  if (plan_.signatures.empty()) {
    begin("run");
  }
  return plan_.signatures.back();
}

TensorId Builder::weight(std::string name, std::vector<std::uint32_t> shape) {
  Shape dims;
  for (const std::uint32_t size : shape) {
    dims.push_back(fixed(size));
  }
  if (const TensorId known = find(TensorKind::kWeight, name); known != kNoTensor) {
    if (plan_.tensors[known].shape != dims) {
      refuse({Code::kGraphBuildingError, "weight '" + name + "' is used with two shapes", name});
    }
    return known;
  }
  return add({.name = std::move(name), .kind = TensorKind::kWeight, .shape = std::move(dims)});
}

TensorId Builder::state(std::string name, Symbol symbol, std::uint32_t columns) {
  return add({.name = std::move(name),
              .kind = TensorKind::kState,

              .shape = {extent(Symbol::kSlots), extent(symbol), fixed(columns)}});
}

void Builder::begin(std::string name) {
  plan_.signatures.emplace_back();
  plan_.signatures.back().name = std::move(name);
}

void Builder::layer(std::string name) {
  Signature& current = signature();
  current.layers.push_back({std::move(name), static_cast<std::uint32_t>(current.ops.size()), 0});
}

TensorId Builder::input(std::string_view name) {
  Signature& current = signature();
  TensorId id = find(TensorKind::kInput, name);
  if (id == kNoTensor) {
    const InputRow* row = find_input(name);
    if (row == nullptr) {
      refuse({Code::kGraphBuildingError, "there is no input '" + std::string(name) + "'", std::string(name)});
      return kNoTensor;
    }
    id = add({.name = std::string(name),
              .kind = TensorKind::kInput,
              .element = Element::kI32,

              .shape = {row->extent}});
  }
  if (std::find(current.inputs.begin(), current.inputs.end(), id) == current.inputs.end()) {
    current.inputs.push_back(id);
  }
  return id;
}

TensorId Builder::apply(Attributes attributes, std::vector<TensorId> inputs) {
  Signature& current = signature();
  if (current.layers.empty()) {
    layer("input");
  }
  Op op{.attributes = attributes, .inputs = std::move(inputs)};
  auto shape = infer_output(plan_, op);
  if (!shape) {
    refuse(std::move(shape.error()).with(current.layers.back().name));
    return kNoTensor;
  }
  if (*shape) {
    op.output = add({.name = current.layers.back().name + "." + std::string(op_name(attributes)),

                     .shape = std::move(**shape)});
  }
  current.ops.push_back(std::move(op));
  ++current.layers.back().op_count;
  return current.ops.back().output;
}

TensorId Builder::view(TensorId value, std::uint32_t column, std::uint32_t columns) {
  const Tensor* base = plan_.find_tensor(value);
  if (base == nullptr || base->kind != TensorKind::kValue) {
    refuse({Code::kGraphBuildingError, "a view of something that is no value", {}});
    return kNoTensor;
  }
  const bool is_view = base->view_of != kNoTensor;
  Tensor tensor{.name = base->name + "[" + std::to_string(column) + "]",

                .shape = {base->shape[0], fixed(columns)},
                .view_of = is_view ? base->view_of : value,
                .view_column = column + (is_view ? base->view_column : 0)};
  return add(std::move(tensor));
}

void Builder::output(std::string name, TensorId value) { signature().outputs.push_back({std::move(name), value}); }

void Builder::refuse(Error error) {
  if (!failed_) {
    failed_ = true;
    error_ = std::move(error);
  }
}

std::uint32_t Builder::columns(TensorId value) const {
  const Tensor* tensor = plan_.find_tensor(value);
  return tensor == nullptr || tensor->shape.size() != 2 ? 0 : tensor->shape[1].size;
}

Result<Plan> Builder::finish() && {
  if (failed_) {
    return fail(std::move(error_));
  }
  for (const Signature& one : plan_.signatures) {
    for (const Output& output : one.outputs) {
      if (plan_.find_tensor(output.tensor) == nullptr) {
        return fail(Code::kGraphBuildingError, "output '" + output.name + "' is not made");
      }
    }
  }
  assign_buffers(plan_);
  if (auto fits = verify(plan_); !fits) {
    return fail(std::move(fits.error()));
  }
  return std::move(plan_);
}

}  // namespace shoal::graph
