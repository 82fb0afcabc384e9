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
  // Beyond these the sequences that were used least recently are forgotten.
  static constexpr std::size_t kMaxSequences = 4096;
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{256} << 20;

  // Adds the inputs of a step, element by element, to those before it in its sequence, and gives the sums; the last
  // step ends it. kInvalidArgument: another shape than before; kUnavailable: the sequence was forgotten;
  // kResourceLimit: more than kMaxBytes. Requires: has_sums.
  Result<std::vector<Tensor>> add(const SequenceStep& step, const std::vector<Tensor>& inputs);

  [[nodiscard]] std::size_t size() const { return sums_.size(); }

 private:
  struct Sum {
    std::vector<Tensor> tensors;
    std::uint64_t last_use = 0;
  };
  void forget(std::uint64_t number);

  std::map<std::uint64_t, Sum> sums_;              // by the sequence's number
  std::map<std::uint64_t, std::uint64_t> by_use_;  // last use to number
  std::uint64_t bytes_ = 0;
  std::uint64_t next_use_ = 1;
};

}  // namespace shoal
