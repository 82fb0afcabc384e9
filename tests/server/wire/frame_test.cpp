#include "server/wire/frame.hpp"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace shoal::wire {
namespace {

using agent::v1::Envelope;

Envelope chunk_of(std::uint64_t work_id) {
  Envelope envelope;
  envelope.set_work_id(work_id);
  envelope.mutable_chunk();
  return envelope;
}

TEST(FrameTest, TheHeaderCommentsExampleIsTrue) {
  const std::string frame = encode_frame(chunk_of(7), "ab");
  EXPECT_EQ(frame, std::string("\x05\x00\x00\x00\x08\x07\x82\x02\x00"
                               "ab",
                               11));
}

TEST(FrameTest, RoundTrip) {
  const std::string payload(kMaxChunkBytes, 'x');
  const std::string message = encode_frame(chunk_of(1ULL << 60), payload);
  const Result<Frame> frame = decode_frame(message);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->envelope.work_id(), 1ULL << 60);
  EXPECT_TRUE(frame->envelope.has_chunk());
  EXPECT_EQ(frame->payload, payload);
}

TEST(FrameTest, CutAnywhereItIsAnErrorOrAShorterPayload) {
  const std::string message = encode_frame(chunk_of(300), "abcdef");
  const std::size_t header_end = message.size() - 6;
  for (std::size_t size = 0; size < message.size(); ++size) {
    const std::string cut = message.substr(0, size);
    const Result<Frame> frame = decode_frame(cut);
    EXPECT_EQ(frame.has_value(), size >= header_end) << size;
    if (!frame) {
      EXPECT_EQ(frame.error().code, Code::kInvalidArgument);
    }
  }
}

TEST(FrameTest, LengthsAreBounded) {
  EXPECT_FALSE(decode_frame(std::string(4, '\0')));
  EXPECT_FALSE(decode_frame(std::string(64, '\xFF')));
  std::string large = encode_frame(chunk_of(1));
  large.append(kMaxChunkBytes + 1, 'x');
  EXPECT_FALSE(decode_frame(large));
}

TEST(FrameTest, APayloadNeedsABodyThatHasOne) {
  Envelope heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(1);
  EXPECT_TRUE(decode_frame(encode_frame(heartbeat)));
  EXPECT_FALSE(decode_frame(encode_frame(heartbeat) + "x"));
}

std::string joined(const std::vector<std::string>& frames) {
  std::string payload;
  for (const std::string& frame : frames) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    payload.append(reinterpret_cast<const char*>(&size), sizeof(size));
    payload += frame;
  }
  Envelope envelope;
  envelope.mutable_frames();
  return encode_frame(envelope, payload);
}

TEST(FrameTest, FramesHoldFramesAndNothingElse) {
  const std::string one = encode_frame(chunk_of(1), "ab");
  const std::string two = encode_frame(chunk_of(2), "cde");
  const std::string message = joined({one, two});
  const Result<Frame> outer = decode_frame(message);
  ASSERT_TRUE(outer);
  ASSERT_TRUE(outer->envelope.has_frames());
  const auto inner = frames_within(outer->payload);
  ASSERT_TRUE(inner);
  ASSERT_EQ(inner->size(), 2U);
  EXPECT_EQ(inner->at(0).payload, "ab");
  EXPECT_EQ(inner->at(1).envelope.work_id(), 2U);
  EXPECT_EQ(inner->at(1).payload, "cde");
  for (std::size_t size = 1; size < outer->payload.size(); ++size) {
    const bool is_whole_frame = size == sizeof(std::uint32_t) + one.size();
    EXPECT_EQ(frames_within(outer->payload.substr(0, size)).has_value(), is_whole_frame) << size;
  }
  EXPECT_FALSE(frames_within(decode_frame(joined({joined({one})}))->payload)) << "frames within frames";
  EXPECT_TRUE(frames_within("")->empty());
}

TEST(FrameTest, AnEnvelopeWithoutBodyIsRefused) {
  Envelope empty;
  empty.set_work_id(5);
  EXPECT_FALSE(decode_frame(encode_frame(empty)));
}

TEST(FrameTest, BadUtf8IsRefused) {
  Envelope hello;
  hello.mutable_hello()->set_slot("ab");
  std::string message = encode_frame(hello);
  message[message.size() - 1] = '\xFF';
  EXPECT_FALSE(decode_frame(message));
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t index = 0; index + 1 < text.size(); index += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(index, 2), nullptr, 16));
  }
  return bytes;
}

// The same vectors are read by the agent's tests.
nlohmann::json contract() {
  const char* source = std::getenv("SHOAL_SOURCE_DIR");
  std::ifstream file(std::string(source == nullptr ? "." : source) + "/tests/contract/agent_frames.json");
  return nlohmann::json::parse(file, nullptr, false);
}

TEST(FrameContractTest, BothSidesMeanTheSameByEveryFrame) {
  const nlohmann::json vectors = contract();
  ASSERT_FALSE(vectors.is_discarded());
  EXPECT_EQ(vectors["protocol"], kAgentProtocol);
  EXPECT_EQ(vectors["max_header_bytes"], kMaxHeaderBytes);
  EXPECT_EQ(vectors["max_chunk_bytes"], kMaxChunkBytes);
  ASSERT_GE(vectors["frames"].size(), 14U);
  for (const auto& vector : vectors["frames"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string message = from_hex(vector["frame"]);
    const Result<Frame> frame = decode_frame(message);
    ASSERT_TRUE(frame) << frame.error().message;
    EXPECT_EQ(frame->payload, from_hex(vector["raw"]));
    Envelope expected;
    const auto parsed = google::protobuf::util::JsonStringToMessage(vector["envelope"].dump(), &expected);
    ASSERT_TRUE(parsed.ok()) << parsed.ToString();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(frame->envelope, expected))
        << frame->envelope.DebugString();
    const std::string again = encode_frame(expected, frame->payload);
    const Result<Frame> reread = decode_frame(again);
    ASSERT_TRUE(reread);
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(reread->envelope, expected));
  }
}

TEST(FrameContractTest, BothSidesRefuseTheSame) {
  const nlohmann::json vectors = contract();
  ASSERT_FALSE(vectors.is_discarded());
  ASSERT_GE(vectors["malformed"].size(), 11U);
  for (const auto& vector : vectors["malformed"]) {
    const std::string message = from_hex(vector["frame"]);
    EXPECT_FALSE(decode_frame(message)) << vector["name"];
  }
}

}  // namespace
}  // namespace shoal::wire
