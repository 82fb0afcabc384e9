#include "server/models/config_support.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "inference/model_config.pb.h"
#include "server/models/model_config.hpp"
#include "server/models/model_parameters.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Status check(const std::string& text) {
  inference::ModelConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return check_supported(config);
}

TEST(ConfigSupport, WhatNothingIsDoneWithIsRefusedByItsName) {
  const std::pair<const char*, const char*> cases[] = {
      {"optimization { cuda { graphs: true } }", "optimization.cuda"},
      {"optimization { execution_accelerators { gpu_execution_accelerator { name: 'tensorrt' } } }",
       "optimization.execution_accelerators"},
      {"optimization { graph { level: 1 } }", "optimization.graph"},
      {"optimization { priority: PRIORITY_MAX }", "optimization.priority"},
      {"optimization { eager_batching: true }", "optimization.eager_batching"},
      {"ensemble_scheduling { step { model_name: 'a' } }", "ensemble_scheduling"},
      {"response_cache { enable: true }", "response_cache.enable"},
      {"model_metrics { metric_control {} }", "model_metrics"},
      {"model_repository_agents { agents { name: 'checksum' } }", "model_repository_agents"},
      {"model_operations { op_library_filename: 'a.so' }", "model_operations"},
      {"cc_model_filenames { key: '7.5' value: 'a' }", "cc_model_filenames"},
      {"runtime: 'a.so'", "runtime"},
      {"batch_input { target_name: 'a' }", "batch_input"},
      {"batch_output { target_name: 'a' }", "batch_output"},
      {"instance_group { rate_limiter { priority: 2 } }", "instance_group.rate_limiter"},
      {"instance_group { count: 1 } instance_group { passive: true }", "instance_group.passive"},
      {"instance_group { host_policy: 'a' }", "instance_group.host_policy"},
      {"instance_group { profile: 'a' }", "instance_group.profile"},
      {"instance_group { gpus: 1 }", "instance_group.gpus"},
      {"input { name: 'a' reshape { shape: 1 } }", "input.reshape"},
      {"input { name: 'a' optional: true }", "input.optional"},
      {"input { name: 'a' allow_ragged_batch: true }", "input.allow_ragged_batch"},
      {"output { name: 'a' is_shape_tensor: true }", "output.is_shape_tensor"},
  };
  for (const auto& [text, field] : cases) {
    const Status status = check(text);
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(status.error().param, field);
    EXPECT_EQ(status.error().message, std::string(field) + " is not supported");
  }
}

TEST(ConfigSupport, WhatIsDoneOrAsksForNothingPasses) {
  for (const char* text :
       {"", "name: 'm' platform: 'onnxruntime_onnx' backend: 'onnxruntime' max_batch_size: 4",
        "input { name: 'a' data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, -1 ] optional: false }",
        "output { name: 'a' label_filename: 'a.txt' } version_policy { all {} } metric_tags { key: 'a' value: 'b' }",
        "instance_group { name: 'a' count: 2 kind: KIND_CPU } dynamic_batching { preferred_batch_size: 2 }",
        "sequence_batching { oldest { max_candidate_sequences: 2 } } response_cache { enable: false }",
        "optimization { input_pinned_memory { enable: true } output_pinned_memory { enable: true } }",
        "parameters { key: 'a' value { string_value: 'b' } } model_warmup { name: 'a' batch_size: 1 }",
        "backend: 'echo' model_transaction_policy { decoupled: true } default_model_filename: 'a'"}) {
    const Status status = check(text);
    EXPECT_TRUE(status) << text << ": " << status.error().message;
  }
}

TEST(ConfigSupport, MetricTagsBecomeLabels) {
  const auto tags = [](const std::string& text) {
    inference::ModelConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    ModelVersion model;
    const Status status = apply_metric_tags(config, model);
    return status ? Result<decltype(model.metric_tags)>(model.metric_tags) : fail(status.error());
  };
  EXPECT_THAT(*tags("metric_tags { key: 'team' value: 'blue' } metric_tags { key: 'a_1' value: '' }"),
              ElementsAre(Pair("_a_1", ""), Pair("_team", "blue")));
  for (const char* bad : {"metric_tags { key: 'a-b' value: 'c' }", "metric_tags { key: '' value: 'c' }",
                          "metric_tags { key: 'a' value: 'b\\n' }", "metric_tags { key: 'a\"' value: 'b' }"}) {
    ASSERT_FALSE(tags(bad)) << bad;
    EXPECT_THAT(tags(bad).error().message, HasSubstr("metric_tags: the key"));
  }
  std::string many;
  for (int at = 0; at < 17; ++at) {
    many += "metric_tags { key: 'k" + std::to_string(at) + "' value: 'v' }";
  }
  EXPECT_THAT(tags(many).error().message, HasSubstr("17 tags, the limit is 16"));
}

}  // namespace
}  // namespace shoal::models
