#include "server/models/validate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace shoal::models {
namespace {

using testing::HasSubstr;

ModelVersion model_with_batches() {
  ModelVersion model;
  model.name = "m";
  model.version = 1;
  model.max_batch_size = 4;
  model.inputs = {{"X", DataType::kFp32, {-1, 8}, {"batch_size", ""}},
                  {"S", DataType::kBytes, {-1, 1}, {"batch_size", ""}}};
  model.outputs = {{"Y", DataType::kFp32, {-1, 2}, {"batch_size", ""}}, {"Z", DataType::kFp32, {-1}, {"batch_size"}}};
  return model;
}

std::vector<Tensor> good_inputs() {
  return {{"X", DataType::kFp32, {1, 8}, std::string(32, '\0')},
          {"S", DataType::kBytes, {1, 1}, std::string("\x02\0\0\0ab", 6)}};
}

TEST(Validate, AcceptsAGoodRequest) {
  const auto inputs = good_inputs();
  EXPECT_TRUE(validate(model_with_batches(), inputs, {}));
  const std::vector<std::string> outputs = {"Z", "Y"};
  EXPECT_TRUE(validate(model_with_batches(), inputs, outputs));
  EXPECT_EQ(batch_size_of(model_with_batches(), inputs), 1);
}

struct Case {
  const char* name;
  std::function<void(std::vector<Tensor>&, std::vector<std::string>&)> spoil;
  const char* message;
};

class ValidateRefuses : public testing::TestWithParam<Case> {};

TEST_P(ValidateRefuses, InTritonsWords) {
  auto inputs = good_inputs();
  std::vector<std::string> outputs;
  GetParam().spoil(inputs, outputs);
  const auto checked = validate(model_with_batches(), inputs, outputs);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Code::kInvalidArgument);
  EXPECT_THAT(checked.error().message, HasSubstr(GetParam().message));
}

const Case kCases[] = {
    {"missing", [](auto& in, auto&) { in.pop_back(); },
     "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['X'], but missing required input(s) ['S']. "
     "Please "
     "provide all required input(s)."},
    {"none", [](auto& in, auto&) { in.clear(); }, "Got input(s) [], but missing required input(s) ['X','S']"},
    {"extra", [](auto& in, auto&) { in.push_back({"Q", DataType::kFp32, {1}, "1234"}); },
     "unexpected inference input 'Q' for model 'm'"},
    {"renamed", [](auto& in, auto&) { in[1].name = "Q"; },
     "Got input(s) ['X','Q'], but missing required input(s) ['S']"},
    {"twice", [](auto& in, auto&) { in[1].name = "X"; }, "input 'X' already exists in request"},
    {"datatype", [](auto& in, auto&) { in[0].datatype = DataType::kInt32; },
     "inference input 'X' data-type is 'INT32', but model 'm' expects 'FP32'"},
    {"dimension", [](auto& in, auto&) { in[0].shape = {1, 7}; },
     "unexpected shape for input 'X' for model 'm'. Expected [-1,8], got [1,7]. NOTE: Setting a non-zero "
     "max_batch_size"},
    {"rank", [](auto& in, auto&) { in[0].shape = {8}; }, "Expected [-1,8], got [8]"},
    {"negative", [](auto& in, auto&) { in[0].shape = {-1, 8}; }, "input 'X' has a negative dimension"},
    {"overflow", [](auto& in, auto&) { in[0].shape = {INT64_MAX, 8}; },
     "causes total element count to exceed maximum size of"},
    {"batch",
     [](auto& in, auto&) {
       in = {{"X", DataType::kFp32, {5, 8}, std::string(160, '\0')},
             {"S", DataType::kBytes, {5, 1}, std::string(20, '\0')}};
     },
     "inference request batch-size must be <= 4 for 'm'"},
    {"no_rows", [](auto& in, auto&) { in = {{"X", DataType::kFp32, {0, 8}, ""}, {"S", DataType::kBytes, {0, 1}, ""}}; },
     "batch-size must be >= 1"},
    {"uneven", [](auto& in, auto&) { in[0] = {"X", DataType::kFp32, {2, 8}, std::string(64, '\0')}; },
     "input 'S' batch size does not match other inputs for 'm'"},
    {"bytes", [](auto& in, auto&) { in[0].data.resize(40); },
     "input byte size mismatch for input 'X' for model 'm'. Expected 32, got 40"},
    {"strings", [](auto& in, auto&) { in[1].data = std::string(8, '\0'); }, "expected 1 string elements"},
    {"cut_string", [](auto& in, auto&) { in[1].data = "ab"; }, "incomplete string length indicator"},
    {"output", [](auto&, auto& out) { out = {"X"}; }, "unexpected inference output 'X' for model 'm'"},
    {"output_twice", [](auto&, auto& out) { out = {"Y", "Y"}; }, "output 'Y' already exists in request"},
};
INSTANTIATE_TEST_SUITE_P(Requests, ValidateRefuses, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Validate, WithoutBatchesShapesAreTakenAsTheyAre) {
  ModelVersion model;
  model.name = "m";
  model.inputs = {{"X", DataType::kFp32, {-1, 2}, {"rows", ""}}, {"N", DataType::kInt64, {-1}, {""}, false}};
  model.outputs = {{"Y", DataType::kFp32, {-1}, {""}, false}};
  const std::vector<Tensor> inputs = {{"X", DataType::kFp32, {0, 2}, ""},
                                      {"N", DataType::kInt64, {1, 1, 1}, std::string(8, '\0')}};
  EXPECT_TRUE(validate(model, inputs, {}));
  EXPECT_EQ(batch_size_of(model, inputs), 1);
}

}  // namespace
}  // namespace shoal::models
