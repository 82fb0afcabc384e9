// What the echo backend remembers of sequences (`echo_accumulate`): the sums of their inputs so far. Pure. Main lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/sequence_step.hpp"
#include "server/core/tensor.hpp"

namespace shoal {

// Whether tensors of this type can be added up: integers (which wrap around), FP32 and FP64.
bool has_sums(DataType datatype);

class EchoSums {
 public:
  static constexpr std::size_t kMaxSequences = 4096;  // the oldest one is forgotten for another

  // Adds the inputs of a step, element by element, to those before it in its sequence, and gives the sums; the last
  // step ends it. kInvalidArgument: another shape than before; kUnavailable: the sequence was forgotten. Requires:
  // has_sums.
  Result<std::vector<Tensor>> add(const SequenceStep& step, const std::vector<Tensor>& inputs);

  [[nodiscard]] std::size_t size() const { return sums_.size(); }

 private:
  std::map<std::uint64_t, std::vector<Tensor>> sums_;  // by the sequence's number: the first one is the oldest
};

}  // namespace shoal
