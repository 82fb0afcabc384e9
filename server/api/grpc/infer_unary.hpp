// One ModelInfer call. The message becomes tensors on the queue's thread; everything after that happens on the main
// lane. It owns itself from start() until gRPC says that the call is done and the dispatcher has answered.
#pragma once

#include <memory>
#include <string>

#include "server/api/grpc/calls.hpp"
#include "server/api/grpc/infer_messages.hpp"
#include "server/api/grpc/reactor.hpp"

namespace shoal::api::grpc {

class UnaryInfer final : public UnaryReactor, public LongCall, public std::enable_shared_from_this<UnaryInfer> {
 public:
  static UnaryReactor* start(Calls& calls, CallContext& context, inference::ModelInferRequest& request);

  UnaryInfer(Calls& calls, CallContext& context, inference::ModelInferRequest& request);

  void finish_when_idle() override {}
  void cut() override;

 private:
  void begin(Result<kserve::InferCall> call);
  Status submit(Result<kserve::InferCall> call);
  void end(const Status& status);
  void OnCancel() override;
  void OnDone() override;

  Calls& calls_;
  CallContext& context_;
  const inference::ModelInferRequest& request_;
  std::shared_ptr<UnaryInfer> self_;
  // Main lane from here on.
  std::string request_id_;
  TimePoint received_;
  std::uint64_t ticket_ = 0;
  bool is_cancelled_ = false;
};

// The deadline of a call on our clock; kNoDeadline when the client set none.
TimePoint deadline_of(const CallContext& context, TimePoint now);

}  // namespace shoal::api::grpc
