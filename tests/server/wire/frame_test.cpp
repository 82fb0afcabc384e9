#include "server/wire/frame.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace shoal::wire
