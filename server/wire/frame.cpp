#include "server/wire/frame.hpp"

#include <fmt/format.h>

#include "engine/core/bytes.hpp"
#include "server/core/check.hpp"

namespace shoal::wire {

using agent::v1::Envelope;

namespace {

bool may_have_payload(Envelope::BodyCase body) {
  return body == Envelope::kRun || body == Envelope::kOutput || body == Envelope::kChunk || body == Envelope::kFrames;
}

}  // namespace

Result<Frame> decode_frame(std::string_view message) {
  const auto length = load_le<std::uint32_t>(as_bytes(message), 0);
  if (!length) {
    return fail(Code::kInvalidArgument, fmt::format("frame of {} bytes has no header length", message.size()));
  }
  if (*length == 0 || *length > kMaxHeaderBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("frame header of {} bytes; 1 to {} are allowed", *length, kMaxHeaderBytes));
  }
  const auto header = slice(as_bytes(message), sizeof(std::uint32_t), *length);
  if (!header) {
    return fail(Code::kInvalidArgument,
                fmt::format("frame of {} bytes ends inside its header of {} bytes", message.size(), *length));
  }
  Frame frame;
  if (!frame.envelope.ParseFromArray(header->data(), static_cast<int>(header->size()))) {
    return fail(Code::kInvalidArgument, "frame header is not an Envelope");
  }
  frame.payload = message.substr(sizeof(std::uint32_t) + *length);
  if (frame.envelope.body_case() == Envelope::BODY_NOT_SET) {
    return fail(Code::kInvalidArgument, "frame header has no body that this protocol version knows");
  }
  if (frame.payload.size() > kMaxChunkBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("frame payload of {} bytes; at most {} are allowed", frame.payload.size(), kMaxChunkBytes));
  }
  if (!frame.payload.empty() && !may_have_payload(frame.envelope.body_case())) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} bytes after a header that cannot have a payload", frame.payload.size()));
  }
  return frame;
}

Result<std::vector<Frame>> frames_within(std::string_view payload) {
  std::vector<Frame> frames;
  while (!payload.empty()) {
    const auto length = load_le<std::uint32_t>(as_bytes(payload), 0);
    if (!length || *length > payload.size() - sizeof(std::uint32_t)) {
      return fail(Code::kInvalidArgument, fmt::format("{} bytes at the end of frames are no frame", payload.size()));
    }
    Result<Frame> frame = decode_frame(payload.substr(sizeof(std::uint32_t), *length));
    if (!frame) {
      return fail(std::move(frame.error()));
    }
    if (frame->envelope.has_frames()) {
      return fail(Code::kInvalidArgument, "frames within frames");
    }
    frames.push_back(*std::move(frame));
    payload.remove_prefix(sizeof(std::uint32_t) + *length);
  }
  return frames;
}

std::string encode_frame(const Envelope& envelope, std::string_view payload) {
  const std::size_t header_bytes = envelope.ByteSizeLong();
  SHOAL_CHECK(header_bytes > 0 && header_bytes <= kMaxHeaderBytes, "agent frame header out of bounds");
  SHOAL_CHECK(payload.size() <= kMaxChunkBytes, "agent frame payload out of bounds");
  std::string frame;
  frame.reserve(sizeof(std::uint32_t) + header_bytes + payload.size());
  const auto length = static_cast<std::uint32_t>(header_bytes);
  frame.append(reinterpret_cast<const char*>(&length), sizeof(length));
  envelope.AppendToString(&frame);
  frame.append(payload);
  return frame;
}

}  // namespace shoal::wire
