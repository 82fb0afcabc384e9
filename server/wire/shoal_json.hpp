// The object `shoal` of a JSON request: what its client insists on. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

// The next value's members, as KServe parameters are called: "shoal_backend", ..., "priority", "timeout".
// kInvalidArgument naming the member.
Status read_shoal(JsonReader& reader, Parameters& parameters);

}  // namespace shoal::wire
