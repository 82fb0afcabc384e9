// Shoal's keys in the `parameters` of a model configuration: shoal_backend, shoal_buckets, shoal_embedding,
// shoal_family, shoal_max_queue_bytes, shoal_min_resident, shoal_min_trust, shoal_pinned (shoal_priority is
// scheduling_config.hpp's); and its metric_tags. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

// Reads them into `model` (backends, webnn_buckets, min_trust, family, residency, max_queue_bytes). An unknown key that
// starts with "shoal_" is an error. Requires: model.inputs are set.
Status apply_parameters(const inference::ModelConfig& config, ModelVersion& model);

// metric_tags into `model`. kInvalidArgument where a key cannot be a label's name.
Status apply_metric_tags(const inference::ModelConfig& config, ModelVersion& model);

// Whether shoal_embedding says "off".
bool is_embedding_off(const inference::ModelConfig& config);

}  // namespace shoal::models
