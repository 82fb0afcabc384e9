#include "server/dispatch/spot_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/core/f16.hpp"

namespace shoal::dispatch {
namespace {

template <class T, class Convert>
std::vector<double> read(const std::string& data, Convert convert) {
  std::vector<double> values(data.size() / sizeof(T));
  for (std::size_t index = 0; index < values.size(); ++index) {
    T value{};
    std::memcpy(&value, data.data() + index * sizeof(T), sizeof(T));
    values[index] = static_cast<double>(convert(value));
  }
  return values;
}

template <class T>
std::vector<double> read(const std::string& data) {
  return read<T>(data, [](T value) { return value; });
}

struct Numbers {
  std::vector<double> values;
  double relative = 0;  // tolerance, of the largest magnitude
  double absolute = 0;
};

// Nothing: compared byte by byte.
std::optional<Numbers> numbers_of(const Tensor& tensor) {
  switch (tensor.datatype) {
    case DataType::kFp32:
      return Numbers{read<float>(tensor.data), 0.02, 1e-6};
    case DataType::kFp64:
      return Numbers{read<double>(tensor.data), 0.02, 1e-6};
    case DataType::kFp16:
      return Numbers{read<std::uint16_t>(tensor.data, [](std::uint16_t bits) { return f16_to_f32(bits); }), 0.05, 1e-3};
    case DataType::kBf16:
      return Numbers{read<std::uint16_t>(tensor.data, [](std::uint16_t bits) { return bf16_to_f32(bits); }), 0.05,
                     1e-3};
    case DataType::kInt8:
      return Numbers{read<std::int8_t>(tensor.data), 0, 1};
    case DataType::kUint8:
      return Numbers{read<std::uint8_t>(tensor.data), 0, 1};
    default:
      return std::nullopt;
  }
}

bool is_close(double one, double other, double tolerance) {
  if (!std::isfinite(one) || !std::isfinite(other)) {
    return std::isnan(one) ? std::isnan(other) : one == other;
  }
  return std::abs(one - other) <= tolerance;
}

std::optional<std::string> difference(const Tensor& ours, const Tensor& theirs) {
  if (ours.name != theirs.name || ours.datatype != theirs.datatype || ours.shape != theirs.shape ||
      ours.data.size() != theirs.data.size()) {
    return fmt::format("output '{}' is {} {} where '{}' {} {} is right", theirs.name, datatype_name(theirs.datatype),
                       shape_text(theirs.shape), ours.name, datatype_name(ours.datatype), shape_text(ours.shape));
  }
  const auto right = numbers_of(ours);
  if (!right) {
    return ours.data == theirs.data ? std::nullopt : std::optional(fmt::format("output '{}' is another", ours.name));
  }
  const std::vector<double> values = numbers_of(theirs)->values;
  double largest = 0;
  for (const double value : right->values) {
    largest = std::isfinite(value) ? std::max(largest, std::abs(value)) : largest;
  }
  const double tolerance = right->absolute + right->relative * largest;
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (!is_close(right->values[index], values[index], tolerance)) {
      return fmt::format("element {} of output '{}' is {:.6g} where {:.6g} is right", index, ours.name, values[index],
                         right->values[index]);
    }
  }
  return std::nullopt;
}

}  // namespace

bool SpotCheck::draws(const std::string& worker) {
  Worker& entry = workers_[worker];
  const std::uint64_t result = entry.results++;
  if (result < options_.first) {
    return true;
  }
  if (options_.share <= 0) {
    return false;
  }
  const auto row = static_cast<std::uint64_t>(std::max(1.0, std::round(1 / std::min(1.0, options_.share))));
  const std::uint64_t place = (result - options_.first) % row;
  if (place == 0) {
    entry.place = std::uniform_int_distribution<std::uint64_t>(0, row - 1)(random_);
  }
  return place == entry.place;
}

std::optional<std::string> difference(std::span<const Tensor> ours, std::span<const Tensor> theirs) {
  if (ours.size() != theirs.size()) {
    return fmt::format("{} outputs where {} are right", theirs.size(), ours.size());
  }
  for (std::size_t index = 0; index < ours.size(); ++index) {
    if (auto found = difference(ours[index], theirs[index])) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace shoal::dispatch
