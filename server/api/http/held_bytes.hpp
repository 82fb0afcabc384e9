// Memory that requests hold together. Main lane.
#pragma once

#include <cstddef>

namespace shoal::api::http {

// The room that a body takes, counted among all sessions for as long as this lives.
class HeldBytes {
 public:
  HeldBytes() = default;
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() {
    if (total_ != nullptr) {
      *total_ -= bytes_;
    }
  }
  // False, and nothing is counted, when `limit` would be passed.
  bool hold(std::size_t& total, std::size_t bytes, std::size_t limit) {
    if (bytes > limit || total > limit - bytes) {
      return false;
    }
    total_ = &total;
    bytes_ = bytes;
    total += bytes;
    return true;
  }
  // As hold(), for what comes on top. Requires: hold() was true.
  bool grow(std::size_t bytes, std::size_t limit) {
    if (bytes > limit || *total_ > limit - bytes) {
      return false;
    }
    bytes_ += bytes;
    *total_ += bytes;
    return true;
  }

 private:
  std::size_t* total_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace shoal::api::http
