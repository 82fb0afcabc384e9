// The JSON of POST /v2/parallel: {"requests": [{"model_name": ..., "model_version"?: ..., and what an infer request
// has}]}, and {"responses": [...]} in their order. Pure.
#pragma once

#include <cstddef>
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

// kInvalidArgument naming what is wrong with the list, or with its items as far as they are looked at here.
Result<std::vector<ParallelItem>> parse_parallel(std::string_view body);

}  // namespace shoal::wire
