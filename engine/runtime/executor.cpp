#include "engine/runtime/executor.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/formats/pack.hpp"
#include "engine/kernels/attention.hpp"
#include "engine/runtime/op_runner.hpp"

namespace shoal::runtime {
namespace {

constexpr std::uint32_t kMostExtent = 1U << 24;

using graph::Symbol;

graph::TensorId bias_of(const graph::Plan& plan, const graph::Op& op) {
  const bool has_slots = plan.tensors[op.input(1)].kind == graph::TensorKind::kState;
  return op.input(has_slots ? graph::kSlottedBias : graph::kPackedBias);
}

RelativeBias relative_bias(const formats::BlockMatrix& table, const graph::Attention& attention, graph::TensorId id,
                           std::size_t origin) {
  RelativeBias out{.table = id,
                   .is_causal = attention.mask == graph::AttentionMask::kCausal,
                   .origin = origin,
                   .values = std::vector<float>(attention.heads * (2 * origin + 1))};
  std::vector<float> biases(attention.heads);
  for (std::size_t at = 0; at <= 2 * origin; ++at) {
    const auto distance = static_cast<std::int32_t>(at) - static_cast<std::int32_t>(origin);
    const std::int32_t bucket =
        kernels::relative_bucket(distance, !out.is_causal, static_cast<std::int32_t>(table.layout.n),
                                 static_cast<std::int32_t>(attention.max_distance));
    formats::dequantize_row(table, static_cast<std::uint64_t>(bucket), biases);
    for (std::size_t head = 0; head < attention.heads; ++head) {
      out.values[head * (2 * origin + 1) + at] = biases[head];
    }
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Executor>> Executor::make(const graph::Plan& plan, const Weights& weights,
                                                 const graph::Extents& limits, Parallel& parallel, KvBits kv) {
  for (std::size_t index = 1; index < graph::kSymbolCount; ++index) {
    if (limits.of[index] > kMostExtent) {
      return fail(Code::kInvalidArgument, "the limit of " + std::string(graph::kSymbolNames[index]) + " is " +
                                              std::to_string(limits.of[index]) + ", at most " +
                                              std::to_string(kMostExtent));
    }
  }
  std::unique_ptr<Executor> out(new Executor(plan, weights, limits, parallel, kv));
  if (auto done = out->reserve(); !done) {
    return fail(std::move(done.error()));
  }
  return out;
}

Status Executor::reserve() {
  if (auto done = reserve_values(); !done) {
    return done;
  }
  if (auto done = reserve_states(); !done) {
    return done;
  }
  return reserve_scratch();
}

Status Executor::reserve_values() {
  for (const graph::Signature& signature : plan_.signatures) {
    auto layout = value_layout(signature, limits_);
    if (!layout) {
      return fail(std::move(layout.error()));
    }
    buffer_offsets_.push_back(std::move(layout->offsets));
    memory_.values = std::max(memory_.values, layout->bytes);
  }
  auto values = AlignedBytes::make(memory_.values);
  if (!values) {
    return fail(std::move(values.error()).with("values of a step"));
  }
  values_ = std::move(*values);
  return {};
}

Status Executor::reserve_states() {
  auto formats = kv_formats(plan_, kv_bits_);
  if (!formats) {
    return fail(std::move(formats.error()));
  }
  kv_ = std::move(*formats);
  states_.resize(plan_.tensors.size());
  for (graph::TensorId id = 0; id < plan_.tensors.size(); ++id) {
    const graph::Tensor& tensor = plan_.tensors[id];
    if (tensor.kind != graph::TensorKind::kState) {
      continue;
    }
    const auto bytes = state_bytes(tensor, kv_[id], limits_);
    if (!bytes) {
      return fail(bytes.error());
    }
    // Attention reads the positions that have been appended and no others.
    auto state = AlignedBytes::make_unset(*bytes);
    if (!state) {
      return fail(std::move(state.error()).with("state '" + tensor.name + "'"));
    }
    memory_.state += state->size();
    states_[id] = std::move(*state);
  }
  return {};
}

Status Executor::reserve_scratch() {
  const ScratchNeed need = scratch_need(plan_, limits_, kv_bits_);
  lane_scratch_ = need.lane_floats;
  make_relative_biases();
  auto scratch = AlignedBytes::make(lane_scratch_ * sizeof(float) * parallel_.lanes());
  auto int8 = AlignedBytes::make(need.int8_bytes);
  if (!scratch || !int8) {
    return fail(Code::kResourceLimit, "there is no memory for the scratch of a step");
  }
  memory_.scratch = scratch->size() + int8->size();
  scratch_ = std::move(*scratch);
  int8_ = std::move(*int8);
  return {};
}

void Executor::make_relative_biases() {
  const std::size_t origin = std::max({limits_[Symbol::kTokens], limits_[Symbol::kContext], limits_[Symbol::kMemory]});
  for (const graph::Signature& signature : plan_.signatures) {
    for (const graph::Op& op : signature.ops) {
      const auto* attention = std::get_if<graph::Attention>(&op.attributes);
      if (attention == nullptr || attention->bias != graph::AttentionBias::kRelative) {
        continue;
      }
      const graph::TensorId table = bias_of(plan_, op);
      if (find_relative(table, attention->mask == graph::AttentionMask::kCausal) == nullptr) {
        relative_.push_back(relative_bias(weights_.matrix(table), *attention, table, origin));
      }
    }
  }
}

const RelativeBias* Executor::find_relative(graph::TensorId table, bool is_causal) const {
  const auto found = std::find_if(relative_.begin(), relative_.end(), [&](const RelativeBias& one) {
    return one.table == table && one.is_causal == is_causal;
  });
  return found == relative_.end() ? nullptr : &*found;
}

Status Executor::check_extents(const Step& step) const {
  for (const Symbol symbol : {Symbol::kRows, Symbol::kTokens, Symbol::kOutputs}) {
    if (step.extents[symbol] == 0 || step.extents[symbol] > limits_[symbol]) {
      return fail(Code::kInvalidArgument, "a step of " + std::to_string(step.extents[symbol]) + " in " +
                                              std::string(graph::kSymbolNames[static_cast<std::size_t>(symbol)]) +
                                              ", at most " + std::to_string(limits_[symbol]));
    }
  }
  return {};
}

Status Executor::run(std::string_view name, const Step& step) {
  if (auto begun = begin(name, step); !begun) {
    return begun;
  }
  while (layers_left() > 0) {
    if (auto done = run_layer(); !done) {
      return done;
    }
  }
  return {};
}

Status Executor::begin(std::string_view name, const Step& step) {
  signature_ = nullptr;
  const graph::Signature* signature = plan_.find(name);
  if (signature == nullptr) {
    return fail(Code::kNotFound, "the plan has no signature '" + std::string(name) + "'");
  }
  if (auto fits = check_extents(step); !fits) {
    return fits;
  }
  extents_ = step.extents;
  step_ = &step;
  next_layer_ = 0;
  signature_ = signature;
  return {};
}

Status Executor::run_layer() {
  const graph::Layer& layer = signature_->layers[next_layer_++];
  for (std::uint32_t index = layer.first_op; index < layer.first_op + layer.op_count; ++index) {
    if (auto done = OpRunner(*this, *step_).run(signature_->ops[index]); !done) {
      signature_ = nullptr;
      return fail(std::move(done.error()).with(layer.name));
    }
  }
  return {};
}

void Executor::copy_slot(std::uint32_t from, std::uint32_t to, std::uint32_t count) {
  for (graph::TensorId id = 0; id < plan_.tensors.size(); ++id) {
    const graph::Tensor& tensor = plan_.tensors[id];
    if (tensor.kind == graph::TensorKind::kState && tensor.shape[1].symbol == Symbol::kContext) {
      const std::size_t position = kv_[id].row_bytes();
      const std::size_t slot = tensor.shape[1].in(limits_)*position;
      std::copy_n(states_[id].data() + from * slot, count * position, states_[id].data() + to * slot);
    }
  }
}

kernels::MutableMatrix Executor::value(graph::TensorId id) const {
  const graph::Tensor& tensor = plan_.tensors[id];
  const graph::Tensor& base = tensor.view_of == graph::kNoTensor ? tensor : plan_.tensors[tensor.view_of];
  const auto signature = static_cast<std::size_t>(signature_ - plan_.signatures.data());
  const std::size_t stride = base.shape[1].size;
  float* data = reinterpret_cast<float*>(values_.data() + buffer_offsets_[signature][base.buffer]);
  return {.data = data + tensor.view_column,
          .rows = static_cast<std::size_t>(tensor.shape[0].in(extents_)),
          .columns = tensor.shape[1].size,
          .stride = stride};
}

Result<kernels::Matrix> Executor::output(std::string_view name) const {
  if (signature_ != nullptr && layers_left() == 0) {
    for (const graph::Output& output : signature_->outputs) {
      if (output.name == name) {
        const kernels::MutableMatrix matrix = value(output.tensor);
        return kernels::Matrix{matrix.data, matrix.rows, matrix.columns, matrix.stride};
      }
    }
  }
  return fail(Code::kNotFound, "there is no output '" + std::string(name) + "'");
}

}  // namespace shoal::runtime
