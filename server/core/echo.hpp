// What a model of the echo backend does: each output is the bytes of one input, given back after a while. It measures
// and tests everything around a model (protocols, queues, batching, deadlines) without a browser.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/core/clock.hpp"

namespace shoal {

struct Echo {
  std::vector<std::pair<std::string, std::string>> outputs;  // its name, and that of the input that it gives back
  bool accumulates = false;                                  // over a sequence: outputs are sums of what came so far
  Duration delay{};                                          // of a run
  Duration delay_per_row{};                                  // more for each row of the first input
  std::uint32_t instances = 1;                               // runs at once; more wait in the worker
  std::uint32_t responses = 1;                               // of a run; another number than 1 where it is decoupled
  Duration gap{};                                            // between two of them
};

}  // namespace shoal
