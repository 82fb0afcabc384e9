// What of a model's configuration is done here. Every other field that is set is refused by its name, also one that
// Triton's next version adds to the message: nothing that an owner asked for passes in silence. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

inline constexpr std::string_view kOnnxPlatform = "onnxruntime_onnx";
inline constexpr std::string_view kPlanPlatform = "shoal_plan";

// kInvalidArgument with `param` = the field, "optimization.cuda".
Status check_supported(const inference::ModelConfig& config);

}  // namespace shoal::models
