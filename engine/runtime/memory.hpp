// What an executor takes beside the weights, told from a plan alone.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/runtime/kv_cache.hpp"

namespace shoal::runtime {

// Bytes.
struct MemoryUse {
  std::uint64_t values = 0;   // of the largest step
  std::uint64_t state = 0;    // keys and values of all slots
  std::uint64_t scratch = 0;  // of all lanes
};

// Where the buffers of a signature's values begin, and the end of the last one. kResourceLimit beyond 2^46 bytes.
struct ValueLayout {
  std::vector<std::uint64_t> offsets;
  std::uint64_t bytes = 0;
};
Result<ValueLayout> value_layout(const graph::Signature& signature, const graph::Extents& limits);

// Of one state tensor that is stored so. kResourceLimit beyond 2^46 bytes.
Result<std::uint64_t> state_bytes(const graph::Tensor& state, const kernels::KvFormat& format,
                                  const graph::Extents& limits);

struct ScratchNeed {
  std::uint64_t lane_floats = 0;  // of each lane
  std::uint64_t int8_bytes = 0;   // rows of a step as int8
};
ScratchNeed scratch_need(const graph::Plan& plan, const graph::Extents& limits, KvBits kv);

// What Executor::memory() will be with these limits and so many lanes. Errors are those above, and of kv_formats().
Result<MemoryUse> memory_of(const graph::Plan& plan, const graph::Extents& limits, std::uint32_t lanes, KvBits kv = {});

}  // namespace shoal::runtime
