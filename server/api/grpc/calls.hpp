// What the calls of one gRPC server share, and the list of those that may wait, so that a shutdown can end them.
// Main lane.
#pragma once

#include <algorithm>
#include <vector>

#include "server/api/services.hpp"
#include "server/auth/gate.hpp"

namespace shoal::api::grpc {

class LongCall {
 public:
  LongCall() = default;
  LongCall(const LongCall&) = delete;
  LongCall& operator=(const LongCall&) = delete;
  virtual ~LongCall() = default;

  // The server drains: end as soon as nothing is being worked on.
  virtual void finish_when_idle() = 0;
  // End now.
  virtual void cut() = 0;
};

struct Calls {
  Services& services;
  std::vector<LongCall*> open;
  auth::Gate* gate = nullptr;  // asks for keys; null: nobody does
  bool draining = false;

  void add(LongCall* call) { open.push_back(call); }
  void remove(LongCall* call) { std::erase(open, call); }
  void drain() {
    draining = true;
    for (LongCall* call : std::vector(open)) {
      call->finish_when_idle();
    }
  }
  void cut() {
    for (LongCall* call : std::vector(open)) {
      call->cut();
    }
  }
};

}  // namespace shoal::api::grpc
