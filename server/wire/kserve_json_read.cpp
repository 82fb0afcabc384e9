#include <fmt/format.h>

#include <algorithm>

#include "server/wire/json_reader.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/parameters_json.hpp"
#include "server/wire/tensor_json.hpp"

namespace shoal::wire {
namespace {

constexpr std::size_t kMaxTensors = 1024;

// An input's fields, in whatever order they come.
struct InputFields {
  Tensor tensor;
  std::optional<std::string> datatype;
  bool has_shape = false;
  std::optional<std::string_view> data;  // its characters
  Parameters parameters;
};

Status read_shape(JsonReader& reader, Tensor& tensor) {
  if (!reader.enter_array()) {
    return reader.status();
  }
  while (reader.next_element()) {
    const auto dim = reader.read_int64();
    if (dim && *dim < 0) {
      return fail(Code::kInvalidArgument, fmt::format("input '{}' has a negative dimension in its shape", tensor.name),
                  tensor.name);
    }
    if (tensor.shape.size() == 32) {
      return fail(Code::kInvalidArgument, fmt::format("input '{}' has more than 32 dimensions", tensor.name),
                  tensor.name);
    }
    tensor.shape.push_back(dim.value_or(0));
  }
  return reader.status();
}

Status read_input_fields(JsonReader& reader, InputFields& fields) {
  if (!reader.enter_object()) {
    return reader.status();
  }
  while (auto key = reader.next_key()) {
    Status status;
    if (*key == "name") {
      fields.tensor.name = reader.read_string().value_or("");
    } else if (*key == "datatype") {
      fields.datatype = reader.read_string();
    } else if (*key == "shape") {
      fields.has_shape = true;
      status = read_shape(reader, fields.tensor);
    } else if (*key == "data") {
      fields.data = reader.skip_value();
    } else if (*key == "parameters") {
      status = read_parameters(reader, fields.parameters);
    } else {
      reader.skip_value();
    }
    if (!status) {
      return status;
    }
  }
  return reader.status();
}

// The rest of the body, handed out from the front.
struct BinaryPart {
  std::string_view rest;

  Status take(Tensor& tensor, const Parameter& size) {
    const auto* wanted = std::get_if<std::int64_t>(&size);
    if (wanted == nullptr || *wanted < 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("'binary_data_size' of input '{}' must be an integer >= 0", tensor.name), tensor.name);
    }
    const auto count = static_cast<std::uint64_t>(*wanted);
    if (count > rest.size()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("unexpected size for input '{}', expecting {} additional bytes for model", tensor.name,
                              count - rest.size()),
                  tensor.name);
    }
    tensor.data = rest.substr(0, count);
    rest.remove_prefix(count);
    return {};
  }
};

Status read_input(JsonReader& reader, BinaryPart& binary, std::size_t max_bytes, Tensor& out) {
  InputFields fields;
  if (const Status status = read_input_fields(reader, fields); !status) {
    return status;
  }
  Tensor& tensor = fields.tensor;
  if (tensor.name.empty()) {
    return fail(Code::kInvalidArgument, "an input has no 'name'", "inputs");
  }
  if (!fields.datatype || !fields.has_shape) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' has no '{}'", tensor.name, fields.datatype ? "shape" : "datatype"),
                tensor.name);
  }
  const auto type = datatype_from(*fields.datatype);
  if (!type) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' has the unknown datatype '{:.40}'", tensor.name, *fields.datatype),
                tensor.name);
  }
  tensor.datatype = *type;
  const auto count = element_count(tensor.shape, fmt::format("input '{}'", tensor.name));
  if (!count) {
    return fail(count.error());
  }
  const auto size = fields.parameters.find("binary_data_size");
  if (fields.parameters.contains("shared_memory_region")) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' names a shared memory region; this server has none", tensor.name), tensor.name);
  }
  if ((size != fields.parameters.end()) == fields.data.has_value()) {
    return fail(Code::kInvalidArgument,
                fmt::format("Input must set only one of the following fields: 'data', 'binary_data_size' in "
                            "'parameters'. Input '{}' sets {}.",
                            tensor.name, fields.data ? "both" : "none"),
                tensor.name);
  }
  Status status;
  if (fields.data) {
    JsonReader data(*fields.data);
    status = read_data(data, tensor, max_bytes);
  } else {
    status = binary.take(tensor, size->second);
  }
  out = std::move(tensor);
  return status;
}

