#include "server/api/grpc/infer_unary.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/answer_bytes.hpp"
#include "server/api/grpc/classified.hpp"
#include "server/api/grpc/status.hpp"
#include "server/core/ids.hpp"
#include "server/net/open_lane.hpp"

namespace shoal::api::grpc {

TimePoint deadline_of(const CallContext& context, TimePoint now) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  // No deadline is one at the end of time, which the other clock cannot name.
  return left > std::chrono::hours(24 * 365) ? kNoDeadline : now + std::chrono::duration_cast<Duration>(left);
}

UnaryReactor* UnaryInfer::start(Calls& calls, CallContext& context, inference::ModelInferRequest& request) {
  const auto call = std::make_shared<UnaryInfer>(calls, context, request);
  call->self_ = call;
  auto taken = take_call(request);
  net::enter(calls.services.main, [call, taken = std::move(taken)]() mutable { call->begin(std::move(taken)); });
  return call.get();
}

UnaryInfer::UnaryInfer(Calls& calls, CallContext& context, inference::ModelInferRequest& request)
    : UnaryReactor(context),
      calls_(calls),
      context_(context),
      request_(request),
      request_id_(uuid_v7()),
      received_(Clock::now()) {}

void UnaryInfer::begin(Result<kserve::InferCall> call) {
  calls_.add(this);
  if (is_cancelled_) {
    end(fail(Code::kCancelled, "the client cancelled the call"));
    return;
  }
  Status status = admit(calls_, context_, auth::Scope::kInfer);
  if (status) {
    status = submit(std::move(call));
  }
  if (!status) {
    end(status);
  }
}

Status UnaryInfer::submit(Result<kserve::InferCall> call) {
  Services& services = calls_.services;
  auto model = services.models()->find(request_.model_name(), std::string_view(request_.model_version()));
  if (!model) {
    return fail(std::move(model.error()));
  }
  if ((*model)->is_decoupled) {
    return fail(Code::kOperatorNotSupported, "ModelInfer RPC doesn't support models with decoupled transaction policy");
  }
  if (!call) {
    return fail(std::move(call.error()));
  }
  kserve::Classes classes = call->classes;
  auto request = kserve::make_request(*model, std::move(*call), request_id_, received_);
  if (!request) {
    return fail(std::move(request.error()));
  }
  request->deadline = std::min(request->deadline, deadline_of(context_, received_));
  auto done = [self = shared_from_this(), model = *model](Result<dispatch::InferenceResponse> result) {
    self->ticket_ = 0;
    if (!result) {
      self->end(fail(std::move(result.error())));
    } else if (const auto bytes = answer_bytes(*model, self->request_.id(), *std::move(result))) {
      self->calls_.remove(self.get());
      add_request_id(self->context_, self->request_id_);
      self->FinishWith(*bytes);
    } else {
      self->end(fail(Code::kInternal, "the response is larger than a message can be"));
    }
  };
  ticket_ =
      services.inference.submit(std::move(*request), classified(services, *model, std::move(classes), std::move(done)));
  return {};
}

void UnaryInfer::end(const Status& status) {
  calls_.remove(this);
  Finish(finish_status(context_, request_id_, status));
}

void UnaryInfer::cut() {
  is_cancelled_ = true;
  if (const std::uint64_t ticket = std::exchange(ticket_, 0); ticket != 0) {
    calls_.services.inference.cancel(ticket);
  }
}

void UnaryInfer::OnCancel() {
  net::enter(calls_.services.main, [self = shared_from_this()] { self->cut(); });
}

void UnaryInfer::OnDone() {
  // Dies here, unless the lane still holds it for a cancel that came too late.
  const auto last = std::move(self_);
}

}  // namespace shoal::api::grpc
