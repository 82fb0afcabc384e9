#include "server/models/onnx_signature.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<GraphSignature> read(const onnx::ModelProto& model) {
  const std::string bytes = bytes_of(model);
  return read_onnx_signature(as_bytes(bytes));
}

TEST(OnnxSignature, ReadsNamesTypesAndDimensions) {
  const auto signature = read(make_model(
      {{"x", onnx::TensorProto::FLOAT16, {"batch_size", "3", ""}}, {"scalar", onnx::TensorProto::STRING, {}}},
      {{"y", onnx::TensorProto::BFLOAT16, {"n + 1"}}}));
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_EQ(signature->ir_version, 8);
  EXPECT_EQ(signature->opset, 17);
  ASSERT_EQ(signature->inputs.size(), 2U);
  EXPECT_EQ(signature->inputs[0].name, "x");
  EXPECT_EQ(signature->inputs[0].datatype, DataType::kFp16);
  EXPECT_THAT(signature->inputs[0].dims, ElementsAre(-1, 3, -1));
  EXPECT_THAT(signature->inputs[0].dim_names, ElementsAre("batch_size", "", ""));
  EXPECT_EQ(signature->inputs[1].datatype, DataType::kBytes);
  EXPECT_TRUE(signature->inputs[1].dims.empty());
  EXPECT_TRUE(signature->inputs[1].has_rank);
  EXPECT_THAT(signature->outputs[0].dim_names, ElementsAre("n + 1"));
  EXPECT_EQ(signature->outputs[0].datatype, DataType::kBf16);
}

TEST(OnnxSignature, KnowsEveryTypeThatKServeHas) {
  const std::vector<std::pair<int, DataType>> pairs = {
      {onnx::TensorProto::BOOL, DataType::kBool},     {onnx::TensorProto::UINT8, DataType::kUint8},
      {onnx::TensorProto::UINT16, DataType::kUint16}, {onnx::TensorProto::UINT32, DataType::kUint32},
      {onnx::TensorProto::UINT64, DataType::kUint64}, {onnx::TensorProto::INT8, DataType::kInt8},
      {onnx::TensorProto::INT16, DataType::kInt16},   {onnx::TensorProto::INT32, DataType::kInt32},
      {onnx::TensorProto::INT64, DataType::kInt64},   {onnx::TensorProto::FLOAT16, DataType::kFp16},
      {onnx::TensorProto::FLOAT, DataType::kFp32},    {onnx::TensorProto::DOUBLE, DataType::kFp64},
      {onnx::TensorProto::STRING, DataType::kBytes},  {onnx::TensorProto::BFLOAT16, DataType::kBf16}};
  for (const auto& [type, expected] : pairs) {
    EXPECT_EQ(read(make_model({{"x", type, {"1"}}}, {{"y", type, {}}}))->inputs[0].datatype, expected);
  }
  EXPECT_THAT(read(make_model({{"x", onnx::TensorProto::COMPLEX64, {}}}, {})).error().message,
              HasSubstr("input 'x' has the ONNX element type 14"));
}

TEST(OnnxSignature, InitialisersAreNoInputs) {
  auto model = two_inputs();
  model.mutable_graph()->add_initializer()->set_name("ids");
  add_value(*model.mutable_graph()->add_input(), "sparse", onnx::TensorProto::FLOAT, {"4"});
  model.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("sparse");
  const auto signature = read(model);
  ASSERT_TRUE(signature);
  ASSERT_EQ(signature->inputs.size(), 1U);
  EXPECT_EQ(signature->inputs[0].name, "x");
}

TEST(OnnxSignature, FindsExternalDataInSubgraphsToo) {
  auto model = two_inputs();
  const auto make_external = [](onnx::TensorProto& tensor, const std::string& file) {
    tensor.set_name("w");
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    auto& offset = *tensor.add_external_data();
    offset.set_key("offset");
    offset.set_value("0");
    auto& location = *tensor.add_external_data();
    location.set_key("location");
    location.set_value(file);
  };
  make_external(*model.mutable_graph()->add_initializer(), "a.data");
  make_external(*model.mutable_graph()->add_initializer(), "a.data");
  auto& branch = *model.mutable_graph()->add_node()->add_attribute()->mutable_g();
  make_external(*branch.add_initializer(), "b.data");
  make_external(*branch.add_node()->add_attribute()->mutable_t(), "c.data");
  EXPECT_THAT(read(model)->external, ElementsAre("a.data", "b.data", "c.data"));
  model.mutable_graph()->add_initializer()->set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_THAT(read(model).error().message, HasSubstr("names no file"));
}

