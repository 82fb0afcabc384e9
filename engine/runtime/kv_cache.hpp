// In how many bits an executor keeps keys and values. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/kernels/kv_format.hpp"

namespace shoal::runtime {

struct KvBits {
  std::uint32_t keys = 32;
  std::uint32_t values = 32;

  friend bool operator==(const KvBits&, const KvBits&) = default;
};

// "8" of both, or "8,4": of keys and of values. kInvalidArgument.
Result<KvBits> parse_kv_bits(std::string_view text);

// Of each tensor of the plan that is a state; other tensors have none of use. Errors are those of KvFormat::make().
Result<std::vector<kernels::KvFormat>> kv_formats(const graph::Plan& plan, KvBits bits);

}  // namespace shoal::runtime
