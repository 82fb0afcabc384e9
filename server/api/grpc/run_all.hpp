// shoal.v1.Inference: several inferences as one call. The messages become tensors on the queue's thread; everything
// after that happens on the main lane. A call owns itself from start() until gRPC says that it is done and the
// dispatcher has answered all.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/api/grpc/call.hpp"
#include "server/api/grpc/calls.hpp"
#include "server/api/grpc/infer_messages.hpp"
#include "server/api/grpc/reactor.hpp"
#include "shoal/v1/inference.grpc.pb.h"

namespace shoal::api::grpc {

class RunAll final : public WriteReactor<v1::RunAllResponse>,
                     public LongCall,
                     public std::enable_shared_from_this<RunAll> {
 public:
  static RunAll* start(Calls& calls, CallContext& context, v1::RunAllRequest& request);

  RunAll(Calls& calls, CallContext& context, const v1::RunAllRequest& request);

  void finish_when_idle() override {}  // it ends when its requests do
  void cut() override;

 private:
  void begin(std::vector<Result<kserve::InferCall>> items);
  Status submit(std::uint32_t index, Result<kserve::InferCall> item);
  void answer(v1::RunAllResponse response);
  void write_more();
  void end(const Status& status);
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  Calls& calls_;
  CallContext& context_;
  const v1::RunAllRequest& request_;
  std::shared_ptr<RunAll> self_;
  // Main lane from here on.
  std::string request_id_;
  TimePoint received_;
  std::map<std::uint32_t, std::uint64_t> tickets_;  // of those that are open, by their index
  std::deque<v1::RunAllResponse> answers_;          // the front one is being written while is_writing_
  bool is_writing_ = false;
  bool is_cancelled_ = false;
  bool is_finished_ = false;
};

class RunAllService final {
 public:
  explicit RunAllService(Calls& calls) : calls_(calls) {}

  // Requires: outlives them.
  void add_to(Methods& methods);
  WriteReactor<v1::RunAllResponse>* RunAll(CallContext* context, const v1::RunAllRequest* request);

 private:
  Calls& calls_;
};

}  // namespace shoal::api::grpc
