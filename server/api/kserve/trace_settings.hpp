// Triton's trace settings of a server that has no tracer: trace_level is OFF, and stays so. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::api::kserve {

using TraceSettings = std::map<std::string, std::vector<std::string>, std::less<>>;

// {"trace_level": ["OFF"]}.
TraceSettings trace_settings();

// kInvalidArgument naming the setting that would not stay as it is. No values clear a setting, which is no change.
Status check_trace_settings(const TraceSettings& changes);

// The JSON object of the REST route: strings, lists of strings, or null; an empty body changes nothing.
Result<TraceSettings> read_trace_settings(std::string_view body);

}  // namespace shoal::api::kserve
