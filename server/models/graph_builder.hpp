// Appends nodes and constants to an ONNX graph. Every method that makes a value returns its name. One thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onnx {
class GraphProto;
class NodeProto;
}  // namespace onnx

namespace shoal::models {

class GraphBuilder {
 public:
  explicit GraphBuilder(onnx::GraphProto& graph) : graph_(graph) {}

  // `name` names both the node and its one output.
  std::string node(std::string_view op, const std::string& name, std::initializer_list<std::string> inputs);
  void attribute(std::string_view key, std::int64_t value);  // of the last node
  void attribute(std::string_view key, float value);
  void attribute(std::string_view key, std::initializer_list<std::int64_t> values);

  std::string floats(const std::string& name, std::initializer_list<std::int64_t> dims, std::span<const float> values);
  std::string scalar(const std::string& name, float value);
  std::string integers(const std::string& name, std::initializer_list<std::int64_t> values);

  // All dimensions are open, by these symbols; an output has a fixed one after them.
  void input(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols);
  void output(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols,
              std::int64_t last_dim);
  // States the shape of an inner value where the runtimes cannot infer it.
  void value(const std::string& name, int element_type, std::initializer_list<std::string_view> symbols,
             std::int64_t last_dim);

 private:
  onnx::GraphProto& graph_;
  onnx::NodeProto* last_ = nullptr;
};

}  // namespace shoal::models
