// A plan in the memory of one WASM instance: the plan, its shards where they were streamed to, and the executor. What
// the exports do, in C++. Belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/core/aligned_bytes.hpp"
#include "engine/core/bytes.hpp"
#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/runtime/executor.hpp"
#include "engine/runtime/sequence_engine.hpp"
#include "engine/runtime/weights.hpp"

namespace shoal::wasm {

// A row of a step as the embedder writes it: five 32-bit numbers. Its tokens follow those of the row before.
struct RowView {
  std::uint32_t token_count;
  std::uint32_t slot;
  std::uint32_t past;
  std::uint32_t memory_length;
  std::uint32_t wants_every_output;
};

class PlanSession {
 public:
  // kInvalidArgument when the bytes are no plan, kGraphBuildingError when it is not well-formed or has no shards,
  // kResourceLimit when it does not fit into this memory. The bytes may go afterwards.
  static Result<std::unique_ptr<PlanSession>> open(Bytes file);

  PlanSession(const PlanSession&) = delete;
  PlanSession& operator=(const PlanSession&) = delete;
  ~PlanSession() = default;

  [[nodiscard]] const graph::Plan& plan() const { return plan_; }

  // Where the bytes of a shard belong: weights are used where they lie there. kResourceLimit when memory runs out.
  // Requires: index is one of plan().shards.
  Result<std::byte*> shard(std::size_t index);

  // The threads that steps run on from the next prepare() on; they outlive the session. Without it the caller's own.
  void run_on(Parallel& parallel) { parallel_ = &parallel; }

  // Makes the executor. kInvalidArgument when a shard has no memory yet or a limit is too large, kResourceLimit when
  // memory runs out. Requires: the shards' memory holds their bytes.
  Status prepare(const graph::Extents& limits, runtime::KvBits kv = {});

  // Begins a signature with the rows of a step; then run_layer() while layers are left. Errors are those of
  // runtime::make_step() and runtime::Executor::run(). `token_types` is empty or as long as `tokens`.
  Status begin(const graph::Signature& signature, std::span<const RowView> rows, std::span<const std::int32_t> tokens,
               std::span<const std::int32_t> token_types);
  Status run_layer();
  [[nodiscard]] std::size_t layers_left() const { return executor_ == nullptr ? 0 : executor_->layers_left(); }

  // Answers to prompts. Null before prepare() and where the plan has no decoder.
  [[nodiscard]] runtime::SequenceEngine* sequences() const { return sequences_.get(); }
  // Begins the next step of them: then run_layer() while layers are left, and end_step(); or abandon_step(). False when
  // there is nothing to run. Errors are those of runtime::Executor::begin().
  Result<bool> begin_step();
  // kInvalidArgument unless all layers have been run.
  Status end_step();
  void abandon_step();

  // Null before prepare().
  [[nodiscard]] runtime::Executor* executor() const { return executor_.get(); }
  [[nodiscard]] std::uint64_t weight_bytes() const;

 private:
  // Columns of the decoder's logits; 0 where there is no decoder.
  [[nodiscard]] std::uint32_t vocabulary() const;
  explicit PlanSession(graph::Plan plan) : plan_(std::move(plan)), shards_(plan_.shards.size()) {}

  graph::Plan plan_;
  std::vector<AlignedBytes> shards_;
  std::optional<runtime::Weights> weights_;
  Serial serial_;
  Parallel* parallel_ = &serial_;
  std::unique_ptr<runtime::Executor> executor_;
  runtime::Step step_;
  std::unique_ptr<runtime::SequenceEngine> sequences_;
  bool is_in_step_ = false;
};

}  // namespace shoal::wasm
