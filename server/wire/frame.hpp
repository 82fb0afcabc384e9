// The agent frame (design: proto/shoal/agent/v1/agent.proto), a pure codec:
//
//   frame  := length header payload
//   length := u32 little-endian, bytes of header, 1 .. kMaxHeaderBytes
//   header := protobuf shoal.agent.v1.Envelope
//   payload := raw bytes, 0 .. kMaxChunkBytes
//
// Example: Envelope{work_id: 7, chunk: {}} with payload "ab" is 05 00 00 00 | 08 07 82 02 00 | 61 62.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::wire {

inline constexpr std::uint32_t kAgentProtocol = 1;  // Hello.protocol
inline constexpr std::size_t kMaxChunkBytes = 262144;
inline constexpr std::size_t kMaxHeaderBytes = 262144 - 4;
inline constexpr std::size_t kMaxFrameBytes = 4 + kMaxHeaderBytes + kMaxChunkBytes;

struct Frame {
  agent::v1::Envelope envelope;
  std::string_view payload;  // into the message that was decoded
};

// kInvalidArgument for anything that is not a frame, including an envelope without a body and bytes after an envelope
// whose body cannot have any (all but Run, Output, Chunk and Frames).
Result<Frame> decode_frame(std::string_view message);

// What the payload of a Frames holds. kInvalidArgument for bytes that are no frames, and for a Frames among them.
Result<std::vector<Frame>> frames_within(std::string_view payload);

// Requires: the header and the payload are within their bounds.
std::string encode_frame(const agent::v1::Envelope& envelope, std::string_view payload = {});

}  // namespace shoal::wire
