// Per-model counters since start, in Triton's terms (KServe statistics extension). Main lane; copied out for readers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace shoal::dispatch {

struct DurationCount {
  std::uint64_t count = 0;
  std::uint64_t ns = 0;
  void add(std::uint64_t microseconds) {
    ++count;
    ns += microseconds * 1000;
  }
};

struct ModelStatistics {
  std::uint64_t last_inference_ms = 0;  // Unix milliseconds
  std::uint64_t inference_count = 0;    // batch items of successful requests
  std::uint64_t execution_count = 0;    // runs in browsers
  DurationCount success, fail, queue, compute_input, compute_infer, compute_output;
  std::map<std::string, std::uint64_t> failures;  // by error_table label: REJECTED CANCELED BACKEND OTHER
  struct Batch {
    DurationCount compute_input, compute_infer, compute_output;
  };
  std::map<std::uint64_t, Batch> batches;  // by batch size
  std::uint64_t pending = 0;               // accepted and not yet sent to a browser
};

// Key: model name, version.
using Statistics = std::map<std::pair<std::string, std::int64_t>, ModelStatistics>;

}  // namespace shoal::dispatch
