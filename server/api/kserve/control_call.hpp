// What a request to load or unload a model says beside its name, the same for both protocols. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/dispatch/control_view.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

// kInvalidArgument naming a parameter that is not known, or is of another type.
Result<dispatch::LoadRequest> load_request(std::string model, const wire::Parameters& parameters);
Status check_unload(const wire::Parameters& parameters);

// {"parameters": {...}} of the REST routes; an empty body is one without parameters.
Result<wire::Parameters> read_control_body(std::string_view body);

}  // namespace shoal::api::kserve
