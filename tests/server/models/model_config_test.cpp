#include "server/models/model_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/model_config.pb.h"
#include "server/models/model_parameters.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<Backend> kDefault = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};

GraphSignature graph() {
  return {.inputs = {{"ids", DataType::kInt64, {-1, -1}, {"batch_size", "sequence_length"}}},
          .outputs = {{"y", DataType::kFp32, {-1, -1, 4}, {"batch_size", "sequence_length", ""}}},
          .external = {}};
}

struct Applied {
  std::string error;
  ModelVersion model;
};

Applied apply(std::string_view text, GraphSignature signature = graph()) {
  auto parsed = parse_model_config(text, "config.pbtxt");
  if (!parsed) {
    return {parsed.error().message, {}};
  }
  Applied out;
  out.model.name = "m";
  const auto applied = apply_model_config(std::move(*parsed), std::move(signature), kDefault, out.model);
  out.error = applied ? "" : applied.error().message;
  return out;
}

TEST(ModelConfig, WithoutAFileTheGraphDecides) {
  const Applied applied = apply("");
  ASSERT_EQ(applied.error, "");
  const ModelVersion& model = applied.model;
  EXPECT_EQ(model.max_batch_size, kAutoBatchSize);
  EXPECT_EQ(model.platform, "onnxruntime_onnx");
  EXPECT_EQ(model.backends, kDefault);
  EXPECT_TRUE(model.webnn_buckets.empty());
  EXPECT_THAT(model.inputs[0].dims, ElementsAre(-1, -1));
  EXPECT_EQ(model.config->name(), "m");
  EXPECT_EQ(model.config->max_batch_size(), kAutoBatchSize);
  ASSERT_EQ(model.config->input_size(), 1);
  EXPECT_EQ(model.config->input(0).data_type(), inference::TYPE_INT64);
  EXPECT_THAT(model.config->input(0).dims(), ElementsAre(-1));
  EXPECT_THAT(model.config->output(0).dims(), ElementsAre(-1, 4));
}

TEST(ModelConfig, JoinsRowsOnlyAlongWhatIsCalledABatch) {
  GraphSignature sequence = graph();
  sequence.inputs[0].dim_names[0] = sequence.outputs[0].dim_names[0] = "sequence";
  EXPECT_EQ(apply("", sequence).model.max_batch_size, 0);
  GraphSignature two = graph();
  two.outputs[0].dim_names[0] = "image_batch_size";
  EXPECT_EQ(apply("", two).model.max_batch_size, 0);
  GraphSignature fixed = graph();
  fixed.inputs[0].dims[0] = 1;
  EXPECT_EQ(apply("", fixed).model.max_batch_size, 0);
  GraphSignature letter = graph();
  letter.inputs[0].dim_names[0] = letter.outputs[0].dim_names[0] = "N";
  EXPECT_EQ(apply("", letter).model.max_batch_size, kAutoBatchSize);
}

TEST(ModelConfig, AZeroThatIsWrittenStaysAZero) {
  const Applied applied = apply("max_batch_size: 0");
  EXPECT_EQ(applied.model.max_batch_size, 0);
  EXPECT_THAT(applied.model.config->input(0).dims(), ElementsAre(-1, -1));
  EXPECT_EQ(apply("max_batch_size: 8").model.max_batch_size, 8);
}

TEST(ModelConfig, ServesOnnxUnderTwoBackendNames) {
  EXPECT_EQ(apply("").model.config->backend(), "shoal");
  EXPECT_EQ(apply("platform: 'onnxruntime_onnx' backend: 'shoal'").error, "");
  EXPECT_EQ(apply("backend: 'onnxruntime'").model.config->backend(), "onnxruntime");
}

TEST(ModelConfig, DimsNarrowTheGraph) {
  const Applied applied = apply("input [{ name: 'ids' data_type: TYPE_INT64 dims: [ 16 ] }]");
  ASSERT_EQ(applied.error, "");
  EXPECT_THAT(applied.model.inputs[0].dims, ElementsAre(-1, 16));
  EXPECT_THAT(applied.model.inputs[0].dim_names, ElementsAre("batch_size", ""));
  EXPECT_EQ(apply("max_batch_size: 0 input { name: 'ids' dims: [ 2, -1 ] }").error, "");
}

