#include "engine/graph/verify.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "engine/graph/buffers.hpp"
#include "engine/graph/infer.hpp"
#include "engine/graph/places.hpp"

namespace shoal::graph {
namespace {

std::unexpected<Error> bad(std::string message) { return fail(Code::kGraphBuildingError, std::move(message)); }

bool is_small(const Dim& dim) { return dim.is_fixed() && dim.size != 0 && dim.size <= kMaxExtent; }

bool is_input_shape(const Tensor& tensor) {
  const InputRow* row = find_input(tensor.name);
  return row != nullptr && tensor.shape == Shape{row->extent};
}

bool is_state_shape(const Shape& shape) {
  return shape.size() == 3 && shape[0] == extent(Symbol::kSlots) &&
         (shape[1] == extent(Symbol::kContext) || shape[1] == extent(Symbol::kMemory)) && is_small(shape[2]);
}

bool is_value_shape(const Shape& shape) {
  if (shape.size() != 2 || !is_small(shape[1]) || shape[0].size != 0) {
    return false;
  }
  const Symbol rows = shape[0].symbol;
  return rows == Symbol::kRows || rows == Symbol::kTokens || rows == Symbol::kOutputs;
}

Status check_view(const Plan& plan, const Tensor& tensor) {
  const Tensor* base = plan.find_tensor(tensor.view_of);
  if (base == nullptr || base->kind != TensorKind::kValue || base->view_of != kNoTensor ||
      !is_value_shape(base->shape)) {
    return bad("view '" + tensor.name + "' is of something that is no value");
  }
  const std::uint32_t columns = base->shape[1].size;
  if (base->shape[0] != tensor.shape[0] || tensor.view_column > columns ||
      tensor.shape[1].size > columns - tensor.view_column) {
    return bad("view '" + tensor.name + "' reaches beyond '" + base->name + "'");
  }
  return {};
}

Status check_tensor(const Plan& plan, const Tensor& tensor) {
  const bool is_input = tensor.kind == TensorKind::kInput;
  if (is_input != (tensor.element == Element::kI32)) {
    return bad("tensor '" + tensor.name + "' has the wrong element type");
  }
  if (tensor.view_of != kNoTensor && tensor.kind != TensorKind::kValue) {
    return bad("tensor '" + tensor.name + "' is a view and no value");
  }
  if (tensor.view_of == kNoTensor && tensor.view_column != 0) {
    return bad("tensor '" + tensor.name + "' begins at a column and is no view");
  }
  switch (tensor.kind) {
    case TensorKind::kInput:
      return is_input_shape(tensor) ? Status() : bad("input '" + tensor.name + "' is unknown or has another shape");
    case TensorKind::kWeight:
      if (tensor.shape.empty() || tensor.shape.size() > 2 ||
          !std::all_of(tensor.shape.begin(), tensor.shape.end(), is_small)) {
        return bad("weight '" + tensor.name + "' is no vector or matrix of fixed size");
      }
      return {};
    case TensorKind::kState:
      return is_state_shape(tensor.shape) ? Status() : bad("state '" + tensor.name + "' is not [N, S or M, columns]");
    case TensorKind::kValue:
      if (!is_value_shape(tensor.shape)) {
        return bad("value '" + tensor.name + "' is not [B, T or R, columns]");
      }
      return tensor.view_of == kNoTensor ? Status() : check_view(plan, tensor);
  }
  return bad("tensor '" + tensor.name + "' is of no kind");
}

Status check_names(const Plan& plan) {
  std::set<std::string_view> names;
  for (const Tensor& tensor : plan.tensors) {
    if (tensor.kind != TensorKind::kValue && (tensor.name.empty() || !names.insert(tensor.name).second)) {
      return bad("tensor '" + tensor.name + "' has no name of its own");
    }
  }
  return {};
}

// Walks through one signature in the order of execution.
class SignatureCheck {
 public:
  SignatureCheck(const Plan& plan, const Signature& signature, std::vector<bool>& made_anywhere)
      : plan_(plan), signature_(signature), made_anywhere_(made_anywhere), ready_(plan.tensors.size()) {}

