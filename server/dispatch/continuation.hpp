// What a client has had of a generated answer, so that another worker may make the same tokens again and go on behind
// them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"

namespace shoal::dispatch {

class Continuation {
 public:
  // The outputs of one response, each with a row for each of the `tokens` INT32 [k]: what was had before is cut off,
  // and nothing is left of a response that holds no more than that. kWorkerLost where these are other tokens. Outputs
  // without tokens pass.
  Status take(std::vector<Tensor>& outputs);
  // The answer is over: kWorkerLost when it is shorter than what was had.
  [[nodiscard]] Status finish() const;
  // The next take() begins with the first token again.
  void restart() { next_ = 0; }
  // That the client has had, or is about to have.
  [[nodiscard]] std::size_t tokens() const { return had_.size(); }

 private:
  std::vector<std::int32_t> had_;
  std::size_t next_ = 0;  // of had_: what the worker makes next
};

}  // namespace shoal::dispatch
