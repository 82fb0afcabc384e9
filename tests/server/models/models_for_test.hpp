// Small ONNX models, written to a temporary folder, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/models/repository.hpp"

namespace shoal::models {

// A folder that goes away with the test.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> count = 0;
    path_ = std::filesystem::path(testing::TempDir()) /
            ("shoal_models_" + std::to_string(::getpid()) + "_" + std::to_string(++count));
    std::filesystem::create_directories(path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, std::string_view text) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

 private:
  std::filesystem::path path_;
};

// "batch_size" is open, "3" fixed, "" open without a name.
inline void add_value(onnx::ValueInfoProto& value, const std::string& name, int type,
                      const std::vector<std::string>& dims) {
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  auto& shape = *tensor.mutable_shape();
  for (const std::string& dim : dims) {
    auto& added = *shape.add_dim();
    if (!dim.empty() && dim.find_first_not_of("-0123456789") == std::string::npos) {
      added.set_dim_value(std::stoll(dim));
    } else if (!dim.empty()) {
      added.set_dim_param(dim);
    }
  }
}

struct Value {
  std::string name;
  int type;
  std::vector<std::string> dims;
};

inline onnx::ModelProto make_model(const std::vector<Value>& inputs, const std::vector<Value>& outputs) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  auto& graph = *model.mutable_graph();
  graph.set_name("test");
  for (const Value& input : inputs) {
    add_value(*graph.add_input(), input.name, input.type, input.dims);
  }
  for (const Value& output : outputs) {
    add_value(*graph.add_output(), output.name, output.type, output.dims);
  }
  return model;
}

// x [batch_size, 8] FP32 and ids [batch_size, 2] INT64 to y [batch_size, 4].
inline onnx::ModelProto two_inputs() {
  return make_model(
      {{"x", onnx::TensorProto::FLOAT, {"batch_size", "8"}}, {"ids", onnx::TensorProto::INT64, {"batch_size", "2"}}},
      {{"y", onnx::TensorProto::FLOAT, {"batch_size", "4"}}});
}

// Everything below the root, as a start of the server reads it.
inline SnapshotPtr snapshot_of(Repository& repository) {
  decltype(Snapshot::models) models;
  for (const std::string& name : repository.names().value()) {
    for (const ModelPtr& version : repository.read(name).value()) {
      models[name][version->version] = version;
    }
  }
  repository.save_digests();
  return make_snapshot(std::move(models));
}

inline std::string bytes_of(const onnx::ModelProto& model) { return model.SerializeAsString(); }

}  // namespace shoal::models
