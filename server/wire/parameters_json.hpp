// Request parameters from JSON: an object of booleans, numbers and strings. Pure.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::wire {

// Reads the object at the reader. kInvalidArgument naming the parameter whose type or range is wrong.
Status read_parameters(JsonReader& reader, Parameters& parameters);
// One value, of the parameter of this name.
Result<Parameter> read_parameter(JsonReader& reader, std::string_view name);

// As an object. Requires: UTF-8.
void append_parameters(std::string& out, const Parameters& parameters);
void append_parameter(std::string& out, const Parameter& value);

}  // namespace shoal::wire
