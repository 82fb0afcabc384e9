#include <fmt/format.h>

#include "engine/core/bytes.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/numbers.hpp"
#include "server/wire/utf8.hpp"

namespace shoal::wire {
namespace {

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

void append_parameters(std::string& out, const Parameters& parameters) {
  out.push_back('{');
  bool is_first = true;
  for (const auto& [name, value] : parameters) {
    out += is_first ? "" : ",";
    is_first = false;
    append_json_string(out, name);
    out.push_back(':');
    if (const auto* flag = std::get_if<bool>(&value)) {
      out += *flag ? "true" : "false";
    } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      append_number(out, *integer);
    } else if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
      append_number(out, *natural);
    } else if (const auto* real = std::get_if<double>(&value)) {
      append_number(out, *real);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      append_json_string(out, *text);
    }
  }
  out.push_back('}');
}

}  // namespace

void append_json_string(std::string& out, std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char character : value) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      out.push_back('\\');
      out.push_back(character);
    } else if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 0xFU]);
    } else {
      out.push_back(character);
    }
  }
  out.push_back('"');
}

Result<EncodedAnswer> write_infer(const InferAnswer& answer) {
  EncodedAnswer encoded;
  std::string& out = encoded.body;
  out += R"({"model_name":)";
  append_json_string(out, answer.model);
  out += R"(,"model_version":)";
  append_json_string(out, answer.version);
  if (!answer.id.empty()) {
    out += R"(,"id":)";
    append_json_string(out, answer.id);
  }
  if (!answer.parameters.empty()) {
    out += R"(,"parameters":)";
    append_parameters(out, answer.parameters);
  }
  out += R"(,"outputs":[)";
  bool has_binary = false;
  for (std::size_t index = 0; index < answer.outputs.size(); ++index) {
    const Tensor& tensor = answer.outputs[index];
    out += index > 0 ? R"(,{"name":)" : R"({"name":)";
    append_json_string(out, tensor.name);
    out += R"(,"datatype":")";
    out += datatype_name(tensor.datatype);
    out += R"(","shape":)";
    out += shape_text(tensor.shape);
    if (index < answer.binary.size() && answer.binary[index]) {
      has_binary = true;
      out += R"(,"parameters":{"binary_data_size":)";
      append_number(out, tensor.data.size());
      out += "}}";
      continue;
    }
    out += R"(,"data":[)";
    if (Status status = append_data(out, tensor); !status) {
      return fail(std::move(status.error()));
    }
    out += "]}";
  }
  out += "]}";
  if (has_binary) {
    encoded.json_size = out.size();
    for (std::size_t index = 0; index < answer.outputs.size(); ++index) {
      if (answer.binary[index]) {
        out += answer.outputs[index].data;
      }
    }
  }
  return encoded;
}

}  // namespace shoal::wire
