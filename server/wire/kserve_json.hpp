// The JSON of KServe v2 inference and its binary tensor extension, to and from tensors. Knows no model: tensors come
// out as the client says they are, and are checked against a model later. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;               // nothing: as the request says for all
  std::optional<Parameter> classification;  // as the client says it
};

struct InferBody {
  std::string id;
  Parameters parameters;  // without binary_data_output
  std::vector<Tensor> inputs;
  std::vector<RequestedOutput> outputs;  // none = all
  bool binary_output = false;
};

// `json_size`: the Inference-Header-Content-Length, when there is one; the rest of `body` is then the tensors that have
// binary_data_size, in the order of the inputs. Everything wrong is kInvalidArgument, with `param` = the tensor's or
// the parameter's name. No tensor grows above `max_tensor_bytes`.
Result<InferBody> parse_infer(std::string_view body, std::optional<std::uint64_t> json_size,
                              std::size_t max_tensor_bytes);

struct InferAnswer {
  std::string_view model;
  std::string_view version;
  std::string_view id;  // empty: none was given
  Parameters parameters;
  std::span<const Tensor> outputs;
  std::vector<bool> binary;  // one per output
};

struct EncodedAnswer {
  std::string body;
  std::optional<std::size_t> json_size;  // given: binary tensors follow the JSON
};

// kInvalidArgument when an output cannot be said in JSON (FP16, BF16, BYTES that are not UTF-8) and must be asked for
// in binary.
Result<EncodedAnswer> write_infer(const InferAnswer& answer);

// `value` as a JSON string, quotes included. Requires: UTF-8.
void append_json_string(std::string& out, std::string_view value);

}  // namespace shoal::wire