TEST(OnnxSignature, UnknownRankAndNonTensors) {
  auto model = two_inputs();
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  const auto signature = read(model);
  EXPECT_FALSE(signature->outputs[0].has_rank);
  EXPECT_THAT(signature->outputs[0].dims, ElementsAre(-1));
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_sequence_type();
  EXPECT_THAT(read(model).error().message, HasSubstr("output 'y' is not a tensor"));
}

TEST(OnnxSignature, RefusesGarbage) {
  for (const std::string& bytes : {std::string(), std::string("not a model"), std::string(1000, '\xFF'),
                                   std::string(1000, '\0'), std::string("\x3A\x05"), std::string("\x3A\x00", 2)}) {
    const auto signature = read_onnx_signature(as_bytes(bytes));
    ASSERT_FALSE(signature);
    EXPECT_EQ(signature.error().code, Code::kInvalidArgument);
    EXPECT_THAT(signature.error().message, HasSubstr("not a usable ONNX model"));
  }
}

TEST(OnnxSignature, EveryTruncationIsAnErrorOrAShorterModel) {
  auto model = two_inputs();
  model.mutable_graph()->add_initializer()->set_raw_data(std::string(64, 'w'));
  const std::string bytes = bytes_of(model);
  int accepted = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    accepted += read_onnx_signature(as_bytes(std::string_view(bytes).substr(0, size))) ? 1 : 0;
  }
  // The opset import follows the graph, and a model without it still has a signature.
  EXPECT_LE(accepted, 1);
}

TEST(OnnxSignature, DeepSubgraphsAreRefused) {
  onnx::GraphProto graph;
  for (int depth = 0; depth < 60; ++depth) {
    onnx::GraphProto outer;
    outer.add_node()->add_attribute()->mutable_g()->Swap(&graph);
    graph.Swap(&outer);
  }
  auto model = two_inputs();
  model.mutable_graph()->mutable_node()->Swap(graph.mutable_node());
  EXPECT_THAT(read(model).error().message, HasSubstr("nested too deep"));
}

TEST(OnnxSignature, FilesThatAreNotThere) {
  const TempFolder folder;
  EXPECT_EQ(read_onnx_signature(folder.path() / "none.onnx").error().code, Code::kNotFound);
  EXPECT_FALSE(read_onnx_signature(folder.path()));
}

// The fixtures write every signature down beside the graph, as native onnxruntime saw it after its shape inference:
// there an output may be fixed where the file itself only has a symbol.
void compare(const std::vector<TensorSignature>& tensors, const nlohmann::json& expected, bool is_input,
             const std::string& where) {
  const std::map<std::string, DataType> types = {
      {"tensor(int64)", DataType::kInt64}, {"tensor(float)", DataType::kFp32}, {"tensor(bool)", DataType::kBool}};
  EXPECT_EQ(tensors.size(), expected.size()) << where;
  for (const TensorSignature& tensor : tensors) {
    const std::string place = where + " " + tensor.name;
    ASSERT_TRUE(expected.contains(tensor.name)) << place;
    const auto& row = expected[tensor.name];
    EXPECT_EQ(tensor.datatype, types.at(row[0])) << place;
    ASSERT_EQ(tensor.dims.size(), row[1].size()) << place;
    for (std::size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      if (row[1][axis].is_number() && (is_input || tensor.dims[axis] >= 0)) {
        EXPECT_EQ(tensor.dims[axis], row[1][axis].get<std::int64_t>()) << place << " " << axis;
      } else {
        EXPECT_EQ(tensor.dims[axis], -1) << place << " " << axis;
        EXPECT_TRUE(!is_input || row[1][axis] == tensor.dim_names[axis]) << place << " " << axis;
      }
    }
  }
}

// cases.json has NaN in places, which JSON does not.
nlohmann::json read_cases(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (std::size_t at = text.find(": NaN"); at != std::string::npos; at = text.find(": NaN", at)) {
    text.replace(at, 5, ": null");
  }
  return nlohmann::json::parse(text);
}

TEST(OnnxSignature, EqualsWhatTheFixturesSay) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(fixtures) / "models")) {
    if (!std::filesystem::exists(entry.path() / "onnx")) {
      continue;
    }
    const auto cases = read_cases(entry.path() / "reference" / "cases.json");
    for (const auto& file : std::filesystem::directory_iterator(entry.path() / "onnx")) {
      const std::string where = entry.path().filename().string() + "/" + file.path().filename().string();
      const auto signature = read_onnx_signature(file.path());
      ASSERT_TRUE(signature) << where << ": " << signature.error().message;
      const std::string name = file.path().filename().string();
      ASSERT_TRUE(cases["onnx"].contains(name)) << where;
      compare(signature->inputs, cases["onnx"][name]["inputs"], true, where);
      compare(signature->outputs, cases["onnx"][name]["outputs"], false, where);
      ++count;
    }
  }
  EXPECT_GE(count, 34);
}

}  // namespace
}  // namespace shoal::models
