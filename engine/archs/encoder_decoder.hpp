// What T5 and BART share: the encoder's output as keys and values of every decoder layer, kept in the row's slot.
#pragma once

#include <string>

#include "engine/archs/decoder.hpp"

namespace shoal::archs {

// The states of one decoder layer's cross attention.
struct CrossStates {
  TensorId k = kNoTensor;
  TensorId v = kNoTensor;
};
CrossStates cross_states(Assembly& a, const std::string& name, const HeadCounts& counts);

// In the encoder's signature: keys and values of `memory` by the matrices of these names, from position 0 of the slot
// on.
void keep_memory(Assembly& a, TensorId memory, const std::string& key, const std::string& value,
                 const CrossStates& states);

// In the decoder's signature: q against all of the memory.
TensorId cross_attention(Assembly& a, TensorId q, const CrossStates& states, const HeadCounts& counts, float scale);

// The token that an answer begins with; a configuration without one is refused.
std::int32_t decoder_start_of(Assembly& a);

}  // namespace shoal::archs
