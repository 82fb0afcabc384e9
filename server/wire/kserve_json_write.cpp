#include "server/wire/kserve_json.hpp"
#include "server/wire/numbers.hpp"
#include "server/wire/parameters_json.hpp"
#include "server/wire/tensor_json.hpp"

namespace shoal::wire {

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
