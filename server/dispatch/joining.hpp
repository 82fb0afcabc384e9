// Several requests as one run: which can be joined, their inputs one below the other, and the answer taken apart again.
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "server/dispatch/candidates.hpp"
#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"
#include "server/schedule/job.hpp"

namespace shoal::dispatch {

// Sets what the scheduler needs to join the job with others: nothing where the model's requests are not joined, or
// where this one's tensors are none that can be. Requests join when they ask for the same outputs and their tensors
// have the same shapes but for the batch; a sentence encoder's also when their lengths differ: it is told by the
// attention mask what is padding.
void set_joining(const InferenceRequest& request, schedule::Job& job);

// Inputs of a member, and how many rows of the run are its own.
struct Member {
  const std::vector<Tensor>* inputs = nullptr;
  std::int64_t rows = 0;
};

// The tensors of all members one below the other, each padded to the longest. Requires: their jobs have the same
// batch_key.
std::vector<Tensor> join_inputs(const models::ModelVersion& model, std::span<const Member> members);

// Each member's outputs, as it would have got them alone, out of those of a run of `rows`, with some to spare at the
// end where shapes are fixed. kInternal when an output has not as many: then the graph's first dimension is no batch.
Result<std::vector<std::vector<Tensor>>> split_outputs(const models::ModelVersion& model,
                                                       std::span<const Member> members,
                                                       const std::vector<Tensor>& outputs, std::int64_t rows);

}  // namespace shoal::dispatch
