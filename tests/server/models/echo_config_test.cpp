#include "server/models/echo_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/model_config.pb.h"
#include "server/models/repository.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

constexpr std::string_view kTwo = R"(
  backend: "echo"
  max_batch_size: 8
  input [{ name: "x" data_type: TYPE_FP32 dims: [-1, 3] }, { name: "text" data_type: TYPE_STRING dims: [1] }]
  output [{ name: "text" data_type: TYPE_STRING dims: [1] }, { name: "y" data_type: TYPE_STRING dims: [1] }]
)";

class EchoConfigTest : public testing::Test {
 protected:
  ModelPtr read(std::string_view config, bool has_echo = true) {
    std::filesystem::create_directories(folder_.path() / "models/m/1");
    folder_.write("models/m/config.pbtxt", config);
    Repository repository({.root = folder_.path() / "models", .store = {}, .has_echo = has_echo}, Log::discard());
    return repository.read("m").value().front();
  }
  std::string refusal(std::string_view config) {
    const ModelPtr model = read(config);
    EXPECT_FALSE(model->is_ready()) << config;
    return model->load_error.message;
  }
  TempFolder folder_;
};

TEST_F(EchoConfigTest, AFolderWithoutAGraphIsServed) {
  const ModelPtr model = read(kTwo);
  ASSERT_TRUE(model->is_ready()) << model->load_error.message;
  EXPECT_EQ(model->platform, "shoal_echo");
  EXPECT_THAT(model->backends, ElementsAre(Backend::kEcho));
  EXPECT_EQ(model->max_batch_size, 8);
  EXPECT_EQ(model->input("x")->dims, (Shape{-1, -1, 3}));
  EXPECT_EQ(model->config->platform(), "shoal_echo");
  EXPECT_EQ(model->config->backend(), "echo");
  // By name where there is one, else by place.
  EXPECT_THAT(model->echo->outputs, ElementsAre(Pair("text", "text"), Pair("y", "text")));
  EXPECT_EQ(model->echo->instances, 1U);
  EXPECT_EQ(model->echo->delay, Duration{});
  EXPECT_THAT(blobs_of(*model), SizeIs(0));  // nothing that a browser could fetch
}

TEST_F(EchoConfigTest, DelaysAndInstances) {
  const ModelPtr model = read(std::string(kTwo) + R"(
    parameters { key: "echo_delay_us" value { string_value: "2000" } }
    parameters { key: "echo_delay_per_row_us" value { string_value: "30" } }
    instance_group [{ count: 3 }, { count: 2 }])");
  ASSERT_TRUE(model->is_ready()) << model->load_error.message;
  EXPECT_EQ(model->echo->delay, std::chrono::milliseconds(2));
  EXPECT_EQ(model->echo->delay_per_row, std::chrono::microseconds(30));
  EXPECT_EQ(model->echo->instances, 5U);
}

TEST_F(EchoConfigTest, SeveralResponsesWhereItIsDecoupled) {
  const std::string decoupled = std::string(kTwo) + "model_transaction_policy { decoupled: true }";
  const ModelPtr one = read(decoupled);
  ASSERT_TRUE(one->is_ready()) << one->load_error.message;
  EXPECT_TRUE(one->is_decoupled);
  EXPECT_TRUE(one->config->model_transaction_policy().decoupled());
  EXPECT_EQ(one->echo->responses, 1U);
  EXPECT_FALSE(read(kTwo)->is_decoupled);
  const ModelPtr none = read(decoupled + R"(parameters { key: "echo_responses" value { string_value: "0" } })");
  EXPECT_EQ(none->echo->responses, 0U);
  const ModelPtr many = read(decoupled + R"(parameters { key: "echo_responses" value { string_value: "4096" } }
                                            parameters { key: "echo_gap_us" value { string_value: "1500" } })");
  EXPECT_EQ(many->echo->responses, 4096U);
  EXPECT_EQ(many->echo->gap, std::chrono::microseconds(1500));
}

TEST_F(EchoConfigTest, SumsOverSequencesOfNumbers) {
  const std::string sums = R"(parameters { key: "echo_accumulate" value { string_value: "true" } })";
  const std::string sequences = "sequence_batching { max_sequence_idle_microseconds: 2000000 }";
  const ModelPtr model = read(std::string(kTwo) + sequences + sums);
  ASSERT_FALSE(model->is_ready()) << "one input is of BYTES";
  EXPECT_THAT(model->load_error.message, HasSubstr("of which there are no sums"));
  const std::string number = R"(backend: "echo" input { name: "x" data_type: TYPE_INT8 dims: [-1] }
                                output { name: "x" data_type: TYPE_INT8 dims: [-1] })";
  const ModelPtr sound = read(number + sequences + sums);
  ASSERT_TRUE(sound->is_ready()) << sound->load_error.message;
  EXPECT_TRUE(sound->echo->accumulates);
  EXPECT_EQ(sound->scheduling.sequences->idle, std::chrono::seconds(2));
  EXPECT_FALSE(read(number + sequences)->echo->accumulates);
  EXPECT_THAT(refusal(number + sums), HasSubstr("echo_accumulate needs sequence_batching"));
}

