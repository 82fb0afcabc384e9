#include "server/models/graph_builder.hpp"

#include <onnx/onnx_pb.h>

namespace shoal::models {
namespace {

void set_shape(onnx::ValueInfoProto& value, int element_type, std::initializer_list<std::string_view> symbols) {
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(element_type);
  for (const std::string_view symbol : symbols) {
    type.mutable_shape()->add_dim()->set_dim_param(std::string(symbol));
  }
}

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, std::string_view key,
                                    onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(std::string(key));
  attribute.set_type(type);
  return attribute;
}

}  // namespace

std::string GraphBuilder::node(std::string_view op, const std::string& name,
                               std::initializer_list<std::string> inputs) {
  last_ = graph_.add_node();
  last_->set_op_type(std::string(op));
  last_->set_name(name);
  for (const std::string& input : inputs) {
    last_->add_input(input);
  }
  last_->add_output(name);
  return name;
}

void GraphBuilder::attribute(std::string_view key, std::int64_t value) {
  add_attribute(*last_, key, onnx::AttributeProto::INT).set_i(value);
}

void GraphBuilder::attribute(std::string_view key, float value) {
  add_attribute(*last_, key, onnx::AttributeProto::FLOAT).set_f(value);
}

void GraphBuilder::attribute(std::string_view key, std::initializer_list<std::int64_t> values) {
  onnx::AttributeProto& attribute = add_attribute(*last_, key, onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) {
    attribute.add_ints(value);
  }
}

std::string GraphBuilder::floats(const std::string& name, std::initializer_list<std::int64_t> dims,
                                 std::span<const float> values) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : dims) {
    tensor.add_dims(dim);
  }
  tensor.set_raw_data(values.data(), values.size_bytes());
  return name;
}

std::string GraphBuilder::scalar(const std::string& name, float value) {
  return floats(name, {}, std::span(&value, 1));
}

std::string GraphBuilder::integers(const std::string& name, std::initializer_list<std::int64_t> values) {
  onnx::TensorProto& tensor = *graph_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_raw_data(std::data(values), values.size() * sizeof(std::int64_t));
  return name;
}

void GraphBuilder::input(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols) {
  onnx::ValueInfoProto& value = *graph_.add_input();
  value.set_name(name);
  set_shape(value, element_type, symbols);
}

void GraphBuilder::output(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols,
                          std::int64_t last_dim) {
  onnx::ValueInfoProto& value = *graph_.add_output();
  value.set_name(name);
  set_shape(value, element_type, symbols);
  value.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(last_dim);
}

void GraphBuilder::value(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols,
                         std::int64_t last_dim) {
  onnx::ValueInfoProto& value = *graph_.add_value_info();
  value.set_name(name);
  set_shape(value, element_type, symbols);
  value.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(last_dim);
}

}  // namespace shoal::models
