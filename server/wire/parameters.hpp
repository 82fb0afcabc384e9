// Named scalars beside the tensors of a request or an answer: KServe's `parameters`. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace shoal::wire {

// Integers of JSON are int64 where they fit, else uint64.
using Parameter = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter, std::less<>>;

}  // namespace shoal::wire
