#include "server/dispatch/candidates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>

#include "server/models/warm_samples.hpp"
#include "server/schedule/prefixes.hpp"

namespace shoal::dispatch {
namespace {

Shape with_dimensions(const models::TensorSignature& signature, Shape shape, const schedule::Dimensions& dims) {
  for (std::size_t axis = 0; axis < shape.size() && axis < signature.dim_names.size(); ++axis) {
    if (const auto found = dims.find(signature.dim_names[axis]); found != dims.end()) {
      shape[axis] = found->second;
    }
  }
  return shape;
}

Way make_way(const models::ModelVersion& model, Backend backend, schedule::Dimensions built) {
  std::string dims;
  for (const auto& [name, size] : built) {
    dims += fmt::format("{}{}={}", dims.empty() ? "[" : ",", name, size);
  }
  std::string instance = instance_prefix(model);
  instance += backend_name(backend);
  instance += dims;
  instance += dims.empty() ? "" : "]";
  Way way{.candidate = {backend, instance, 0}, .load = {}, .built = std::move(built)};
  way.warm_samples = model.warm_samples;
  way.load.instance = std::move(instance);
  way.load.backend = backend;
  way.load.echo = model.echo;
  if (model.plan) {
    way.load.engine = "plan";
    way.load.plan_limits = model.plan->limits;
  }
  way.load.graph = {{}, model.graph.sha256, model.graph.size};
  way.candidate.bytes = model.graph.size;
  way.candidate.at_once = model.echo ? model.echo->instances : 1;
  way.candidate.together = model.generation ? model.generation->parallel : 0;
  way.candidate.max_workers = model.residency.max_workers;
  for (const models::ExternalBlob& external : model.external) {
    way.load.external.push_back({external.location, external.blob.sha256, external.blob.size});
    way.candidate.bytes += external.blob.size;
  }
  for (const auto& [name, size] : way.built) {
    way.load.free_dimensions.emplace(name, static_cast<std::uint64_t>(size));
  }
  return way;
}

bool needs_static_shapes(Backend backend) { return backend == Backend::kWebnn; }

// Graphs for the larger sizes of the batch dimension, up to what the model's requests are joined to.
void add_larger(const models::ModelVersion& model, Way& way) {
  if (model.scheduling.max_rows <= 1 || model.inputs.empty() || model.inputs.front().dim_names.empty()) {
    return;
  }
  const std::string& symbol = model.inputs.front().dim_names.front();
  const auto built = way.built.find(symbol);
  if (built == way.built.end()) {
    return;
  }
  way.candidate.rows = static_cast<std::uint32_t>(built->second);
  const auto sizes = model.webnn_buckets.find(symbol);
  if (sizes == model.webnn_buckets.end()) {
    return;
  }
  auto candidates = std::make_shared<std::vector<schedule::Candidate>>();
  for (const std::int64_t size : sizes->second) {
    if (size <= built->second || size > model.scheduling.max_rows) {
      continue;
    }
    schedule::Dimensions dimensions = way.built;
    dimensions[symbol] = size;
    Way larger = make_way(model, way.candidate.backend, std::move(dimensions));
    larger.is_padded = true;
    larger.candidate.rows = static_cast<std::uint32_t>(size);
    candidates->push_back(larger.candidate);
    way.larger.push_back(std::move(larger));
  }
  way.candidate.larger = std::move(candidates);
}

// Of a generation, in tokens of an answer: how long it becomes is not known, and few take all that they may.
void set_work(const InferenceRequest& request, schedule::Job& job) {
  constexpr std::uint32_t kUsual = 256;
  constexpr std::size_t kPromptPerToken = 3;
  std::vector<std::int32_t> prompt;
  if (!request.inputs.empty()) {
    const std::string& data = request.inputs.front().data;
    prompt.resize(data.size() / sizeof(std::int32_t));
    std::memcpy(prompt.data(), data.data(), prompt.size() * sizeof(std::int32_t));
  }
  job.length =
      std::min(request.generate->max_tokens, kUsual) + static_cast<std::uint32_t>(prompt.size() / kPromptPerToken);
  job.prefix = schedule::prefix_blocks(prompt, request.generate->prefix_key);
  job.prefix_units = static_cast<double>(schedule::kPrefixBlock / kPromptPerToken);
}

Order order_for(const models::ModelVersion& model, const Demand& demand, const Order& order) {
  if (!demand.backend && demand.preference.empty() && !order.empty()) {
    return order;
  }
  Order wanted;
  for (const Backend backend : demand.preference.empty() ? model.backends : demand.preference) {
    const bool is_offered = std::ranges::find(model.backends, backend) != model.backends.end();
    if (is_offered && (!demand.backend || *demand.backend == backend)) {
      wanted.push_back({.backend = backend, .is_prior = false});
    }
  }
  return wanted;
}

Status check_demand(const models::ModelVersion& model, const Demand& demand) {
  if (demand.backend && std::ranges::find(model.backends, *demand.backend) == model.backends.end()) {
    return fail(Code::kBackendUnavailable,
                fmt::format("model '{}' is not offered on backend '{}'", model.name, backend_name(*demand.backend)),
                "shoal_backend");
  }
  if (!demand.preference.empty() && order_for(model, demand, {}).empty()) {
    return fail(Code::kBackendUnavailable,
                fmt::format("model '{}' is offered on none of the preferred backends", model.name), "shoal_backend");
  }
  const std::string_view variant = model.plan ? std::string_view(model.plan->variant) : kDefaultVariant;
  if (demand.variant && *demand.variant != variant && *demand.variant != kDefaultVariant) {
    return fail(Code::kNotFound,
                fmt::format("model '{}' has no variant '{}'; it has: {}", model.name, *demand.variant, variant),
                "shoal_variant");
  }
  if (model.plan && demand.bits && *demand.bits != 0 && *demand.bits != model.plan->bits) {
    return fail(
        Code::kPrecisionNotSupported,
        fmt::format("model '{}' is served with {} bits, not with {}", model.name, model.plan->bits, *demand.bits),
        "shoal_bits");
  }
  if (!model.plan && demand.bits && *demand.bits != 0) {
    return fail(Code::kPrecisionNotSupported,
                fmt::format("model '{}' is served with its graph's own precision; it has no {}-bit variant", model.name,
                            *demand.bits),
                "shoal_bits");
  }
  return {};
}

}  // namespace

schedule::Dimensions dimensions_of(std::span<const models::TensorSignature> signatures,
                                   std::span<const Tensor> inputs) {
  schedule::Dimensions dims;
  for (const Tensor& tensor : inputs) {
    const auto signature = std::ranges::find(signatures, tensor.name, &models::TensorSignature::name);
    if (signature == signatures.end() || signature->dim_names.size() != tensor.shape.size()) {
      continue;
    }
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      if (!signature->dim_names[axis].empty()) {
        dims.emplace(signature->dim_names[axis], tensor.shape[axis]);
      }
    }
  }
  return dims;
}

