// Instruction sets that a kernel may be written for. A build has those of its own machine; which of them run is asked
// of the processor once. A result computed on one tier may differ from another tier's in the last bits where a kernel
// says so; within a tier it never depends on how work was batched or split.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace shoal::kernels {

enum class Tier : std::uint8_t { kScalar, kAvx2, kAvx512, kSimd128, kRelaxedSimd };

std::string_view tier_name(Tier tier);

// Whether this build has the tier and this machine runs it. kAvx512 means F, BW, VL and VNNI together.
bool runs(Tier tier);

// Every tier that runs, kScalar first, the fastest last.
std::vector<Tier> running_tiers();
// Tasks of several threads ask for it: neither allocates nor keeps anything.
Tier best_tier();

}  // namespace shoal::kernels
