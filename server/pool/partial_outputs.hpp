// What a run that generates has answered and its reader has not had: outputs joined along their first axis, so that a
// slow reader gets more at once. On another connection the agent tells its answer again from the beginning; what was
// had already is dropped. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"

namespace shoal::pool {

// Cuts off what the tensor begins with. Requires: it has as many along its first axis.
void drop_rows(Tensor& tensor, std::int64_t count);

class PartialOutputs {
 public:
  // Of one Output: tensors with as many rows as each other. kInvalidArgument where they have not, hold text, or are
  // other ones than before.
  Status add(std::vector<Tensor> outputs);
  // What came since the last call.
  std::vector<Tensor> take();
  // The next add() begins with the first row again.
  void restart() { skip_ = kept_; }
  [[nodiscard]] bool is_empty() const { return rows_ == 0; }

 private:
  std::vector<Tensor> waiting_;
  std::int64_t rows_ = 0;  // of waiting_
  std::int64_t kept_ = 0;  // rows that were added, without those that came again
  std::int64_t skip_ = 0;  // rows that will come again
};

}  // namespace shoal::pool
