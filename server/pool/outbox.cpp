#include "server/pool/outbox.hpp"

#include <algorithm>
#include <utility>

#include "server/wire/frame.hpp"

namespace shoal::pool {

void Outbox::add(agent::v1::Envelope envelope, std::shared_ptr<const std::vector<Tensor>> inputs) {
  Parcel parcel{.envelope = std::move(envelope), .inputs = std::move(inputs)};
  for (const Tensor& tensor : *parcel.inputs) {
    parcel.left += tensor.data.size();
  }
  waiting_bytes_ += parcel.left;
  parcels_.push_back(std::move(parcel));
}

bool Outbox::follow(std::uint64_t work_id, const agent::v1::Envelope& envelope) {
  const auto here =
      std::ranges::find_if(parcels_, [work_id](const Parcel& parcel) { return parcel.envelope.work_id() == work_id; });
  if (here == parcels_.end()) {
    return false;
  }
  here->behind.push_back(wire::encode_frame(envelope));
  return true;
}

Outbox::Removed Outbox::remove(std::uint64_t work_id) {
  const auto here =
      std::ranges::find_if(parcels_, [work_id](const Parcel& parcel) { return parcel.envelope.work_id() == work_id; });
  if (here == parcels_.end()) {
    return Removed::kNotHere;
  }
  const Removed removed = here->started ? Removed::kPartlySent : Removed::kUnsent;
  waiting_bytes_ -= here->left;
  parcels_.erase(here);
  return removed;
}

std::optional<std::string> Outbox::next_frame() {
  if (!frames_.empty()) {
    std::string frame = std::move(frames_.front());
    frames_.pop_front();
    return frame;
  }
  if (parcels_.empty()) {
    return std::nullopt;
  }
  Parcel parcel = std::move(parcels_.front());
  parcels_.pop_front();
  const std::uint64_t before = parcel.left;
  std::string frame = wire::encode_frame(parcel.envelope);
  append_payload(parcel, frame);
  waiting_bytes_ -= before - parcel.left;
  if (!std::exchange(parcel.started, true)) {
    parcel.envelope.mutable_chunk();  // what follows are chunks of the same work
  }
  if (parcel.left > 0) {
    parcels_.push_back(std::move(parcel));
  } else {
    frames_.insert(frames_.end(), parcel.behind.begin(), parcel.behind.end());
  }
  return frame;
}

void Outbox::append_payload(Parcel& parcel, std::string& frame) {
  std::size_t room = std::min<std::uint64_t>(parcel.left, wire::kMaxChunkBytes);
  frame.reserve(frame.size() + room);
  parcel.left -= room;
  while (parcel.tensor < parcel.inputs->size() && room > 0) {
    const std::string& data = (*parcel.inputs)[parcel.tensor].data;
    const std::size_t count = std::min(data.size() - parcel.offset, room);
    frame.append(data, parcel.offset, count);
    room -= count;
    parcel.offset += count;
    if (parcel.offset == data.size()) {
      ++parcel.tensor;
      parcel.offset = 0;
    }
  }
}

}  // namespace shoal::pool
