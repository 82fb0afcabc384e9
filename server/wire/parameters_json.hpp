// Request parameters from JSON: an object of booleans, numbers and strings. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

// Reads the object at the reader. kInvalidArgument naming the parameter whose type or range is wrong.
Status read_parameters(JsonReader& reader, Parameters& parameters);

}  // namespace shoal::wire
