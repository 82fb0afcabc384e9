#include "server/api/grpc/answer_bytes.hpp"

#include <array>
#include <bit>
#include <limits>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/api/kserve/infer_call.hpp"

namespace shoal::api::grpc {
namespace {

// Numbers of proto/inference/service.proto.
namespace response_field {
constexpr unsigned kModelName = 1;
constexpr unsigned kModelVersion = 2;
constexpr unsigned kId = 3;
constexpr unsigned kParameters = 4;
constexpr unsigned kOutputs = 5;
constexpr unsigned kRawOutputContents = 6;
}  // namespace response_field
namespace tensor_field {
constexpr unsigned kName = 1;
constexpr unsigned kDatatype = 2;
constexpr unsigned kShape = 3;
}  // namespace tensor_field
namespace entry_field {  // of a map
constexpr unsigned kKey = 1;
constexpr unsigned kValue = 2;
}  // namespace entry_field
namespace parameter_field {
constexpr unsigned kInt64 = 2;
constexpr unsigned kString = 3;
}  // namespace parameter_field

// Shorter tensors are copied: a slice of their own costs more.
constexpr std::size_t kOwnSliceFrom = 4096;
constexpr std::size_t kMaxMessage = std::numeric_limits<std::int32_t>::max();

using Varint = std::array<char, 10>;

// Its end.
char* write_varint(char* at, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7U) {
    *at++ = static_cast<char>(number | 0x80U);
  }
  *at++ = static_cast<char>(number);
  return at;
}

void put_varint(std::string& out, std::uint64_t number) {
  Varint bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  out.append(bytes.data(), write_varint(bytes.data(), number));
}

std::size_t varint_size(std::uint64_t number) {
  return (static_cast<std::size_t>(std::bit_width(number | 1U)) + 6) / 7;
}

void put_integer(std::string& out, unsigned field, std::int64_t value) {
  put_varint(out, field << 3U);
  put_varint(out, static_cast<std::uint64_t>(value));
}

void begin_bytes(std::string& out, unsigned field, std::size_t size) {
  std::array<char, 11> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  bytes[0] = static_cast<char>(field << 3U | 2U);
  out.append(bytes.data(), write_varint(bytes.data() + 1, size));
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  begin_bytes(out, field, bytes.size());
  out += bytes;
}

// Of fields whose numbers take one byte.
std::size_t size_of_bytes(std::size_t size) { return 1 + varint_size(size) + size; }

void put_parameter(std::string& out, std::string_view name, const kserve::AnswerParameter& parameter) {
  const auto* text = std::get_if<std::string_view>(&parameter);
  const std::int64_t number = text == nullptr ? std::get<std::int64_t>(parameter) : 0;
  const std::size_t value =
      text == nullptr ? 1 + varint_size(static_cast<std::uint64_t>(number)) : size_of_bytes(text->size());
  begin_bytes(out, response_field::kParameters, size_of_bytes(name.size()) + size_of_bytes(value));
  put_bytes(out, entry_field::kKey, name);
  begin_bytes(out, entry_field::kValue, value);
  if (text == nullptr) {
    put_integer(out, parameter_field::kInt64, number);
  } else {
    put_bytes(out, parameter_field::kString, *text);
  }
}

void put_output(std::string& out, const Tensor& tensor) {
  std::string shape;
  for (const std::int64_t dim : tensor.shape) {
    put_varint(shape, static_cast<std::uint64_t>(dim));
  }
  const std::string_view type = datatype_name(tensor.datatype);
  begin_bytes(out, response_field::kOutputs,
              size_of_bytes(tensor.name.size()) + size_of_bytes(type.size()) +
                  (shape.empty() ? 0 : size_of_bytes(shape.size())));
  put_bytes(out, tensor_field::kName, tensor.name);
  put_bytes(out, tensor_field::kDatatype, type);
  if (!shape.empty()) {
    put_bytes(out, tensor_field::kShape, shape);
  }
}

::grpc::Slice slice_of(std::string bytes) {
  auto* kept = new std::string(std::move(bytes));
  return {kept->data(), kept->size(), [](void* owner) { delete static_cast<std::string*>(owner); }, kept};
}

}  // namespace

std::optional<::grpc::ByteBuffer> answer_bytes(const models::ModelVersion& model, const std::string& id,
                                               dispatch::InferenceResponse response) {
  std::string head;
  head.reserve(512);
  std::vector<::grpc::Slice> slices;
  std::size_t total = 0;
  const auto cut = [&] {
    total += head.size();
    slices.emplace_back(head.data(), head.size());
    head.clear();
  };
  put_bytes(head, response_field::kModelName, model.name);
  put_bytes(head, response_field::kModelVersion, std::to_string(model.version));
  if (!id.empty()) {
    put_bytes(head, response_field::kId, id);
  }
  kserve::each_answer_parameter(response, [&head](std::string_view name, const kserve::AnswerParameter& value) {
    put_parameter(head, name, value);
  });
  for (const Tensor& tensor : response.outputs) {
    put_output(head, tensor);
  }
  for (Tensor& tensor : response.outputs) {
    begin_bytes(head, response_field::kRawOutputContents, tensor.data.size());
    if (tensor.data.size() < kOwnSliceFrom) {
      head += tensor.data;
    } else {
      cut();
      total += tensor.data.size();
      slices.push_back(slice_of(std::move(tensor.data)));
    }
  }
  if (!head.empty()) {
    cut();
  }
  return total > kMaxMessage ? std::nullopt : std::optional(::grpc::ByteBuffer(slices.data(), slices.size()));
}

}  // namespace shoal::api::grpc