// The digests: a reloaded model with other weights is another instance, and one that was warmed up by other samples
// too.
std::string instance_prefix(const models::ModelVersion& model) {
  std::string prefix;
  prefix.reserve(96);
  prefix += model.name;
  prefix += ':';
  prefix += std::to_string(model.version);
  prefix += '#';
  prefix += std::string_view(model.graph.sha256).substr(0, 12);
  if (!model.external.empty()) {
    std::string digests;
    for (const models::ExternalBlob& external : model.external) {
      digests += external.location + '=' + external.blob.sha256 + ';';
    }
    fmt::format_to(std::back_inserter(prefix), "+{:016x}", std::hash<std::string>()(digests));
  }
  if (model.plan) {
    std::string limits;
    for (const auto& [symbol, most] : model.plan->limits) {
      fmt::format_to(std::back_inserter(limits), "{}{}", symbol, most);
    }
    prefix += '/' + limits;
  }
  if (model.warm_samples) {
    prefix += '~' + model.warm_samples->digest;
  }
  return prefix + '@';
}

Result<std::vector<Way>> ways_of(const models::ModelVersion& model, std::span<const Tensor> inputs,
                                 const Demand& demand, const Order& order) {
  if (Status status = check_demand(model, demand); !status) {
    return fail(status.error());
  }
  std::vector<Way> ways;
  std::optional<Error> bucket_error;
  for (const auto& [backend, is_prior] : order_for(model, demand, order)) {
    if (!needs_static_shapes(backend)) {
      ways.push_back(make_way(model, backend, {}));
      ways.back().candidate.is_prior = is_prior;
      continue;
    }
    const schedule::Dimensions actual = dimensions_of(model.inputs, inputs);
    auto built = schedule::bucket_of(model.webnn_buckets, actual);
    if (!built) {
      bucket_error = std::move(built.error());
      continue;
    }
    ways.push_back(make_way(model, backend, *std::move(built)));
    ways.back().is_padded = ways.back().built != actual;
    add_larger(model, ways.back());
    ways.back().candidate.is_prior = is_prior;
  }
  if (ways.empty()) {
    return fail(bucket_error.value_or(Error{Code::kBackendUnavailable, "the model is offered on no backend", {}}));
  }
  return ways;
}