  Status run() {
    for (const TensorId id : signature_.inputs) {
      const Tensor* tensor = plan_.find_tensor(id);
      if (tensor == nullptr || tensor->kind != TensorKind::kInput || ready_[id]) {
        return bad(where() + "an input is none, or named twice");
      }
      ready_[id] = true;
    }
    for (const Op& op : signature_.ops) {
      if (auto fits = check_op(op); !fits) {
        return fits;
      }
    }
    if (auto fits = check_layers(); !fits) {
      return fits;
    }
    std::set<std::string_view> names;
    for (const Output& output : signature_.outputs) {
      if (!is_ready_value(output.tensor) || output.name.empty() || !names.insert(output.name).second) {
        return bad(where() + "output '" + output.name + "' is not made, or named twice");
      }
    }
    return check_buffers(plan_, signature_);
  }

 private:
  [[nodiscard]] std::string where() const { return "signature '" + signature_.name + "': "; }

  [[nodiscard]] bool is_ready_value(TensorId id) const {
    const Tensor* tensor = plan_.find_tensor(id);
    return tensor != nullptr && tensor->kind == TensorKind::kValue &&
           ready_[tensor->view_of == kNoTensor ? id : tensor->view_of];
  }

  [[nodiscard]] bool is_readable(TensorId id) const {
    const Tensor* tensor = plan_.find_tensor(id);
    if (tensor == nullptr) {
      return false;
    }
    switch (tensor->kind) {
      case TensorKind::kInput:
        return ready_[id];
      case TensorKind::kValue:
        return is_ready_value(id);
      default:
        return true;
    }
  }

  Status check_op(const Op& op) {
    const std::string name = where() + std::string(op_name(op.attributes)) + ": ";
    for (const TensorId id : op.inputs) {
      if (id != kNoTensor && !is_readable(id)) {
        return bad(name + "reads a tensor that is not there yet");
      }
    }
    auto shape = infer_output(plan_, op);
    if (!shape) {
      return fail(std::move(shape.error()).with("signature '" + signature_.name + "'"));
    }
    const Tensor* output = plan_.find_tensor(op.output);
    if (!*shape) {
      return op.output == kNoTensor ? Status() : bad(name + "has an output");
    }
    if (output == nullptr || output->kind != TensorKind::kValue || output->view_of != kNoTensor ||
        made_anywhere_[op.output]) {
      return bad(name + "its output is no value, or made twice");
    }
    if (output->shape != **shape) {
      return bad(name + "its output '" + output->name + "' is declared with another shape");
    }
    made_anywhere_[op.output] = true;
    ready_[op.output] = true;
    return {};
  }

  Status check_layers() {
    std::uint64_t next = 0;
    for (const Layer& layer : signature_.layers) {
      if (layer.first_op != next) {
        return bad(where() + "layer '" + layer.name + "' does not begin where the one before it ends");
      }
      next += layer.op_count;
    }
    return next == signature_.ops.size() ? Status() : bad(where() + "the layers do not cover the operations");
  }

  const Plan& plan_;
  const Signature& signature_;
  std::vector<bool>& made_anywhere_;
  std::vector<bool> ready_;
};

}  // namespace

Status verify(const Plan& plan) {
  if (plan.tensors.size() > kMaxTensors || plan.signatures.size() > kMaxSignatures || plan.signatures.empty()) {
    return bad("the plan has " + std::to_string(plan.tensors.size()) + " tensors and " +
               std::to_string(plan.signatures.size()) + " signatures");
  }
  for (const Tensor& tensor : plan.tensors) {
    if (auto fits = check_tensor(plan, tensor); !fits) {
      return fits;
    }
  }
  if (auto fits = check_names(plan); !fits) {
    return fits;
  }
  if (auto fits = check_places(plan); !fits) {
    return fits;
  }
  std::vector<bool> made(plan.tensors.size());
  std::set<std::string_view> names;
  for (const Signature& signature : plan.signatures) {
    if (signature.ops.empty() || signature.ops.size() > kMaxOps || !names.insert(signature.name).second) {
      return bad("signature '" + signature.name + "' is empty, too long or there twice");
    }
    if (auto fits = SignatureCheck(plan, signature, made).run(); !fits) {
      return fits;
    }
  }
  return {};
}

}  // namespace shoal::graph
