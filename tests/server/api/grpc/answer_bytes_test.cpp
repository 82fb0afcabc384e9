// What is written by hand is what protobuf would read and write.
#include "server/api/grpc/answer_bytes.hpp"

#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include "inference/service.pb.h"
#include "server/api/grpc/infer_messages.hpp"

namespace shoal::api::grpc {
namespace {

using google::protobuf::util::MessageDifferencer;

models::ModelVersion model() {
  models::ModelVersion made;
  made.name = "m";
  made.version = 12;
  return made;
}

dispatch::InferenceResponse response(std::size_t bytes) {
  dispatch::InferenceResponse made;
  made.backend = "webgpu";
  made.worker = std::string(200, 'w');
  made.variant = "default";
  made.bits = 8;
  made.attempts = 3;
  made.nodes = {{"wasm", 3}, {"webgpu", 70}};
  made.timing.queue_us = std::uint64_t{1} << 40;
  made.outputs.push_back({.name = "a", .datatype = DataType::kFp32, .shape = {1, 300, 0}, .data = {}});
  made.outputs.push_back({.name = "scalar", .datatype = DataType::kInt8, .shape = {}, .data = "x"});
  made.outputs.push_back(
      {.name = "big", .datatype = DataType::kUint8, .shape = {1 << 20}, .data = std::string(bytes, '\xff')});
  made.outputs.push_back({.name = "last", .datatype = DataType::kBytes, .shape = {1}, .data = "tail"});
  return made;
}

TEST(AnswerBytes, AreThoseOfTheMessage) {
  for (const std::size_t bytes : {0U, 1U, 127U, 128U, 4095U, 4096U, 1U << 20U}) {
    for (const char* id : {"", "an id"}) {
      inference::ModelInferResponse expected;
      fill_answer(model(), id, response(bytes), expected);
      auto written = answer_bytes(model(), id, response(bytes));
      ASSERT_TRUE(written);
      EXPECT_EQ(written->Length(), expected.ByteSizeLong());
      inference::ModelInferResponse read;
      ASSERT_TRUE(::grpc::SerializationTraits<inference::ModelInferResponse>::Deserialize(&*written, &read).ok());
      EXPECT_TRUE(MessageDifferencer::Equals(read, expected)) << bytes << "\n"
                                                              << read.ShortDebugString().substr(0, 2000);
    }
  }
}

TEST(AnswerBytes, TimesAreThereEvenWhenTheyAreNothing) {
  inference::ModelInferResponse expected;
  fill_answer(model(), "", {}, expected);
  auto written = answer_bytes(model(), "", {});
  ASSERT_TRUE(written);
  inference::ModelInferResponse read;
  ASSERT_TRUE(::grpc::SerializationTraits<inference::ModelInferResponse>::Deserialize(&*written, &read).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(read, expected));
  EXPECT_TRUE(read.parameters().at("shoal_queue_us").has_int64_param());
}

}  // namespace
}  // namespace shoal::api::grpc