Result<RequestedOutput> read_output(JsonReader& reader) {
  RequestedOutput output;
  Parameters parameters;
  if (reader.enter_object()) {
    while (auto key = reader.next_key()) {
      if (*key == "name") {
        output.name = reader.read_string().value_or("");
      } else if (*key == "parameters") {
        if (const Status status = read_parameters(reader, parameters); !status) {
          return fail(status.error());
        }
      } else {
        reader.skip_value();
      }
    }
  }
  if (!reader.ok()) {
    return fail(reader.status().error());
  }
  if (output.name.empty()) {
    return fail(Code::kInvalidArgument, "a requested output has no 'name'", "outputs");
  }
  for (const auto& [name, value] : parameters) {
    if (name == "binary_data") {
      if (!std::holds_alternative<bool>(value)) {
        return fail(Code::kInvalidArgument, "parameter 'binary_data' must be true or false", output.name);
      }
      output.binary = std::get<bool>(value);
    } else if (name == "classification") {
      output.classification = value;
    } else if (name.starts_with("shared_memory_")) {
      return fail(Code::kInvalidArgument,
                  fmt::format("output '{}' asks for '{}', which this server does not offer", output.name, name),
                  output.name);
    }
  }
  return output;
}

Status read_member(JsonReader& reader, std::string_view key, BinaryPart& binary, std::size_t max_bytes,
                   InferBody& body) {
  if (key == "id") {
    body.id = reader.read_string().value_or("");
  } else if (key == "parameters") {
    return read_parameters(reader, body.parameters);
  } else if (key == "inputs" || key == "outputs") {
    reader.enter_array();
    while (reader.next_element()) {
      if (body.inputs.size() + body.outputs.size() >= kMaxTensors) {
        return fail(Code::kInvalidArgument, fmt::format("a request may name at most {} tensors", kMaxTensors));
      }
      if (key == "inputs") {
        if (const Status status = read_input(reader, binary, max_bytes, body.inputs.emplace_back()); !status) {
          return status;
        }
      } else {
        auto output = read_output(reader);
        if (!output) {
          return fail(output.error());
        }
        body.outputs.push_back(std::move(*output));
      }
    }
  } else {
    reader.skip_value();
  }
  return reader.status();
}

}  // namespace

Result<InferBody> parse_infer(std::string_view body, std::optional<std::uint64_t> json_size,
                              std::size_t max_tensor_bytes) {
  if (json_size.value_or(0) > body.size()) {
    return fail(Code::kInvalidArgument, fmt::format("Inference-Header-Content-Length is {}, but the body has {} bytes",
                                                    *json_size, body.size()));
  }
  const std::size_t split = json_size ? static_cast<std::size_t>(*json_size) : body.size();
  BinaryPart binary{body.substr(split)};
  JsonReader reader(body.substr(0, split));
  InferBody parsed;
  bool has_inputs = false;
  if (reader.enter_object()) {
    while (auto key = reader.next_key()) {
      has_inputs = has_inputs || *key == "inputs";
      if (const Status status = read_member(reader, *key, binary, max_tensor_bytes, parsed); !status) {
        return fail(status.error());
      }
    }
  }
  if (const Status status = reader.finish(); !status) {
    return fail(status.error());
  }
  if (!has_inputs) {
    return fail(Code::kInvalidArgument, "the request has no 'inputs'", "inputs");
  }
  if (!binary.rest.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("unexpected additional input data for model: {} bytes are left over", binary.rest.size()));
  }
  if (const auto flag = parsed.parameters.find("binary_data_output"); flag != parsed.parameters.end()) {
    if (!std::holds_alternative<bool>(flag->second)) {
      return fail(Code::kInvalidArgument, "parameter 'binary_data_output' must be true or false", "binary_data_output");
    }
    parsed.binary_output = std::get<bool>(flag->second);
    parsed.parameters.erase(flag);
  }
  return parsed;
}

}  // namespace shoal::wire
