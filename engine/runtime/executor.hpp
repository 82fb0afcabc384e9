// Runs a plan on this machine's processor. All memory is taken when it is made: values for the largest step, the state
// of all slots, scratch for each lane; a step allocates nothing. One step at a time; the threads are passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/core/aligned_bytes.hpp"
#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/kernels/matrix.hpp"
#include "engine/runtime/memory.hpp"
#include "engine/runtime/step.hpp"
#include "engine/runtime/weights.hpp"

namespace shoal::runtime {

// T5's relative bias, by head and distance -origin to origin.
struct RelativeBias {
  graph::TensorId table = graph::kNoTensor;
  bool is_causal = false;
  std::size_t origin = 0;
  std::vector<float> values;

  // Where distance 0 of the head lies.
  [[nodiscard]] const float* of_head(std::size_t head) const {
    return values.data() + head * (2 * origin + 1) + origin;
  }
};

class Executor {
 public:
  // `limits` are the largest extents of a step (B, T, R) and the extents of the state (N, S, M). The plan has been
  // verified; plan, weights and threads outlive the executor. kResourceLimit when memory runs out; else as
  // kv_formats().
  static Result<std::unique_ptr<Executor>> make(const graph::Plan& plan, const Weights& weights,
                                                const graph::Extents& limits, Parallel& parallel, KvBits kv = {});

  // kNotFound for an unknown signature; kInvalidArgument for a step beyond the limits or with ids that the tables do
  // not have; kContextLengthExceeded when a row does not fit into its slot. After an error the slots of the step's rows
  // hold nothing of use.
  Status run(std::string_view signature, const Step& step);

  // run() in pieces, for a caller that may stop in between: begin(), then run_layer() until layers_left() is 0. Errors
  // are those of run(). Requires: the step lives until then; run_layer() is called only while layers are left.
  Status begin(std::string_view signature, const Step& step);
  Status run_layer();
  [[nodiscard]] std::size_t layers_left() const {
    return signature_ == nullptr ? 0 : signature_->layers.size() - next_layer_;
  }

  // The first `count` positions of the decoder's state in the slot `from` are those of `to` as well. Requires: both are
  // slots, no step is under way, and so many positions of `from` have been filled.
  void copy_slot(std::uint32_t from, std::uint32_t to, std::uint32_t count);

  // An output of the last run: rows of it. kNotFound when the signature has no such output or the run was left.
  [[nodiscard]] Result<kernels::Matrix> output(std::string_view name) const;

  [[nodiscard]] const MemoryUse& memory() const { return memory_; }

 private:
  friend class OpRunner;

  Executor(const graph::Plan& plan, const Weights& weights, const graph::Extents& limits, Parallel& parallel, KvBits kv)
      : plan_(plan), weights_(weights), limits_(limits), parallel_(parallel), kv_bits_(kv) {}
  Status reserve();
  Status reserve_values();
  Status reserve_states();
  Status reserve_scratch();
  void make_relative_biases();
  Status check_extents(const Step& step) const;
  [[nodiscard]] const RelativeBias* find_relative(graph::TensorId table, bool is_causal) const;
  [[nodiscard]] kernels::MutableMatrix value(graph::TensorId id) const;

  const graph::Plan& plan_;
  const Weights& weights_;
  graph::Extents limits_;
  Parallel& parallel_;
  KvBits kv_bits_;
  std::vector<kernels::KvFormat> kv_;  // by tensor
  MemoryUse memory_;
  AlignedBytes values_;
  std::vector<AlignedBytes> states_;                        // by tensor
  std::vector<std::vector<std::uint64_t>> buffer_offsets_;  // by signature and buffer, in bytes
  AlignedBytes scratch_;                                    // lane_scratch_ floats for each lane
  std::uint64_t lane_scratch_ = 0;
  AlignedBytes int8_;  // rows of a step as int8
  std::vector<RelativeBias> relative_;
  const graph::Signature* signature_ = nullptr;  // of the last run, with its extents
  graph::Extents extents_;
  const Step* step_ = nullptr;
  std::size_t next_layer_ = 0;
};

}  // namespace shoal::runtime
