#include "engine/wasm/plan_session.hpp"

#include <cstdlib>
#include <utility>

#include "engine/graph/plan_file.hpp"

namespace shoal::wasm {
namespace {

constexpr std::string_view kLogits = "logits";
// An allocation of a container that fails ends the instance. So the large ones, which can be refused, leave this much.
constexpr std::size_t kHeadroom = std::size_t{1} << 20;
// Of a plan in memory, beside its file's bytes: names, operands and shapes as containers of their own.
constexpr std::size_t kPlanInMemory = 16;

Status leave_room(std::size_t bytes) {
  // What is freed here stays with this instance; volatile keeps the pair from being optimised away.
  void* volatile memory = std::malloc(bytes);
  if (memory == nullptr) {
    return fail(Code::kResourceLimit, "there is no memory for " + std::to_string(bytes) + " bytes of working memory");
  }
  std::free(memory);
  return {};
}

}  // namespace

Result<std::unique_ptr<PlanSession>> PlanSession::open(Bytes file) {
  if (file.size() > graph::kMaxPlanBytes) {
    return fail(Code::kInvalidArgument,
                "a plan of " + std::to_string(file.size()) + " bytes, at most " + std::to_string(graph::kMaxPlanBytes));
  }
  // Twice: the plan that is read lies in one of them.
  if (auto room = leave_room(2 * kHeadroom + kPlanInMemory * file.size()); !room) {
    return fail(std::move(room.error()));
  }
  auto plan = graph::read_plan(file);
  if (!plan) {
    return fail(std::move(plan.error()));
  }
  if (plan->shards.empty()) {
    return fail(Code::kGraphBuildingError, "the plan says of no weight where it lies: it is not from a package");
  }
  for (const graph::Shard& shard : plan->shards) {
    if (shard.bytes > SIZE_MAX / 2) {
      return fail(Code::kResourceLimit, "a shard of " + std::to_string(shard.bytes) + " bytes does not fit here");
    }
  }
  return std::unique_ptr<PlanSession>(new PlanSession(std::move(*plan)));
}

Result<std::byte*> PlanSession::shard(std::size_t index) {
  AlignedBytes& shard = shards_[index];
  if (shard.data() == nullptr) {
    auto memory = AlignedBytes::make_unset(plan_.shards[index].bytes);
    if (!memory) {
      return fail(std::move(memory.error()).with("weights"));
    }
    shard = std::move(*memory);
    if (auto room = leave_room(kHeadroom); !room) {
      shard = {};
      return fail(std::move(room.error()).with("weights"));
    }
  }
  return shard.data();
}

Status PlanSession::prepare(const graph::Extents& limits, runtime::KvBits kv) {
  std::vector<Bytes> shards;
  for (std::size_t index = 0; index < shards_.size(); ++index) {
    if (shards_[index].data() == nullptr && plan_.shards[index].bytes > 0) {
      return fail(Code::kInvalidArgument, "shard " + std::to_string(index) + " is not there");
    }
    shards.emplace_back(shards_[index].data(), shards_[index].size());
  }
  auto weights = runtime::Weights::place(plan_, shards);
  if (!weights) {
    return fail(std::move(weights.error()));
  }
  executor_.reset();
  weights_ = std::move(*weights);
  auto executor = runtime::Executor::make(plan_, *weights_, limits, *parallel_, kv);
  if (!executor) {
    return fail(std::move(executor.error()));
  }
  // A step holds nine numbers of a token; a sequence its prompt, its slot's tokens, and some numbers of each entry of
  // the vocabulary; vectors double when they grow.
  const std::size_t sequences = vocabulary() == 0 ? 0 : limits[graph::Symbol::kRows] + limits[graph::Symbol::kSlots];
  const std::size_t numbers =
      std::size_t{25} * limits[graph::Symbol::kTokens] +
      sequences * (std::size_t{4} * vocabulary() +
                   std::size_t{4} * (limits[graph::Symbol::kContext] + limits[graph::Symbol::kMemory]));
  if (auto room = leave_room(kHeadroom + 2 * numbers * sizeof(std::int32_t)); !room) {
    return room;
  }
  executor_ = std::move(*executor);
  if (vocabulary() != 0) {
    sequences_ = std::make_unique<runtime::SequenceEngine>(runtime::SequenceBounds{
        .limits = limits, .vocabulary = vocabulary(), .has_encoder = plan_.find("encode") != nullptr});
  }
  return {};
}

Status PlanSession::begin(const graph::Signature& signature, std::span<const RowView> rows,
                          std::span<const std::int32_t> tokens, std::span<const std::int32_t> token_types) {
  if (executor_ == nullptr) {
    return fail(Code::kInvalidArgument, "the plan has no executor yet");
  }
  std::vector<runtime::Row> made;
  std::size_t at = 0;
  for (const RowView& row : rows) {
    if (row.token_count > tokens.size() - at) {
      return fail(Code::kInvalidArgument, "the rows have more tokens than there are", "tokens");
    }
    made.push_back({.tokens = tokens.subspan(at, row.token_count),
                    .token_types = token_types.empty() ? token_types : token_types.subspan(at, row.token_count),
                    .slot = row.slot,
                    .past = row.past,
                    .memory_length = row.memory_length,
                    .wants_every_output = row.wants_every_output != 0});
    at += row.token_count;
  }
  auto step = runtime::make_step(made);
  if (!step) {
    return fail(std::move(step.error()));
  }
  step_ = std::move(*step);
  return executor_->begin(signature.name, step_);
}

Status PlanSession::run_layer() {
  if (layers_left() == 0) {
    return fail(Code::kInvalidArgument, "no layer is left to run");
  }
  return executor_->run_layer();
}

std::uint32_t PlanSession::vocabulary() const {
  const graph::Signature* decode = plan_.find("decode");
  if (decode != nullptr) {
    for (const graph::Output& output : decode->outputs) {
      if (output.name == kLogits) {
        return plan_.tensors[output.tensor].shape[1].size;
      }
    }
  }
  return 0;
}

Result<bool> PlanSession::begin_step() {
  if (sequences_ == nullptr || is_in_step_) {
    return fail(Code::kInvalidArgument, "no step can be begun");
  }
  const runtime::SequenceEngine::Work* work = sequences_->begin();
  if (work == nullptr) {
    return false;
  }
  is_in_step_ = true;
  for (const runtime::SequenceEngine::Copy& copy : work->copies) {
    executor_->copy_slot(copy.from, copy.to, copy.count);
  }
  auto step = runtime::make_step(work->rows);
  if (!step) {
    return fail(std::move(step.error()));
  }
  step_ = std::move(*step);
  if (auto begun = executor_->begin(work->signature, step_); !begun) {
    return fail(std::move(begun.error()));
  }
  return true;
}

Status PlanSession::end_step() {
  if (!is_in_step_ || layers_left() > 0) {
    return fail(Code::kInvalidArgument, "no step has been run");
  }
  const auto logits = executor_->output(kLogits);
  is_in_step_ = false;
  sequences_->advance(logits ? *logits : kernels::Matrix{});
  return {};
}

void PlanSession::abandon_step() {
  if (std::exchange(is_in_step_, false)) {
    sequences_->abandon();
  }
}

std::uint64_t PlanSession::weight_bytes() const {
  std::uint64_t sum = 0;
  for (const AlignedBytes& shard : shards_) {
    sum += shard.size();
  }
  return sum;
}

}  // namespace shoal::wasm
