#include "server/pool/partial_outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shoal::pool {
namespace {

std::int64_t rows_of(const Tensor& tensor) { return tensor.shape.empty() ? 0 : tensor.shape.front(); }

bool may_follow(const Tensor& tensor, const Tensor& former) {
  return tensor.name == former.name && tensor.datatype == former.datatype &&
         std::ranges::equal(std::span(tensor.shape).subspan(1), std::span(former.shape).subspan(1));
}

}  // namespace

void drop_rows(Tensor& tensor, std::int64_t count) {
  if (count == 0) {
    return;
  }
  const auto row_bytes = tensor.data.size() / static_cast<std::size_t>(rows_of(tensor));
  tensor.data.erase(0, row_bytes * static_cast<std::size_t>(count));
  tensor.shape.front() -= count;
}

Status PartialOutputs::add(std::vector<Tensor> outputs) {
  if (outputs.empty()) {
    return {};
  }
  const std::int64_t rows = rows_of(outputs.front());
  for (const Tensor& tensor : outputs) {
    if (rows == 0 || rows_of(tensor) != rows || tensor.datatype == DataType::kBytes) {
      return fail(Code::kInvalidArgument, fmt::format("output '{}' {} is no part of a generated answer", tensor.name,
                                                      shape_text(tensor.shape)));
    }
  }
  const std::int64_t again = std::min(skip_, rows);
  skip_ -= again;
  if (again == rows) {
    return {};
  }
  for (Tensor& tensor : outputs) {
    drop_rows(tensor, again);
  }
  kept_ += rows - again;
  rows_ += rows - again;
  if (waiting_.empty()) {
    waiting_ = std::move(outputs);
    return {};
  }
  if (!std::ranges::equal(outputs, waiting_, may_follow)) {
    return fail(Code::kInvalidArgument, "an output with other tensors than the one before it");
  }
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    waiting_[index].data += outputs[index].data;
    waiting_[index].shape.front() += outputs[index].shape.front();
  }
  return {};
}

std::vector<Tensor> PartialOutputs::take() {
  rows_ = 0;
  return std::exchange(waiting_, {});
}

}  // namespace shoal::pool
