#include "server/wire/generate_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/wire/json_reader.hpp"
#include "server/wire/parameters_json.hpp"
#include "server/wire/tensor_json.hpp"

namespace shoal::wire {
namespace {

Result<std::uint64_t> count_of(const Tensor& tensor) {
  const std::size_t size = datatype_size(tensor.datatype);
  return size > 0 ? Result<std::uint64_t>(tensor.data.size() / size) : bytes_element_count(tensor.data, tensor.name);
}

class Members {
 public:
  Members(const InputType& type_of, std::size_t max_bytes) : type_of_(type_of), max_bytes_(max_bytes) {}

  Status read(JsonReader& reader, bool is_nested, GenerateBody& body) {
    if (!reader.enter_object()) {
      return reader.status();
    }
    while (auto name = reader.next_key()) {
      if (Status status = read_member(reader, *name, is_nested, body); !status) {
        return status;
      }
    }
    return reader.status();
  }

 private:
  Status read_member(JsonReader& reader, const std::string& name, bool is_nested, GenerateBody& body) {
    if (const auto type = type_of_(name)) {
      return read_input(reader, name, *type, body);
    }
    if (!is_nested && name == "id") {
      body.id = reader.read_string().value_or("");
      return reader.status();
    }
    if (!is_nested && name == "parameters") {
      return read(reader, true, body);
    }
    auto value = read_parameter(reader, name);
    if (!value) {
      return fail(std::move(value.error()));
    }
    return body.parameters.emplace(name, *std::move(value)).second ? Status() : twice("parameter", name);
  }

  Status read_input(JsonReader& reader, const std::string& name, DataType type, GenerateBody& body) {
    if (std::ranges::find(body.inputs, name, &Tensor::name) != body.inputs.end()) {
      return twice("input", name);
    }
    Tensor tensor{.name = name, .datatype = type, .shape = {}, .data = {}};
    if (Status status = read_value(reader, tensor, max_bytes_); !status) {
      return status;
    }
    const auto count = count_of(tensor);
    if (!count) {
      return fail(count.error());
    }
    tensor.shape = {static_cast<std::int64_t>(*count)};
    body.inputs.push_back(std::move(tensor));
    return {};
  }

  static Status twice(std::string_view what, const std::string& name) {
    return fail(Code::kInvalidArgument, fmt::format("{} '{}' is given twice", what, name), name);
  }

  const InputType& type_of_;
  std::size_t max_bytes_;
};

}  // namespace

Result<GenerateBody> parse_generate(std::string_view body, const InputType& type_of, std::size_t max_tensor_bytes) {
  GenerateBody parsed;
  JsonReader reader(body);
  if (Status status = Members(type_of, max_tensor_bytes).read(reader, false, parsed); !status) {
    return fail(std::move(status.error()));
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  return parsed;
}

Result<std::string> write_generate(const InferAnswer& answer) {
  std::string out = "{";
  const auto member = [&](std::string_view name) {
    out += out.size() > 1 ? "," : "";
    append_json_string(out, name);
    out.push_back(':');
  };
  if (!answer.id.empty()) {
    member("id");
    append_json_string(out, answer.id);
  }
  member("model_name");
  append_json_string(out, answer.model);
  member("model_version");
  append_json_string(out, answer.version);
  for (const Tensor& tensor : answer.outputs) {
    const auto count = count_of(tensor);
    member(tensor.name);
    out += count == std::uint64_t{1} ? "" : "[";
    if (Status status = append_data(out, tensor); !status) {
      return fail(std::move(status.error()));
    }
    out += count == std::uint64_t{1} ? "" : "]";
  }
  for (const auto& [name, value] : answer.parameters) {
    if (std::ranges::find(answer.outputs, name, &Tensor::name) == answer.outputs.end()) {
      member(name);
      append_parameter(out, value);
    }
  }
  out += "}";
  return out;
}

}  // namespace shoal::wire