std::string preferred_before(const Demand& demand, Backend backend) {
  std::string names;
  for (auto at = demand.preference.begin(); at != demand.preference.end() && *at != backend; ++at) {
    names += (names.empty() ? "" : ",") + std::string(backend_name(*at));
  }
  return names;
}

std::vector<Way> warm_ways_of(const models::ModelVersion& model, const Order& order) {
  std::vector<Way> ways;
  for (const auto& [backend, is_prior] : order_for(model, {}, order)) {
    if (std::ranges::find(ways, backend, [](const Way& way) { return way.candidate.backend; }) != ways.end()) {
      continue;
    }
    schedule::Dimensions smallest;
    if (needs_static_shapes(backend)) {
      for (const auto& [name, sizes] : model.webnn_buckets) {
        if (!sizes.empty()) {
          smallest.emplace(name, sizes.front());
        }
      }
      const bool is_complete = std::ranges::all_of(model.inputs, [&](const models::TensorSignature& input) {
        return std::ranges::all_of(input.dim_names,
                                   [&](const std::string& name) { return name.empty() || smallest.contains(name); });
      });
      if (!is_complete) {
        continue;
      }
    }
    ways.push_back(make_way(model, backend, std::move(smallest)));
    ways.back().candidate.is_prior = is_prior;
  }
  return ways;
}

schedule::Job job_of(schedule::JobId id, const InferenceRequest& request, std::span<const Way> ways) {
  schedule::Job job{.id = id, .candidates = {}, .worker = std::nullopt};
  job.priority = request.priority == 0 ? request.model->scheduling.default_priority : request.priority;
  job.deadline = request.deadline;
  if (request.generate) {
    set_work(request, job);
  }
  for (const Way& way : ways) {
    job.candidates.push_back(way.candidate);
  }
  return job;
}

const Way& way_to(const std::vector<Way>& ways, const std::string& instance) {
  for (const Way& way : ways) {
    if (way.candidate.instance == instance) {
      return way;
    }
    for (const Way& larger : way.larger) {
      if (larger.candidate.instance == instance) {
        return larger;
      }
    }
  }
  return ways.front();
}

void set_queue_policy(const models::ModelVersion& model, TimePoint now, schedule::Job& job) {
  const auto of_level = model.scheduling.policies.find(job.priority);
  const models::QueuePolicy& policy =
      of_level == model.scheduling.policies.end() ? model.scheduling.default_policy : of_level->second;
  if (policy.max_queue_size > 0 || model.max_queue_bytes > 0) {
    job.queue = fmt::format("{}:{}", model.name, model.version);
    job.max_queued = policy.max_queue_size;
    job.max_queued_bytes = model.max_queue_bytes;
  }
  if (policy.default_timeout > Duration::zero()) {
    job.queue_deadline = now + policy.default_timeout;
    job.delays = policy.delays;
  }
}

Tier least_tier(const models::ModelVersion& model, std::optional<Tier> demanded) {
  return demanded ? std::max(*demanded, model.min_trust.value_or(Tier::kUntrusted))
                  : model.min_trust.value_or(Tier::kTrusted);
}

std::vector<Tensor> padded_inputs(std::span<const models::TensorSignature> signatures, std::span<const Tensor> inputs,
                                  const schedule::Dimensions& built) {
  std::vector<Tensor> padded;
  padded.reserve(inputs.size());
  for (const Tensor& tensor : inputs) {
    const auto signature = std::ranges::find(signatures, tensor.name, &models::TensorSignature::name);
    padded.push_back(signature == signatures.end() || tensor.datatype == DataType::kBytes
                         ? tensor
                         : schedule::pad(tensor, with_dimensions(*signature, tensor.shape, built)));
  }
  return padded;
}

std::vector<Tensor> padded_inputs(const models::ModelVersion& model, std::span<const Tensor> inputs, const Way& way) {
  return padded_inputs(model.inputs, inputs, way.built);
}

void crop_outputs(const models::ModelVersion& model, std::span<const Tensor> inputs, std::vector<Tensor>& outputs) {
  const schedule::Dimensions actual = dimensions_of(model.inputs, inputs);
  for (Tensor& tensor : outputs) {
    Shape shape = tensor.shape;
    if (const models::TensorSignature* signature = model.output(tensor.name)) {
      shape = with_dimensions(*signature, std::move(shape), actual);
    } else if (!shape.empty() && !inputs.empty() && !inputs.front().shape.empty()) {
      shape[0] = inputs.front().shape[0];  // the pooled embedding: [batch, width]
    }
    if (shape != tensor.shape && tensor.datatype != DataType::kBytes) {
      tensor = schedule::crop(tensor, shape);
    }
  }
}

}  // namespace shoal::dispatch
