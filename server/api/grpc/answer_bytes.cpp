#include "server/api/grpc/answer_bytes.hpp"

#include <bit>
#include <cstring>
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

std::size_t varint_size(std::uint64_t number) {
  return (static_cast<std::size_t>(std::bit_width(number | 1U)) + 6) / 7;
}

// Of fields whose numbers take one byte.
std::size_t size_of_bytes(std::size_t size) { return 1 + varint_size(size) + size; }

// Fields, one behind the other.
class Writer {
 public:
  [[nodiscard]] std::string_view written() const { return {room_.data(), size_}; }
  void clear() { size_ = 0; }

  void varint(std::uint64_t number) {
    char* at = room_for(10);
    for (; number >= 0x80; number >>= 7U) {
      *at++ = static_cast<char>(number | 0x80U);
    }
    *at++ = static_cast<char>(number);
    size_ = static_cast<std::size_t>(at - room_.data());
  }
  void raw(std::string_view bytes) {
    std::memcpy(room_for(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void begin_bytes(unsigned field, std::size_t size) {
    varint(field << 3U | 2U);
    varint(size);
  }
  void bytes(unsigned field, std::string_view bytes) {
    begin_bytes(field, bytes.size());
    raw(bytes);
  }
  void integer(unsigned field, std::int64_t value) {
    varint(field << 3U);
    varint(static_cast<std::uint64_t>(value));
  }
  void parameter(std::string_view name, const kserve::AnswerParameter& value);
  void output(const Tensor& tensor);

 private:
  char* room_for(std::size_t bytes) {
    if (room_.size() - size_ < bytes) {
      room_.resize(2 * (size_ + bytes));
    }
    return room_.data() + size_;
  }

  std::string room_ = std::string(768, '\0');
  std::size_t size_ = 0;
};

void Writer::parameter(std::string_view name, const kserve::AnswerParameter& value) {
  const auto* text = std::get_if<std::string_view>(&value);
  const std::int64_t number = text == nullptr ? std::get<std::int64_t>(value) : 0;
  const std::size_t size =
      text == nullptr ? 1 + varint_size(static_cast<std::uint64_t>(number)) : size_of_bytes(text->size());
  begin_bytes(response_field::kParameters, size_of_bytes(name.size()) + size_of_bytes(size));
  bytes(entry_field::kKey, name);
  begin_bytes(entry_field::kValue, size);
  if (text == nullptr) {
    integer(parameter_field::kInt64, number);
  } else {
    bytes(parameter_field::kString, *text);
  }
}

void Writer::output(const Tensor& tensor) {
  std::size_t shape = 0;
  for (const std::int64_t dim : tensor.shape) {
    shape += varint_size(static_cast<std::uint64_t>(dim));
  }
  const std::string_view type = datatype_name(tensor.datatype);
  begin_bytes(response_field::kOutputs,
              size_of_bytes(tensor.name.size()) + size_of_bytes(type.size()) + (shape == 0 ? 0 : size_of_bytes(shape)));
  bytes(tensor_field::kName, tensor.name);
  bytes(tensor_field::kDatatype, type);
  if (shape > 0) {
    begin_bytes(tensor_field::kShape, shape);
    for (const std::int64_t dim : tensor.shape) {
      varint(static_cast<std::uint64_t>(dim));
    }
  }
}

::grpc::Slice slice_of(std::string bytes) {
  auto* kept = new std::string(std::move(bytes));
  return {kept->data(), kept->size(), [](void* owner) { delete static_cast<std::string*>(owner); }, kept};
}

}  // namespace

std::optional<::grpc::ByteBuffer> answer_bytes(const models::ModelVersion& model, const std::string& id,
                                               dispatch::InferenceResponse response) {
  Writer out;
  std::vector<::grpc::Slice> slices;
  std::size_t total = 0;
  const auto cut = [&] {
    total += out.written().size();
    slices.emplace_back(out.written().data(), out.written().size());
    out.clear();
  };
  out.bytes(response_field::kModelName, model.name);
  out.bytes(response_field::kModelVersion, std::to_string(model.version));
  if (!id.empty()) {
    out.bytes(response_field::kId, id);
  }
  kserve::each_answer_parameter(
      response, [&out](std::string_view name, const kserve::AnswerParameter& value) { out.parameter(name, value); });
  for (const Tensor& tensor : response.outputs) {
    out.output(tensor);
  }
  for (Tensor& tensor : response.outputs) {
    out.begin_bytes(response_field::kRawOutputContents, tensor.data.size());
    if (tensor.data.size() < kOwnSliceFrom) {
      out.raw(tensor.data);
    } else {
      cut();
      total += tensor.data.size();
      slices.push_back(slice_of(std::move(tensor.data)));
    }
  }
  if (!out.written().empty()) {
    cut();
  }
  return total > kMaxMessage ? std::nullopt : std::optional(::grpc::ByteBuffer(slices.data(), slices.size()));
}

}  // namespace shoal::api::grpc
