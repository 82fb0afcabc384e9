// Sets of CPUs as people write them: "0-3+6". Pure, but for the two that ask the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal {

using CpuList = std::vector<std::uint32_t>;  // ascending, each once; empty: whichever

// Numbers and ranges joined by '+' or ','; at most 1024 CPUs. kInvalidArgument.
Result<CpuList> parse_cpu_list(std::string_view text);
std::string cpu_list_text(const CpuList& cpus);  // "0+1+2"

// Those that this process may use.
CpuList allowed_cpus();
// The calling thread, and what it starts, keeps to them from now on. kInvalidArgument when the kernel refuses.
Status pin_to(const CpuList& cpus);

// The `index`th of `parts` equal parts of `cpus`; empty when there are more parts than CPUs.
CpuList part_of(const CpuList& cpus, std::size_t index, std::size_t parts);

}  // namespace shoal
