// What a graph says about itself: inputs, outputs and the external files that hold its weights, read from the protobuf
// stream without keeping (or even reading, where the stream can seek) a single weight. Operators are not looked at:
// what a browser can run is for the browser to say. Pure over a stream; any malformed input is an Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace google::protobuf::io {
class ZeroCopyInputStream;
}

namespace shoal::models {

struct GraphSignature {
  std::vector<TensorSignature> inputs;  // without those that have an initialiser: they are optional
  std::vector<TensorSignature> outputs;
  std::set<std::string> external;  // locations of external data, sub-graphs included
  std::string platform = "onnxruntime_onnx";
  std::int64_t ir_version = 0;
  std::int64_t opset = 0;  // of the default domain
};

// Bounds: 2^31-1 bytes (protobuf's own), kMaxGraphDepth nested sub-graphs, kMaxSignatureTensors inputs or outputs.
inline constexpr int kMaxGraphDepth = 32;
inline constexpr std::size_t kMaxSignatureTensors = 4096;
inline constexpr std::uint32_t kMaxSmallMessage = 1U << 20;  // bytes of one input's or output's description

// kInvalidArgument: not an ONNX model, no outputs, or a tensor whose type KServe has no name for.
// `size` is the length of the model in the stream: a stream that may seek past its end cannot say.
Result<GraphSignature> read_onnx_signature(google::protobuf::io::ZeroCopyInputStream& stream, std::uint64_t size);
Result<GraphSignature> read_onnx_signature(Bytes model);
Result<GraphSignature> read_onnx_signature(const std::filesystem::path& file);

}  // namespace shoal::models