TEST(ModelConfig, ReadsShoalsParameters) {
  const Applied applied = apply(R"(parameters { key: "shoal_backend" value { string_value: "webgpu, wasm" } }
    parameters { key: "shoal_buckets" value { string_value: "batch_size=1; sequence_length=32,128" } }
    parameters { key: "shoal_embedding" value { string_value: "off" } }
    parameters { key: "mine" value { string_value: "x" } })");
  ASSERT_EQ(applied.error, "");
  EXPECT_THAT(applied.model.backends, ElementsAre(Backend::kWebgpu, Backend::kWasm));
  EXPECT_EQ(applied.model.webnn_buckets, (Buckets{{"batch_size", {1}}, {"sequence_length", {32, 128}}}));
  EXPECT_TRUE(is_embedding_off(*applied.model.config));
}

TEST(ModelConfig, ReadsWhereItsGraphsStayAndWhatMayWait) {
  const Applied applied = apply(R"(parameters { key: "shoal_pinned" value { string_value: "true" } }
    parameters { key: "shoal_min_resident" value { string_value: "2" } }
    parameters { key: "shoal_max_queue_bytes" value { string_value: "1048576" } }
    parameters { key: "shoal_family" value { string_value: "vision" } })");
  ASSERT_EQ(applied.error, "");
  EXPECT_TRUE(applied.model.residency.is_pinned);
  EXPECT_EQ(applied.model.residency.min_resident, 2U);
  EXPECT_EQ(applied.model.residency.max_workers, 0U);
  EXPECT_EQ(applied.model.max_queue_bytes, 1U << 20);
  EXPECT_EQ(applied.model.family, Family::kVision);
  EXPECT_FALSE(applied.model.has_own_order);
  EXPECT_TRUE(apply("parameters { key: 'shoal_backend' value { string_value: 'wasm' } }").model.has_own_order);
}

TEST(ModelConfig, TheFamilyIsThatOfTheInputsWhereTheyLeaveNoDoubt) {
  const auto family = [](std::vector<std::string> names) {
    GraphSignature signature = graph();
    signature.inputs.clear();
    for (const std::string& name : names) {
      signature.inputs.push_back({name, DataType::kInt64, {-1, -1}, {"batch_size", "sequence_length"}});
    }
    return apply("", std::move(signature)).model.family;
  };
  EXPECT_EQ(family({"ids"}), std::nullopt);
  EXPECT_EQ(family({"input_ids", "attention_mask"}), Family::kText);
  EXPECT_EQ(family({"pixel_values"}), Family::kVision);
  EXPECT_EQ(family({"input_features"}), Family::kAudio);
  EXPECT_EQ(family({"input_values"}), Family::kAudio);
  EXPECT_EQ(family({"pixel_values", "input_ids"}), Family::kMultimodal);
}

TEST(InstanceGroups, AreTheNumberOfWorkers) {
  EXPECT_EQ(apply("instance_group { count: 2 }").model.residency.max_workers, 2U);
  EXPECT_EQ(apply("instance_group { }").model.residency.max_workers, 1U) << "Triton's default";
  const ModelVersion two = apply("instance_group { count: 2 kind: KIND_GPU } instance_group { kind: KIND_GPU }").model;
  EXPECT_EQ(two.residency.max_workers, 3U);
  EXPECT_THAT(two.backends, ElementsAre(Backend::kWebgpu, Backend::kWasm, Backend::kWebnn));
  EXPECT_TRUE(two.has_own_order);
  EXPECT_EQ(apply("instance_group { kind: KIND_CPU }").model.backends.front(), Backend::kWasm);
  const ModelVersion named = apply(R"(instance_group { kind: KIND_CPU }
    parameters { key: "shoal_backend" value { string_value: "webgpu,wasm" } })")
                                 .model;
  EXPECT_EQ(named.backends.front(), Backend::kWebgpu) << "the configuration names them";
}

