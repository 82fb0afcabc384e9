#include "engine/graph/buffers.hpp"

#include <algorithm>
#include <string>

namespace shoal::graph {
namespace {

TensorId owner_of(const Plan& plan, TensorId id) {
  const TensorId base = plan.tensors[id].view_of;
  return base == kNoTensor ? id : base;
}

bool is_value(const Plan& plan, TensorId id) { return id != kNoTensor && plan.tensors[id].kind == TensorKind::kValue; }

// The operand on top of which the output of operation `index` may lie, or kNoTensor.
TensorId overwritable(const Plan& plan, const Op& op, std::uint32_t index, const std::vector<Lifetime>& lives) {
  for (std::size_t operand = 0; operand < op.inputs.size(); ++operand) {
    const TensorId id = op.inputs[operand];
    if (!may_overwrite(op, operand) || !is_value(plan, id) || plan.tensors[id].view_of != kNoTensor) {
      continue;
    }
    // A second operand that reads the same value would see what the output has overwritten.
    const auto reads = std::count_if(op.inputs.begin(), op.inputs.end(), [&](TensorId other) {
      return is_value(plan, other) && owner_of(plan, other) == id;
    });
    if (lives[id].last_read == index && reads == 1 && plan.tensors[id].shape == plan.tensors[op.output].shape) {
      return id;
    }
  }
  return kNoTensor;
}

class Assigner {
 public:
  Assigner(Plan& plan, Signature& signature) : plan_(plan), signature_(signature), lives_(lifetimes(plan, signature)) {}

  void run() {
    signature_.buffers.clear();
    for (std::uint32_t index = 0; index < signature_.ops.size(); ++index) {
      const Op& op = signature_.ops[index];
      TensorId overwritten = kNoTensor;
      if (op.output != kNoTensor) {
        overwritten = overwritable(plan_, op, index, lives_);
        plan_.tensors[op.output].buffer =
            overwritten == kNoTensor ? take(plan_.tensors[op.output].shape) : plan_.tensors[overwritten].buffer;
      }
      release(op, index, overwritten);
    }
  }

 private:
  // A free buffer of at least this size, or the largest one made larger, or a new one.
  std::uint32_t take(const Shape& shape) {
    std::size_t best = free_.size();
    for (std::size_t at = 0; at < free_.size(); ++at) {
      const Buffer& buffer = signature_.buffers[free_[at]];
      if (buffer.rows != shape[0]) {
        continue;
      }
      if (best == free_.size() || fits_better(buffer.columns, signature_.buffers[free_[best]].columns, shape[1].size)) {
        best = at;
      }
    }
    if (best == free_.size()) {
      signature_.buffers.push_back({shape[0], shape[1].size});
      return static_cast<std::uint32_t>(signature_.buffers.size() - 1);
    }
    const std::uint32_t found = free_[best];
    free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
    Buffer& buffer = signature_.buffers[found];
    buffer.columns = std::max(buffer.columns, shape[1].size);
    return found;
  }

  static bool fits_better(std::uint32_t columns, std::uint32_t than, std::uint32_t needed) {
    if ((columns >= needed) != (than >= needed)) {
      return columns >= needed;
    }
    return columns >= needed ? columns < than : columns > than;
  }

  void release(const Op& op, std::uint32_t index, TensorId overwritten) {
    std::vector<TensorId> done;
    for (const TensorId id : op.inputs) {
      if (is_value(plan_, id)) {
        done.push_back(owner_of(plan_, id));
      }
    }
    if (op.output != kNoTensor && lives_[op.output].last_read <= index) {
      done.push_back(op.output);  // nobody reads it
    }
    std::sort(done.begin(), done.end());
    done.erase(std::unique(done.begin(), done.end()), done.end());
    for (const TensorId id : done) {
      if (lives_[id].last_read <= index && id != overwritten) {
        free_.push_back(plan_.tensors[id].buffer);
      }
    }
  }

  Plan& plan_;
  Signature& signature_;
  std::vector<Lifetime> lives_;
  std::vector<std::uint32_t> free_;
};

}  // namespace

std::vector<Lifetime> lifetimes(const Plan& plan, const Signature& signature) {
  std::vector<Lifetime> out(plan.tensors.size());
  const auto count = static_cast<std::uint32_t>(signature.ops.size());
  for (std::uint32_t index = 0; index < count; ++index) {
    const Op& op = signature.ops[index];
    for (const TensorId id : op.inputs) {
      if (is_value(plan, id)) {
        out[owner_of(plan, id)].last_read = index;
      }
    }
    if (op.output != kNoTensor) {
      out[op.output] = {index, index};
    }
  }
  for (const Output& output : signature.outputs) {
    out[owner_of(plan, output.tensor)].last_read = count;
  }
  for (TensorId id = 0; id < out.size(); ++id) {
    out[id] = out[owner_of(plan, id)];
  }
  return out;
}

bool may_overwrite(const Op& op, std::size_t index) {
  const Attributes& attributes = op.attributes;
  if (std::holds_alternative<Embedding>(attributes)) {
    return index == 2;
  }
  if (std::holds_alternative<Add>(attributes)) {
    return true;
  }
  return index == 0 && (std::holds_alternative<LayerNorm>(attributes) || std::holds_alternative<RmsNorm>(attributes) ||
                        std::holds_alternative<Rope>(attributes) || std::holds_alternative<Activate>(attributes) ||
                        std::holds_alternative<L2Normalize>(attributes));
}

void assign_buffers(Plan& plan) {
  for (Signature& signature : plan.signatures) {
    Assigner(plan, signature).run();
  }
}

Status check_buffers(const Plan& plan, const Signature& signature) {
  const std::vector<Lifetime> lives = lifetimes(plan, signature);
  std::vector<TensorId> holds(signature.buffers.size(), kNoTensor);
  for (std::uint32_t index = 0; index < signature.ops.size(); ++index) {
    const Op& op = signature.ops[index];
    if (op.output == kNoTensor) {
      continue;
    }
    const Tensor& value = plan.tensors[op.output];
    const auto bad = [&](std::string_view what) {
      return fail(Code::kGraphBuildingError,
                  "value '" + value.name + "' of '" + signature.name + "' lies in a buffer " + std::string(what));
    };
    if (value.buffer >= signature.buffers.size()) {
      return bad("that there is not");
    }
    const Buffer& buffer = signature.buffers[value.buffer];
    if (buffer.rows != value.shape[0] || buffer.columns < value.shape[1].size) {
      return bad("of another shape");
    }
    const TensorId held = holds[value.buffer];
    if (held != kNoTensor && lives[held].last_read >= index && overwritable(plan, op, index, lives) != held) {
      return bad("that holds '" + plan.tensors[held].name + "', which is still needed");
    }
    holds[value.buffer] = op.output;
  }
  return {};
}

std::uint64_t buffer_bytes(const Signature& signature, const Extents& extents) {
  std::uint64_t bytes = 0;
  for (const Buffer& buffer : signature.buffers) {
    bytes += buffer.rows.in(extents)*buffer.columns * sizeof(float);
  }
  return bytes;
}

}  // namespace shoal::graph
