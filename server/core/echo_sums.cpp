#include "server/core/echo_sums.hpp"

#include <fmt/format.h>

#include <cstring>
#include <string>
#include <string_view>

namespace shoal {
namespace {

template <class Number>
void add_elements(std::string_view more, std::string& sum) {
  for (std::size_t at = 0; at + sizeof(Number) <= sum.size(); at += sizeof(Number)) {
    Number left{};
    Number right{};
    std::memcpy(&left, sum.data() + at, sizeof(Number));
    std::memcpy(&right, more.data() + at, sizeof(Number));
    left = static_cast<Number>(left + right);
    std::memcpy(sum.data() + at, &left, sizeof(Number));
  }
}

using Adder = void (*)(std::string_view, std::string&);

// Signed integers are added as unsigned ones, which may wrap around. nullptr: there are no sums of this type.
Adder adder_of(DataType datatype) {
  switch (datatype) {
    case DataType::kUint8:
    case DataType::kInt8:
      return add_elements<std::uint8_t>;
    case DataType::kUint16:
    case DataType::kInt16:
      return add_elements<std::uint16_t>;
    case DataType::kUint32:
    case DataType::kInt32:
      return add_elements<std::uint32_t>;
    case DataType::kUint64:
    case DataType::kInt64:
      return add_elements<std::uint64_t>;
    case DataType::kFp32:
      return add_elements<float>;
    case DataType::kFp64:
      return add_elements<double>;
    default:
      return nullptr;
  }
}

}  // namespace

bool has_sums(DataType datatype) { return adder_of(datatype) != nullptr; }

void EchoSums::forget(std::uint64_t number) {
  const auto found = sums_.find(number);
  bytes_ -= total_bytes(found->second.tensors);
  by_use_.erase(found->second.last_use);
  sums_.erase(found);
}

Result<std::vector<Tensor>> EchoSums::add(const SequenceStep& step, const std::vector<Tensor>& inputs) {
  auto found = sums_.find(step.number);
  if (found == sums_.end()) {
    if (!step.is_first) {
      return fail(Code::kUnavailable, "the echo backend has forgotten the sequence: begin it again");
    }
    const std::uint64_t size = total_bytes(inputs);
    if (size > kMaxBytes) {
      return fail(Code::kResourceLimit,
                  fmt::format("the inputs have {} bytes, the echo backend keeps {}", size, kMaxBytes));
    }
    while (sums_.size() >= kMaxSequences || bytes_ + size > kMaxBytes) {
      forget(by_use_.begin()->second);
    }
    bytes_ += size;
    found = sums_.emplace(step.number, Sum{.tensors = inputs}).first;
  } else {
    std::vector<Tensor>& sums = found->second.tensors;
    for (std::size_t index = 0; index < sums.size(); ++index) {
      if (index >= inputs.size() || inputs[index].name != sums[index].name ||
          inputs[index].shape != sums[index].shape) {
        return fail(
            Code::kInvalidArgument,
            fmt::format("input '{}' must have the shape that it had in the sequence's first request", sums[index].name),
            sums[index].name);
      }
    }
    for (std::size_t index = 0; index < sums.size(); ++index) {
      adder_of(sums[index].datatype)(inputs[index].data, sums[index].data);
    }
    by_use_.erase(found->second.last_use);
  }
  found->second.last_use = next_use_++;
  by_use_.emplace(found->second.last_use, step.number);
  std::vector<Tensor> now = found->second.tensors;
  if (step.is_last) {
    forget(step.number);
  }
  return now;
}

}  // namespace shoal
