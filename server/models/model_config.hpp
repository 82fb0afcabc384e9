// config.pbtxt: Triton's model configuration in protobuf text form, read strictly, and joined with what the graph says.
// Pure: text and signatures in, values out. Errors are kInvalidArgument and name file, line and key.
//
// max_batch_size, where the file does not say it: kAutoBatchSize when every input and output of the graph starts with
// the same symbolic dimension and that symbol is a batch ("batch", "batch_size", "image_batch_size", "N", ...); else 0.
// The symbol is asked for because a graph over [sequence, features] looks just the same and must not be joined along
// it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"
#include "server/models/onnx_signature.hpp"

namespace shoal::models {

inline constexpr std::int64_t kAutoBatchSize = 32;
inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

struct ParsedConfig {
  std::shared_ptr<inference::ModelConfig> config;  // never null
  bool has_max_batch_size = false;                 // written in the file, be it as 0
};

// `file` is only named in messages. An empty text is the configuration of a model without a file.
Result<ParsedConfig> parse_model_config(std::string_view text, std::string_view file);

// The same from the JSON form of the message, as clients send it with a load request.
Result<ParsedConfig> parse_model_config_json(std::string_view text, std::string_view model);

// Fills name-independent fields of `model` from both (inputs, outputs, max_batch_size, backends, buckets, platform) and
// completes the configuration, which `model.config` then holds. Refuses what Shoal does not do, and what the graph
// contradicts.
Status apply_model_config(ParsedConfig parsed, GraphSignature graph, const std::vector<Backend>& default_backends,
                          ModelVersion& model);

// "batch_size=1;sequence_length=32,128,512": sizes > 0, ascending.
Result<Buckets> parse_buckets(std::string_view text);
// "wasm,webgpu": known names, each once, at least one.
Result<std::vector<Backend>> parse_backends(std::string_view text);

}  // namespace shoal::models
