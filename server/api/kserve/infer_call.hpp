// A KServe inference call without its protocol: what HTTP and gRPC both make, and both turn into a request for the
// dispatcher. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/core/result.hpp"
#include "server/api/kserve/classification.hpp"
#include "server/core/tensor.hpp"
#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

struct InferCall {
  wire::Parameters parameters;
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;  // none = all
  Classes classes;                   // of them, those that are answered as classes
};

// Adds what the JSON of a request says of an output. kInvalidArgument naming the parameter.
Status add_output(const wire::RequestedOutput& output, InferCall& call);

// A request that fits the model, with demand, priority and deadline as the parameters say. Everything wrong is
// kInvalidArgument naming the tensor or the parameter.
Result<dispatch::InferenceRequest> make_request(models::ModelPtr model, InferCall call, std::string request_id,
                                                TimePoint received);

// Only the parameters: shoal_backend, shoal_worker, shoal_bits, shoal_family, shoal_max_batch_size, shoal_trust,
// shoal_variant, priority (a number or a word), timeout (microseconds). Names that are reserved for what this server
// does not do are refused; names that are not known are the client's own.
Status apply_parameters(const wire::Parameters& parameters, dispatch::InferenceRequest& request);

// triton_enable_empty_final_response: an empty response says that a decoupled model's run has ended without one.
bool wants_empty_final(const wire::Parameters& parameters);

// shoal_backend, shoal_worker, shoal_adapter, shoal_variant, shoal_bits, shoal_queue_us, shoal_compute_us, ...
using AnswerParameter = std::variant<std::string_view, std::int64_t>;  // a view of the response
void each_answer_parameter(const dispatch::InferenceResponse& response,
                           const std::function<void(std::string_view name, const AnswerParameter& value)>& take);
wire::Parameters answer_parameters(const dispatch::InferenceResponse& response);

// The one input of a body without JSON: shape [1] for BYTES, else the model's with its one variable dimension taken
// from the size. kInvalidArgument when the model is not of that kind.
Result<Tensor> raw_input(const models::ModelVersion& model, std::string_view body);

}  // namespace shoal::api::kserve
