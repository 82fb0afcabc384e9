// What the object `shoal` of an answer says: where it was computed, and how long that took. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "server/dispatch/inference.hpp"

namespace shoal::api::openai {

nlohmann::ordered_json report_of(const dispatch::InferenceResponse& response);

}  // namespace shoal::api::openai