TEST(InstanceGroups, WhatIsNotServedIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"instance_group { count: -1 }", "instance_group[0].count: it is -1"},
      {"instance_group { kind: KIND_MODEL }", "instance_group[0].kind"},
      {"instance_group { kind: KIND_CPU } instance_group { kind: KIND_GPU }", "instance_group[1].kind"},
      {"instance_group { gpus: 0 }", "instance_group.gpus is not supported"},
      {"instance_group { profile: 'x' }", "instance_group.profile is not supported"},
      {"instance_group { passive: true }", "instance_group.passive is not supported"},
      {"instance_group { host_policy: 'x' }", "instance_group.host_policy is not supported"},
      {"instance_group { rate_limiter { } }", "instance_group.rate_limiter is not supported"},
      {"instance_group { secondary_devices { } }", "instance_group.secondary_devices is not supported"},
      {"instance_group { } parameters { key: 'shoal_min_resident' value { string_value: '2' } }",
       "shoal_min_resident is 2, instance_group has only 1 workers"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(apply(text).error, HasSubstr(message)) << text;
  }
}

TEST(ModelConfig, ErrorsNameFileLineAndKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"name: 'm'\nmax_batch: 3",
       "config.pbtxt:2:10: Message type \"inference.ModelConfig\" has no field named \"max_batch\""},
      {"max_batch_size: 'x'", "config.pbtxt:1:17: Expected integer"},
      {"input [{ name: 'ids'", "config.pbtxt:1:"},
      {"max_batch_size: 1\nmax_batch_size: 2", "config.pbtxt:2"},
      {"max_batch_size: -1", "must be >= 0"},
      {"max_batch_size: 99999999999", "out of range"},
      {"ensemble_scheduling {}", "ensemble_scheduling is not supported"},
      {"model_transaction_policy { decoupled: true }", "only models of the echo backend may be decoupled"},
      {"platform: 'tensorrt_plan'", "platform 'tensorrt_plan'"},
      {"backend: 'python'", "backend 'python'"},
      {"input { name: 'nothing' }", "input 'nothing' is not in the graph"},
      {"output { name: 'y' data_type: TYPE_FP16 }", "data_type is TYPE_FP16, the graph has TYPE_FP32"},
      {"output { name: 'y' dims: [ 1, 2, 3 ] }", "do not fit the graph's [-1,-1,4]"},
      {"output { name: 'y' dims: [ -1, 5 ] }", "do not fit"},
      {"input { name: 'ids' reshape { shape: 1 } }", "reshape is not supported"},
      {"parameters { key: 'shoal_backend' value { string_value: 'cuda' } }", "names out of wasm, webgpu, webnn"},
      {"parameters { key: 'shoal_backend' value { string_value: 'wasm,wasm' } }", "each once"},
      {"parameters { key: 'shoal_buckets' value { string_value: 'time=1' } }", "no input has a dimension 'time'"},
      {"parameters { key: 'shoal_buckets' value { string_value: 'batch_size=2,1' } }", "ascending"},
      {"parameters { key: 'shoal_buckets' value { string_value: 'batch_size' } }", "dimension=size,size"},
      {"parameters { key: 'shoal_embedding' value { string_value: 'on' } }", "'auto' or 'off'"},
      {"parameters { key: 'shoal_family' value { string_value: 'txt' } }",
       "shoal_family is 'txt', it must be 'text', 'vision', 'audio' or 'multimodal'"},
      {"parameters { key: 'shoal_pinned' value { string_value: 'yes' } }", "shoal_pinned is 'yes', it must be 'true'"},
      {"parameters { key: 'shoal_min_resident' value { string_value: '-1' } }", "shoal_min_resident is '-1'"},
      {"parameters { key: 'shoal_max_queue_bytes' value { string_value: '0' } }", "shoal_max_queue_bytes is '0'"},
      {"parameters { key: 'shoal_bakend' value { string_value: 'wasm' } }", "unknown key 'shoal_bakend'"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(apply(text).error, HasSubstr(message)) << text;
  }
}

TEST(ModelConfig, BatchesNeedAnOpenFirstDimension) {
  GraphSignature fixed = graph();
  fixed.inputs[0].dims[0] = 1;
  EXPECT_THAT(apply("max_batch_size: 4", fixed).error,
              HasSubstr("needs a graph whose tensors start with an open batch"));
}

TEST(ModelConfig, DeepAndHugeTextsAreRefused) {
  std::string deep;
  for (int level = 0; level < 50'000; ++level) {
    deep += "optimization{";
  }
  EXPECT_NE(apply(deep).error, "");
  EXPECT_THAT(apply(std::string(kMaxConfigBytes + 1, ' ')).error, HasSubstr("the limit is"));
}

}  // namespace
}  // namespace shoal::models