TEST_F(EchoConfigTest, AnotherConfigurationIsAnotherModel) {
  const std::string first = read(kTwo)->graph.sha256;
  EXPECT_THAT(first, SizeIs(64));
  EXPECT_EQ(read(kTwo)->graph.sha256, first);
  EXPECT_NE(read(std::string(kTwo) + "instance_group [{ count: 3 }]")->graph.sha256, first);
}

TEST_F(EchoConfigTest, JoinsWhereItIsTold) {
  const ModelPtr model = read(R"(backend: "echo" max_batch_size: 4 dynamic_batching { }
    input { name: "x" data_type: TYPE_FP32 dims: [1] } output { name: "x" data_type: TYPE_FP32 dims: [1] })");
  ASSERT_TRUE(model->is_ready()) << model->load_error.message;
  EXPECT_EQ(model->scheduling.max_rows, 4);
  EXPECT_EQ(read(kTwo)->scheduling.max_rows, 1);
}

TEST_F(EchoConfigTest, WithoutTheFlagItIsNotServed) {
  const ModelPtr model = read(kTwo, false);
  EXPECT_FALSE(model->is_ready());
  EXPECT_EQ(model->load_error.code, Code::kUnavailable);
  EXPECT_THAT(model->load_error.message, HasSubstr("echo.workers"));
}

TEST_F(EchoConfigTest, WhatCannotBeIsRefusedByName) {
  const std::string start = R"(backend: "echo" )";
  const std::string x = R"(input { name: "x" data_type: TYPE_FP32 dims: [1] } )";
  const std::string y = R"(output { name: "y" data_type: TYPE_FP32 dims: [1] } )";
  EXPECT_THAT(refusal(start), HasSubstr("input"));
  EXPECT_THAT(refusal(start + x), HasSubstr("output"));
  EXPECT_THAT(refusal(start + x + x + y), HasSubstr("input 'x': a name is given to each, and once"));
  EXPECT_THAT(refusal(start + R"(input { name: "x" dims: [1] } )" + y), HasSubstr("data_type is missing"));
  EXPECT_THAT(refusal(start + R"(input { name: "x" data_type: TYPE_FP32 } )" + y), HasSubstr("dims are missing"));
  EXPECT_THAT(refusal(start + R"(input { name: "x" data_type: TYPE_FP32 dims: [0] } )" + y), HasSubstr("is 0"));
  EXPECT_THAT(refusal(start + x + y + R"(output { name: "z" data_type: TYPE_FP32 dims: [1] })"),
              HasSubstr("output 'z': no input has its name"));
  EXPECT_THAT(refusal(start + x + R"(output { name: "y" data_type: TYPE_INT8 dims: [1] })"),
              HasSubstr("output 'y' gives back input 'x'"));
  const auto parameter = [&](const std::string& key, const std::string& value) {
    return refusal(start + x + y + "parameters { key: '" + key + "' value { string_value: '" + value + "' } }");
  };
  EXPECT_THAT(parameter("echo_delay_us", "-1"), HasSubstr("echo_delay_us is '-1'"));
  EXPECT_THAT(parameter("echo_delay_us", "60000001"), HasSubstr("60000000"));
  EXPECT_THAT(parameter("echo_gap_us", "x"), HasSubstr("echo_gap_us is 'x', it must be microseconds"));
  EXPECT_THAT(parameter("echo_responses", "4097"), HasSubstr("echo_responses is '4097', it must be a number from 0"));
  for (const char* count : {"0", "2"}) {
    EXPECT_THAT(parameter("echo_responses", count),
                HasSubstr("echo_responses is " + std::string(count) +
                          ", another number than 1 needs model_transaction_policy { decoupled: true }"));
  }
  EXPECT_THAT(parameter("echo_nothing", "1"), HasSubstr("unknown key 'echo_nothing'"));
  EXPECT_THAT(parameter("shoal_backend", "wasm"), HasSubstr("not for the echo backend"));
  EXPECT_THAT(refusal(start + x + y + "instance_group { count: 2000 }"), HasSubstr("2000 instances"));
  EXPECT_THAT(refusal(start + x + y + "platform: 'onnxruntime_onnx'"), HasSubstr("platform"));
}

}  // namespace
}  // namespace shoal::models
