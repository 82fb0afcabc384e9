// The runs on their way to one agent, cut into frames of at most one chunk. Pure. Runs take turns frame by frame, so
// that a small one does not wait behind a large one; the inputs are shared, not copied, until their frame is made.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/core/tensor.hpp"

namespace shoal::pool {

class Outbox {
 public:
  // `envelope` is the Run with its work id; the inputs' bytes follow it in order. Requires: it fits a frame's header.
  void add(agent::v1::Envelope envelope, std::shared_ptr<const std::vector<Tensor>> inputs);

  // A message that is sent behind the last frame of this work. False: no frame of it is left to send.
  bool follow(std::uint64_t work_id, const agent::v1::Envelope& envelope);

  enum class Removed : std::uint8_t { kNotHere, kUnsent, kPartlySent };
  // No further frame of the work is made.
  Removed remove(std::uint64_t work_id);

  // The next frame of the run whose turn it is.
  std::optional<std::string> next_frame();

  [[nodiscard]] std::uint64_t waiting_bytes() const { return waiting_bytes_; }

 private:
  struct Parcel {
    agent::v1::Envelope envelope;
    std::shared_ptr<const std::vector<Tensor>> inputs;
    std::size_t tensor = 0;  // the next byte to send: inputs[tensor].data[offset]
    std::size_t offset = 0;
    std::uint64_t left = 0;
    bool started = false;
    std::vector<std::string> behind = {};  // frames
  };
  static void append_payload(Parcel& parcel, std::string& frame);

  std::deque<Parcel> parcels_;
  std::deque<std::string> frames_;  // that go before all parcels
  std::uint64_t waiting_bytes_ = 0;
};

}  // namespace shoal::pool
