#include "server/dispatch/continuation.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "server/pool/partial_outputs.hpp"

namespace shoal::dispatch {
namespace {

std::unexpected<Error> other_answer() {
  return fail(Code::kWorkerLost, "the worker was lost, and another one does not make the same answer");
}

}  // namespace

Status Continuation::take(std::vector<Tensor>& outputs) {
  const auto tokens = std::ranges::find(outputs, "tokens", &Tensor::name);
  if (tokens == outputs.end() || tokens->datatype != DataType::kInt32) {
    return {};
  }
  std::vector<std::int32_t> ids(tokens->data.size() / sizeof(std::int32_t));
  std::memcpy(ids.data(), tokens->data.data(), ids.size() * sizeof(std::int32_t));
  const std::size_t again = std::min(ids.size(), had_.size() - next_);
  if (!std::ranges::equal(std::span(ids).first(again), std::span(had_).subspan(next_, again))) {
    return other_answer();
  }
  had_.insert(had_.end(), ids.begin() + static_cast<std::ptrdiff_t>(again), ids.end());
  next_ += ids.size();
  if (again == ids.size()) {
    outputs.clear();
    return {};
  }
  for (Tensor& tensor : outputs) {
    pool::drop_rows(tensor, static_cast<std::int64_t>(again));
  }
  return {};
}

Status Continuation::finish() const { return next_ < had_.size() ? other_answer() : Status(); }

}  // namespace shoal::dispatch
