// The JSON of POST /v2/parallel: {"requests": [{"model_name": ..., "model_version"?: ..., and what an infer request
// has}], "timeout"?: microseconds from the call's arrival to its last answer}, and {"responses": [...]} in their order.
// Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::wire {

inline constexpr std::size_t kMaxParallel = 64;  // requests in one call

struct ParallelItem {
  std::string model;
  std::string version;    // empty: none was named
  std::string_view body;  // the infer request, in the text that was given
};

struct ParallelCall {
  std::vector<ParallelItem> items;
  std::optional<std::chrono::microseconds> timeout;  // of all of them; each may name an earlier one. At most a day
};

// kInvalidArgument naming what is wrong with the list, or with its items as far as they are looked at here.
Result<ParallelCall> parse_parallel(std::string_view body);

}  // namespace shoal::wire
