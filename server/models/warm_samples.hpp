// model_warmup of config.pbtxt: what a graph computes once it is loaded and before it is given requests, so that the
// first request finds compiled shaders and touched memory. With Triton's meaning: `inputs` are of one row, which
// batch_size repeats; a sample of batch_size 0 is left out; count 0 is one run.
// random_data: floating point from 0 to 1, integers 0 or 1 (ids that every vocabulary has), the same with each start;
// of BYTES, as zero_data, empty strings. Files are raw bytes as on the wire, in the model's folder below warmup/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

inline constexpr std::size_t kMaxWarmSamples = 64;
inline constexpr std::uint32_t kMaxWarmRuns = 1000;                      // of one sample
inline constexpr std::uint64_t kMaxWarmBytes = std::uint64_t{64} << 20;  // of all inputs of a model's samples

struct WarmSample {
  std::string name;
  std::vector<Tensor> inputs;  // a request that validate() accepts
  std::uint32_t runs = 1;
};

// Immutable, shared by all who load the model's graphs.
struct WarmSamples {
  std::vector<WarmSample> samples;
  std::vector<TensorSignature> inputs;  // of the model
  Buckets buckets;
  bool is_decoupled = false;  // it answers with any number of responses
  std::string digest;         // of the samples: graphs that were warmed by others are not these
};

// Null without samples. kInvalidArgument names the sample and the field; so does a file that is missing or has another
// size. Requires: `model` has its inputs, max_batch_size and buckets.
Result<std::shared_ptr<const WarmSamples>> read_warm_samples(const std::filesystem::path& model_folder,
                                                             const inference::ModelConfig& config,
                                                             const ModelVersion& model);

}  // namespace shoal::models
