#include "server/models/scheduling_config.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "inference/model_config.pb.h"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ModelVersion encoder() {
  ModelVersion model;
  model.inputs = {{"ids", DataType::kInt64, {-1, -1}, {"batch", "length"}, true}};
  model.outputs = {{"y", DataType::kFp32, {-1, 4}, {"batch", ""}, true}};
  model.max_batch_size = 8;
  return model;
}

Result<SchedulingConfig> read(const std::string& text, const ModelVersion& model = encoder()) {
  inference::ModelConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
  return read_scheduling(config, model);
}

TEST(SchedulingConfig, WithoutItOnlySentenceEncodersAreJoined) {
  EXPECT_EQ(read("")->max_rows, 1);
  EXPECT_EQ(read("")->priority_levels, 3U);
  EXPECT_EQ(read("")->default_priority, 2U);
  ModelVersion model = encoder();
  model.embedding = EmbeddingConfig{};
  EXPECT_EQ(read("", model)->max_rows, 8);
  EXPECT_FALSE(read("", model)->is_configured);
  model.outputs[0].datatype = DataType::kBytes;
  EXPECT_EQ(read("", model)->max_rows, 1) << "rows of BYTES are not of one size";
}

TEST(SchedulingConfig, ReadsEveryField) {
  const auto config = read(R"(dynamic_batching {
    preferred_batch_size: [ 8, 4, 4 ] max_queue_delay_microseconds: 500
    priority_levels: 2 default_priority_level: 1
    default_queue_policy { max_queue_size: 5 default_timeout_microseconds: 1000 allow_timeout_override: true }
    priority_queue_policy { key: 2 value { timeout_action: DELAY max_queue_size: 9 } } })");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->is_configured);
  EXPECT_EQ(config->max_rows, 8);
  EXPECT_THAT(config->preferred_rows, ElementsAre(4, 8));
  EXPECT_EQ(config->max_delay, std::chrono::microseconds(500));
  EXPECT_EQ(config->priority_levels, 2U);
  EXPECT_EQ(config->default_priority, 1U);
  EXPECT_EQ(config->default_policy.max_queue_size, 5U);
  EXPECT_EQ(config->default_policy.default_timeout, std::chrono::milliseconds(1));
  EXPECT_FALSE(config->default_policy.delays);
  EXPECT_TRUE(config->policies.at(2).delays);
  EXPECT_EQ(config->policies.at(2).max_queue_size, 9U);
}

TEST(SchedulingConfig, RefusesWithTheNameOfTheField) {
  const auto error = [](const std::string& fields) {
    const auto config = read("dynamic_batching {" + fields + "}");
    return config ? std::string() : config.error().message;
  };
  EXPECT_THAT(error("preferred_batch_size: 9"), HasSubstr("dynamic_batching.preferred_batch_size is 9"));
  EXPECT_THAT(error("preferred_batch_size: 0"), HasSubstr("preferred_batch_size is 0"));
  EXPECT_THAT(error("max_queue_delay_microseconds: 99999999999"), HasSubstr("max_queue_delay_microseconds"));
  EXPECT_THAT(error("preserve_ordering: true"), HasSubstr("preserve_ordering"));
  EXPECT_THAT(error("default_priority_level: 1"), HasSubstr("default_priority_level needs priority_levels"));
  EXPECT_THAT(error("priority_levels: 2"), HasSubstr("default_priority_level is 0"));
  EXPECT_THAT(error("priority_levels: 2 default_priority_level: 3"), HasSubstr("default_priority_level is 3"));
  EXPECT_THAT(error("priority_levels: 5000 default_priority_level: 3"), HasSubstr("priority_levels is 5000"));
  EXPECT_THAT(error("priority_queue_policy { key: 4 value {} }"), HasSubstr("priority_queue_policy[4]"));
  ModelVersion plain = encoder();
  plain.max_batch_size = 0;
  EXPECT_THAT(read("dynamic_batching {}", plain).error().message, HasSubstr("max_batch_size is 0"));
}

TEST(SchedulingConfig, PrioritiesHaveWords) {
  EXPECT_EQ(priority_of("high", 3), 1U);
  EXPECT_EQ(priority_of("medium", 3), 2U);
  EXPECT_EQ(priority_of("low", 3), 3U);
  EXPECT_EQ(priority_of("medium", 10), 5U);
  EXPECT_EQ(priority_of("low", 10), 10U);
  EXPECT_EQ(priority_of("urgent", 3), std::nullopt);
  const std::string low = "parameters { key: 'shoal_priority' value { string_value: 'low' } }";
  EXPECT_EQ(read(low)->default_priority, 3U);
  EXPECT_EQ(read(low + "dynamic_batching { priority_levels: 5 }")->default_priority, 5U);
  EXPECT_THAT(read(low + "dynamic_batching { priority_levels: 5 default_priority_level: 2 }").error().message,
              HasSubstr("leave one of them out"));
  EXPECT_THAT(read("parameters { key: 'shoal_priority' value { string_value: '1' } }").error().message,
              HasSubstr("it must be 'high', 'medium' or 'low'"));
}

TEST(SchedulingConfig, SequencesHaveTritonsDefaults) {
  EXPECT_FALSE(read("")->sequences);
  const auto config = read("sequence_batching {}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->max_rows, 1) << "their requests are not joined";
  EXPECT_EQ(config->sequences->idle, std::chrono::seconds(1));
  EXPECT_EQ(config->sequences->max_live, 4096U);
}

TEST(SchedulingConfig, ReadsSequences) {
  const auto config = read(R"(sequence_batching {
    max_sequence_idle_microseconds: 5000000 oldest { max_candidate_sequences: 3 } })");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->sequences->idle, std::chrono::seconds(5));
  EXPECT_EQ(config->sequences->max_live, 3U);
}

TEST(SchedulingConfig, RefusesWhatSequencesCannotBe) {
  const std::pair<std::string, std::string> wrong[] = {
      {"control_input { name: 'START' }", "control_input"},
      {"state { input_name: 's' }", "state"},
      {"iterative_sequence: true", "iterative_sequence"},
      {"oldest { preferred_batch_size: 4 }", "preferred_batch_size"},
      {"direct { minimum_slot_utilization: 0.5 }", "minimum_slot_utilization"},
      {"oldest { max_candidate_sequences: 5000 }", "max_candidate_sequences is 5000"},
      {"max_sequence_idle_microseconds: 86400000001", "max_sequence_idle_microseconds"},
  };
  for (const auto& [text, words] : wrong) {
    const auto config = read("sequence_batching { " + text + " }");
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, HasSubstr(words));
  }
}

}  // namespace
}  // namespace shoal::models
