// The ways to run a request on a model: one per backend that is offered and not excluded by the client's demand, each
// with the instance to load, the shapes to pad to, and how to cut the outputs back. Pure.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"
#include "server/pool/worker.hpp"
#include "server/schedule/job.hpp"
#include "server/schedule/prior.hpp"
#include "server/schedule/shape_bucket.hpp"

namespace shoal::dispatch {

struct Way {
  schedule::Candidate candidate;
  pool::LoadSpec load;
  // Sizes of the symbolic dimensions: what the graph is built for. Empty where shapes are dynamic.
  schedule::Dimensions built;
  bool is_padded = false;  // built differs from what the request has
  std::uint32_t keep = 0;  // workers that have it at least, whatever idle graphs must go for it
  // The same built for more rows, for requests that are joined; candidate.larger names them.
  std::vector<Way> larger = {};
  std::shared_ptr<const models::WarmSamples> warm_samples = {};  // the model's; null: none
};

// The backends to try, in this order, a backend's second place counting where its first one is only for workers that it
// is worth it on. Empty: the model's own.
using Order = std::vector<schedule::Preference>;

// Symbolic dimension to its size in these inputs.
schedule::Dimensions dimensions_of(std::span<const models::TensorSignature> signatures, std::span<const Tensor> inputs);

// What the names of a model version's graphs begin with, and no other's: its files' digests are part of it.
std::string instance_prefix(const models::ModelVersion& model);

// The way, or larger one, of this instance. Requires: it is one of them.
const Way& way_to(const std::vector<Way>& ways, const std::string& instance);

// In the order of the demand, else of `order`, else of the model. kBackendUnavailable when the demanded backend is not
// offered for this model, kPrecisionNotSupported or kNotFound when demanded bits or variant do not exist,
// kInvalidArgument when no bucket holds the shapes.
Result<std::vector<Way>> ways_of(const models::ModelVersion& model, std::span<const Tensor> inputs,
                                 const Demand& demand, const Order& order = {});
// What the demand prefers to `backend`, comma separated.
std::string preferred_before(const Demand& demand, Backend backend);

// The way a model is loaded ahead of requests: static shapes at their smallest bucket; nothing on a backend that needs
// shapes nobody has declared.
std::vector<Way> warm_ways_of(const models::ModelVersion& model, const Order& order = {});

// The model's bounds for what waits at the job's priority.
void set_queue_policy(const models::ModelVersion& model, TimePoint now, schedule::Job& job);

// The least tier of workers that a request on this model may reach. Nothing demanded: the model's, else trusted.
Tier least_tier(const models::ModelVersion& model, std::optional<Tier> demanded);

// For any trusted worker; what the request demands beyond its ways is the caller's to add.
schedule::Job job_of(schedule::JobId id, const InferenceRequest& request, std::span<const Way> ways);

// Inputs at the shapes that a graph is built for.
std::vector<Tensor> padded_inputs(std::span<const models::TensorSignature> signatures, std::span<const Tensor> inputs,
                                  const schedule::Dimensions& built);
// The same of `way`.
std::vector<Tensor> padded_inputs(const models::ModelVersion& model, std::span<const Tensor> inputs, const Way& way);

// Outputs cut back to what the unpadded inputs would have given.
void crop_outputs(const models::ModelVersion& model, std::span<const Tensor> inputs, std::vector<Tensor>& outputs);

// The variant that a model without variants of its own has.
inline constexpr std::string_view kDefaultVariant = "default";

}  // namespace shoal::dispatch
