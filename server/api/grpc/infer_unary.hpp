// One ModelInfer call. The message becomes tensors on gRPC's thread; everything after that happens on the main lane.
// It owns itself from start() until gRPC says that the call is done and the dispatcher has answered.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "server/api/grpc/calls.hpp"
#include "server/api/grpc/infer_messages.hpp"

namespace shoal::api::grpc {

class UnaryInfer final : public ::grpc::ServerUnaryReactor,
                         public LongCall,
                         public std::enable_shared_from_this<UnaryInfer> {
 public:
  static ::grpc::ServerUnaryReactor* start(Calls& calls, ::grpc::CallbackServerContext& context,
                                           inference::ModelInferRequest& request,
                                           inference::ModelInferResponse& response);

  UnaryInfer(Calls& calls, ::grpc::CallbackServerContext& context, inference::ModelInferRequest& request,
             inference::ModelInferResponse& response);

  void finish_when_idle() override {}
  void cut() override;

 private:
  void begin(Result<kserve::InferCall> call);
  Status submit(Result<kserve::InferCall> call);
  void end(const Status& status);
  void OnCancel() override;
  void OnDone() override;
  // Both reactions only hand over, so they need no thread of gRPC's executor, which costs a switch each.
  bool InternalInlineable() override { return true; }

  Calls& calls_;
  ::grpc::CallbackServerContext& context_;
  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse& response_;
  std::shared_ptr<UnaryInfer> self_;
  // Main lane from here on.
  std::string request_id_;
  TimePoint received_;
  std::uint64_t ticket_ = 0;
  bool is_cancelled_ = false;
};

// The deadline of a call on our clock; kNoDeadline when the client set none.
TimePoint deadline_of(const ::grpc::CallbackServerContext& context, TimePoint now);

}  // namespace shoal::api::grpc
