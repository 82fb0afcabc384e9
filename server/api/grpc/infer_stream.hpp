// One ModelStreamInfer call: requests in, answers out as they finish. At most kMaxOpen requests are worked on or
// waiting to be written; reading pauses above that, so a client that does not read holds up only itself. A decoupled
// model's run goes on while fewer than kMaxOpen answers and kMaxUnsentBytes wait to be written, and is held above that.
// Messages become tensors on the queue's thread; everything else happens on the main lane. It owns itself from start()
// until the call is done.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "server/api/grpc/calls.hpp"
#include "server/api/grpc/infer_messages.hpp"
#include "server/api/grpc/reactor.hpp"

namespace shoal::api::grpc {

class StreamInfer final : public BidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>,
                          public LongCall,
                          public std::enable_shared_from_this<StreamInfer> {
 public:
  static constexpr std::size_t kMaxOpen = 64;
  static constexpr std::size_t kMaxUnsentBytes = std::size_t{4} << 20;

  static StreamInfer* start(Calls& calls, CallContext& context);

  StreamInfer(Calls& calls, CallContext& context);

  void finish_when_idle() override;
  void cut() override;

 private:
  struct Incoming;

  void begin();
  void take(Incoming incoming);
  Status submit(Incoming& incoming);
  void answer(const std::string& id, const Status& status, inference::ModelStreamInferResponse response);
  dispatch::Partial give_each(const std::string& id, const models::ModelPtr& model);
  // Lets the runs that are held go on as far as there is room.
  void ask_for_more();
  void read_more();
  void write_more();
  void finish_if_done();
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  Calls& calls_;
  CallContext& context_;
  std::shared_ptr<StreamInfer> self_;
  inference::ModelInferRequest incoming_;  // gRPC's, while a read is under way
  // Main lane from here on.
  std::string stream_id_;
  std::set<std::uint64_t> tickets_;
  std::deque<inference::ModelStreamInferResponse> answers_;  // the front one is being written while is_writing_
  std::size_t unsent_bytes_ = 0;
  std::deque<std::function<void()>> held_;  // what lets each of the runs go on that have to wait
  Status outcome_;
  bool ends_on_error_ = false;  // metadata triton_grpc_error
  bool has_taken_ = false;      // its first message
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool has_read_all_ = false;
  bool is_finished_ = false;
};

}  // namespace shoal::api::grpc
