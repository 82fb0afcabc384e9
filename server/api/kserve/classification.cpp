#include "server/api/kserve/classification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace shoal::api::kserve {
namespace {

struct Bf16 {
  std::uint16_t bits;
};

template <class T>
auto widened(T value) {
  if constexpr (std::is_same_v<T, Bf16>) {
    return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
  } else if constexpr (std::is_same_v<T, _Float16>) {
    return static_cast<float>(value);
  } else {
    return value;
  }
}

template <class T>
auto element(std::string_view data, std::size_t index) {
  T value;
  std::memcpy(&value, data.data() + index * sizeof(T), sizeof(T));
  return widened(value);
}

template <class Value>
bool is_larger(Value left, Value right) {
  if constexpr (std::is_floating_point_v<Value>) {
    if (std::isnan(left) || std::isnan(right)) {
      return std::isnan(right) && !std::isnan(left);
    }
  }
  return left > right;
}

// fmt takes a hundred times as long for the 309 digits of a large double.
template <class Value>
std::string digits(Value value) {
  if constexpr (std::is_floating_point_v<Value>) {
    std::array<char, 400> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 6);
    return {text.data(), end.ptr};
  } else {
    return std::to_string(value);
  }
}

using Labels = std::span<const std::string>;

// Appends the classes of one row to `out`, until it has more than `max_bytes`.
template <class T>
void append_row(std::string_view row, std::size_t wanted, Labels labels, std::size_t max_bytes, std::string& out) {
  const std::size_t count = row.size() / sizeof(T);
  std::vector<std::size_t> top(std::min(wanted, count));
  std::ranges::partial_sort_copy(std::views::iota(std::size_t{0}, count), top, [row](std::size_t a, std::size_t b) {
    const auto left = element<T>(row, a);
    const auto right = element<T>(row, b);
    return is_larger(left, right) || (!is_larger(right, left) && a < b);
  });
  for (const std::size_t index : top) {
    if (out.size() > max_bytes) {
      return;
    }
    std::string text = digits(element<T>(row, index)) + ":" + std::to_string(index);
    if (index < labels.size()) {
      text += ":" + labels[index];
    }
    const auto size = static_cast<std::uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&size), sizeof(size));
    out += text;
  }
}

using AppendRow = void (*)(std::string_view, std::size_t, Labels, std::size_t, std::string&);

AppendRow append_row_of(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return append_row<std::uint8_t>;
    case DataType::kUint16:
      return append_row<std::uint16_t>;
    case DataType::kUint32:
      return append_row<std::uint32_t>;
    case DataType::kUint64:
      return append_row<std::uint64_t>;
    case DataType::kInt8:
      return append_row<std::int8_t>;
    case DataType::kInt16:
      return append_row<std::int16_t>;
    case DataType::kInt32:
      return append_row<std::int32_t>;
    case DataType::kInt64:
      return append_row<std::int64_t>;
    case DataType::kFp16:
      return append_row<_Float16>;
    case DataType::kBf16:
      return append_row<Bf16>;
    case DataType::kFp32:
      return append_row<float>;
    case DataType::kFp64:
      return append_row<double>;
    case DataType::kBool:
    case DataType::kBytes:
      break;
  }
  return nullptr;
}

Status no_classes(std::string_view output, DataType type) {
  return fail(Code::kInvalidArgument,
              fmt::format("class result not available for output '{}' due to unsupported type '{}'", output,
                          datatype_name(type)),
              std::string(output));
}

Status classify(Tensor& tensor, std::size_t wanted, bool has_rows, Labels labels, std::size_t& bytes_left) {
  const AppendRow append = append_row_of(tensor.datatype);
  if (append == nullptr) {
    return no_classes(tensor.name, tensor.datatype);
  }
  const bool is_batched = has_rows && !tensor.shape.empty();
  const auto row_elements =
      element_count(std::span(tensor.shape).subspan(is_batched ? 1 : 0), fmt::format("output '{}'", tensor.name));
  const auto elements = element_count(tensor.shape, fmt::format("output '{}'", tensor.name));
  const std::size_t element_bytes = datatype_size(tensor.datatype);
  if (!row_elements || !elements || tensor.data.size() != *elements * element_bytes) {
    return fail(Code::kInternal, fmt::format("the bytes of output '{}' are not those of its shape", tensor.name));
  }
  const std::uint64_t rows = is_batched ? static_cast<std::uint64_t>(tensor.shape.front()) : 1;
  const std::size_t row_bytes = *row_elements * element_bytes;
  std::string classes;
  for (std::uint64_t row = 0; row < rows && row_bytes > 0; ++row) {
    append(std::string_view(tensor.data).substr(row * row_bytes, row_bytes), wanted, labels, bytes_left, classes);
    if (classes.size() > bytes_left) {
      return fail(
          Code::kResourceLimit,
          fmt::format("the classes of output '{}' have more than {} bytes: ask for fewer", tensor.name, kMaxClassBytes),
          tensor.name);
    }
  }
  bytes_left -= classes.size();
  tensor.shape.assign({static_cast<std::int64_t>(std::min<std::uint64_t>(wanted, *row_elements))});
  if (is_batched) {
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(rows));
  }
  tensor.datatype = DataType::kBytes;
  tensor.data = std::move(classes);
  return {};
}

}  // namespace

Status add_classes(std::string_view output, const wire::Parameter& count, Classes& classes) {
  const auto* number = std::get_if<std::int64_t>(&count);
  if (number == nullptr || *number <= 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("parameter 'classification' of output '{}' must be an integer > 0", output),
                "classification");
  }
  classes.emplace(output, *number);
  return {};
}

Status check_classes(const models::ModelVersion& model, const Classes& classes) {
  for (const auto& [name, count] : classes) {
    const models::TensorSignature* output = model.output(name);
    if (output != nullptr && append_row_of(output->datatype) == nullptr) {
      return no_classes(name, output->datatype);
    }
  }
  return {};
}

Status classify(const models::ModelVersion& model, const Classes& classes, std::span<Tensor> outputs) {
  std::size_t bytes_left = kMaxClassBytes;
  for (Tensor& tensor : outputs) {
    const auto wanted = classes.find(tensor.name);
    if (wanted == classes.end()) {
      continue;
    }
    const auto labels = model.labels.find(tensor.name);
    const Labels known = labels == model.labels.end() ? Labels() : Labels(labels->second);
    if (Status status =
            classify(tensor, static_cast<std::size_t>(wanted->second), model.max_batch_size > 0, known, bytes_left);
        !status) {
      return status;
    }
  }
  return {};
}

}  // namespace shoal::api::kserve
