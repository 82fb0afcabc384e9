#include "server/wire/tensor_json.hpp"

#include <fmt/format.h>

#include "engine/core/bytes.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/numbers.hpp"
#include "server/wire/utf8.hpp"

namespace shoal::wire {
namespace {

template <class T>
void append_le(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// One element of a `data` array, as raw bytes at the end of `out`; false when it is not one of the tensor's datatype.
template <class T>
bool append_element(JsonReader& reader, std::string& out) {
  const auto digits = reader.read_number();
  const auto value = digits ? parse_number<T>(*digits) : std::nullopt;
  if (value) {
    append_le(out, *value);
  }
  return value.has_value();
}

bool append_bool(JsonReader& reader, std::string& out) {
  if (reader.peek() == JsonReader::Kind::kBool) {
    out.push_back(reader.read_bool().value_or(false) ? '\1' : '\0');
    return true;
  }
  const auto digits = reader.read_number();
  if (digits != "0" && digits != "1") {
    return false;
  }
  out.push_back(digits == "1" ? '\1' : '\0');
  return true;
}

bool append_text(JsonReader& reader, std::string& out) {
  const auto text = reader.read_string();
  if (text) {
    append_le(out, static_cast<std::uint32_t>(text->size()));
    out += *text;
  }
  return text.has_value();
}

using AppendElement = bool (*)(JsonReader&, std::string&);

AppendElement element_reader(DataType type) {
  switch (type) {
    case DataType::kBool:
      return append_bool;
    case DataType::kUint8:
      return append_element<std::uint8_t>;
    case DataType::kUint16:
      return append_element<std::uint16_t>;
    case DataType::kUint32:
      return append_element<std::uint32_t>;
    case DataType::kUint64:
      return append_element<std::uint64_t>;
    case DataType::kInt8:
      return append_element<std::int8_t>;
    case DataType::kInt16:
      return append_element<std::int16_t>;
    case DataType::kInt32:
      return append_element<std::int32_t>;
    case DataType::kInt64:
      return append_element<std::int64_t>;
    case DataType::kFp32:
      return append_element<float>;
    case DataType::kFp64:
      return append_element<double>;
    case DataType::kBytes:
      return append_text;
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return nullptr;
}

Status read_element(JsonReader& reader, Tensor& tensor, std::size_t max_bytes) {
  const AppendElement append = element_reader(tensor.datatype);
  if (append == nullptr) {
    const std::string_view type = datatype_name(tensor.datatype);
    return fail(
        Code::kInvalidArgument,
        fmt::format("sending {} data via JSON is not supported. Please use the binary data format for input '{}'", type,
                    tensor.name),
        tensor.name);
  }
  if (!append(reader, tensor.data)) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("input '{}' has an element in 'data' that is no {}", tensor.name, datatype_name(tensor.datatype)),
        tensor.name);
  }
  if (tensor.data.size() > max_bytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' exceeds the maximum allowed input size of {} bytes", tensor.name, max_bytes),
                tensor.name);
  }
  return {};
}

template <class T>
void append_elements(std::string& out, const std::string& raw) {
  const Bytes bytes = as_bytes(raw);
  for (std::size_t offset = 0; offset + sizeof(T) <= bytes.size(); offset += sizeof(T)) {
    if (offset > 0) {
      out.push_back(',');
    }
    append_number(out, load_le<T>(bytes, offset).value_or(T{}));
  }
}

void append_bools(std::string& out, const std::string& raw) {
  for (std::size_t index = 0; index < raw.size(); ++index) {
    out += index > 0 ? "," : "";
    out += raw[index] == '\0' ? "false" : "true";
  }
}

Status append_texts(std::string& out, const Tensor& tensor) {
  const Bytes bytes = as_bytes(tensor.data);
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    const auto length = load_le<std::uint32_t>(bytes, offset);
    const auto element = length ? slice(bytes, offset + sizeof(std::uint32_t), *length) : std::nullopt;
    if (!element) {
      return fail(Code::kInternal, fmt::format("output '{}' is cut in the middle of an element", tensor.name));
    }
    if (!is_utf8(as_text(*element))) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("output '{}' has bytes that are not UTF-8 and cannot be said in JSON: ask for it in binary "
                      "(parameters.binary_data = true)",
                      tensor.name),
          tensor.name);
    }
    out += offset > 0 ? "," : "";
    append_json_string(out, as_text(*element));
    offset += sizeof(std::uint32_t) + *length;
  }
  return {};
}

}  // namespace

Status read_data(JsonReader& reader, Tensor& tensor, std::size_t max_bytes) {
  std::size_t depth = 0;
  if (!reader.enter_array()) {
    return reader.status();
  }
  ++depth;
  while (depth > 0 && reader.ok()) {
    if (!reader.next_element()) {
      --depth;
      continue;
    }
    if (reader.peek() == JsonReader::Kind::kArray) {
      reader.enter_array();
      ++depth;
      continue;
    }
    if (Status status = read_element(reader, tensor, max_bytes); !status) {
      return status;
    }
  }
  return reader.status();
}

Status read_value(JsonReader& reader, Tensor& tensor, std::size_t max_bytes) {
  return reader.peek() == JsonReader::Kind::kArray ? read_data(reader, tensor, max_bytes)
                                                   : read_element(reader, tensor, max_bytes);
}

Status append_data(std::string& out, const Tensor& tensor) {
  switch (tensor.datatype) {
    case DataType::kBool:
      append_bools(out, tensor.data);
      return {};
    case DataType::kUint8:
      append_elements<std::uint8_t>(out, tensor.data);
      return {};
    case DataType::kUint16:
      append_elements<std::uint16_t>(out, tensor.data);
      return {};
    case DataType::kUint32:
      append_elements<std::uint32_t>(out, tensor.data);
      return {};
    case DataType::kUint64:
      append_elements<std::uint64_t>(out, tensor.data);
      return {};
    case DataType::kInt8:
      append_elements<std::int8_t>(out, tensor.data);
      return {};
    case DataType::kInt16:
      append_elements<std::int16_t>(out, tensor.data);
      return {};
    case DataType::kInt32:
      append_elements<std::int32_t>(out, tensor.data);
      return {};
    case DataType::kInt64:
      append_elements<std::int64_t>(out, tensor.data);
      return {};
    case DataType::kFp32:
      append_elements<float>(out, tensor.data);
      return {};
    case DataType::kFp64:
      append_elements<double>(out, tensor.data);
      return {};
    case DataType::kBytes:
      return append_texts(out, tensor);
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return fail(Code::kInvalidArgument,
              fmt::format("sending {} data via JSON is not supported: ask for output '{}' in binary "
                          "(parameters.binary_data = true)",
                          datatype_name(tensor.datatype), tensor.name),
              tensor.name);
}

}  // namespace shoal::wire
