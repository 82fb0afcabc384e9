#include "server/api/grpc/infer_stream.hpp"

#include <algorithm>
#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/classified.hpp"
#include "server/api/grpc/infer_unary.hpp"
#include "server/api/grpc/status.hpp"
#include "server/core/ids.hpp"
#include "server/net/open_lane.hpp"

namespace shoal::api::grpc {

using inference::ModelStreamInferResponse;

namespace {

ModelStreamInferResponse message_of(const models::ModelVersion& model, const std::string& id,
                                    dispatch::InferenceResponse response, bool is_final) {
  ModelStreamInferResponse message;
  fill_answer(model, id, std::move(response), *message.mutable_infer_response());
  (*message.mutable_infer_response()->mutable_parameters())["triton_final_response"].set_bool_param(is_final);
  return message;
}

}  // namespace

struct StreamInfer::Incoming {
  std::string model;
  std::string version;
  std::string id;
  TimePoint received;
  Result<kserve::InferCall> call;
};

StreamInfer* StreamInfer::start(Calls& calls, CallContext& context) {
  const auto call = std::make_shared<StreamInfer>(calls, context);
  call->self_ = call;
  net::enter(calls.services.main, [call] { call->begin(); });
  return call.get();
}

StreamInfer::StreamInfer(Calls& calls, CallContext& context)
    : BidiReactor(context), calls_(calls), context_(context), stream_id_(uuid_v7()) {
  const auto flag = context.client_metadata().find("triton_grpc_error");
  ends_on_error_ = flag != context.client_metadata().end() && flag->second == "true";
}

void StreamInfer::begin() {
  calls_.add(this);
  if (Status status = admit(calls_, context_, auth::Scope::kInfer); !status) {
    outcome_ = std::move(status);
    has_read_all_ = true;
    finish_if_done();
    return;
  }
  if (calls_.draining) {
    finish_when_idle();
    return;
  }
  read_more();
}

void StreamInfer::read_more() {
  if (!is_reading_ && !has_read_all_ && !is_finished_ && tickets_.size() + answers_.size() < kMaxOpen) {
    is_reading_ = true;
    incoming_.Clear();
    StartRead(&incoming_);
  }
}

void StreamInfer::OnReadDone(bool ok) {
  if (!ok) {
    net::enter(calls_.services.main, [self = shared_from_this()] {
      self->is_reading_ = false;
      self->has_read_all_ = true;
      self->finish_if_done();
    });
    return;
  }
  Incoming incoming{.model = incoming_.model_name(),
                    .version = incoming_.model_version(),
                    .id = incoming_.id(),
                    .received = Clock::now(),
                    .call = take_call(incoming_)};
  net::enter(calls_.services.main, [self = shared_from_this(), incoming = std::move(incoming)]() mutable {
    self->is_reading_ = false;
    self->take(std::move(incoming));
  });
}

void StreamInfer::take(Incoming incoming) {
  if (is_finished_) {
    return;
  }
  // Its first message came in with the call.
  Status status = has_taken_ ? admit(calls_, context_, auth::Scope::kInfer) : Status();
  has_taken_ = true;
  if (status) {
    status = submit(incoming);
  }
  if (!status) {
    answer(incoming.id, status, {});
  }
  read_more();
}

Status StreamInfer::submit(Incoming& incoming) {
  Services& services = calls_.services;
  auto model = services.models()->find(incoming.model, std::string_view(incoming.version));
  if (!model) {
    return fail(std::move(model.error()));
  }
  if (!incoming.call) {
    return fail(std::move(incoming.call.error()));
  }
  kserve::Classes classes = incoming.call->classes;
  const bool wants_empty_final = kserve::wants_empty_final(incoming.call->parameters);
  auto request = kserve::make_request(*model, std::move(*incoming.call), uuid_v7(), incoming.received);
  if (!request) {
    return fail(std::move(request.error()));
  }
  request->deadline = std::min(request->deadline, deadline_of(context_, incoming.received));
  if ((*model)->is_decoupled) {
    request->partial = give_each(incoming.id, *model);
  }
  const auto ticket = std::make_shared<std::uint64_t>(0);
  auto done = [self = shared_from_this(), ticket, id = incoming.id, wants_empty_final,
               model = *model](Result<dispatch::InferenceResponse> result) {
    self->tickets_.erase(*ticket);
    if (!result) {
      self->answer(id, fail(std::move(result.error())), {});
    } else if (result->has_no_response && !wants_empty_final) {
      self->read_more();
      self->finish_if_done();
    } else {
      self->answer(id, {}, message_of(*model, id, *std::move(result), true));
    }
  };
  *ticket =
      services.inference.submit(std::move(*request), classified(services, *model, std::move(classes), std::move(done)));
  tickets_.insert(*ticket);
  return {};
}

dispatch::Partial StreamInfer::give_each(const std::string& id, const models::ModelPtr& model) {
  return [self = shared_from_this(), id, model](dispatch::InferenceResponse response, std::function<void()> more) {
    self->answer(id, {}, message_of(*model, id, std::move(response), false));
    self->held_.push_back(std::move(more));
    self->ask_for_more();
  };
}

void StreamInfer::ask_for_more() {
  while (!held_.empty() && answers_.size() < kMaxOpen && unsent_bytes_ < kMaxUnsentBytes) {
    const auto more = std::move(held_.front());
    held_.pop_front();
    more();
  }
}

void StreamInfer::answer(const std::string& id, const Status& status, ModelStreamInferResponse response) {
  if (!status) {
    response.set_error_message(status.error().message);
    response.mutable_infer_response()->set_id(id);
    if (ends_on_error_ && outcome_) {
      outcome_ = status;
      has_read_all_ = true;
    }
  }
  unsent_bytes_ += response.ByteSizeLong();
  answers_.push_back(std::move(response));
  write_more();
  finish_if_done();
}

void StreamInfer::write_more() {
  if (!is_writing_ && !answers_.empty() && !is_finished_) {
    is_writing_ = true;
    StartWrite(&answers_.front());
  }
}

void StreamInfer::OnWriteDone(bool ok) {
  net::enter(calls_.services.main, [self = shared_from_this(), ok] {
    self->is_writing_ = false;
    self->unsent_bytes_ -= self->answers_.front().ByteSizeLong();
    self->answers_.pop_front();
    if (!ok) {
      self->answers_.clear();
      self->cut();
      return;
    }
    self->write_more();
    self->ask_for_more();
    self->read_more();
    self->finish_if_done();
  });
}

void StreamInfer::finish_if_done() {
  if (is_finished_ || !has_read_all_ || is_writing_ || !answers_.empty() || !tickets_.empty()) {
    return;
  }
  is_finished_ = true;
  calls_.remove(this);
  Finish(finish_status(context_, stream_id_, outcome_));
}

void StreamInfer::finish_when_idle() {
  if (outcome_) {
    outcome_ = fail(Code::kUnavailable, "the server is shutting down");
  }
  has_read_all_ = true;
  finish_if_done();
}

void StreamInfer::cut() {
  has_read_all_ = true;
  held_.clear();
  // A cancel may answer at once, which changes the set.
  for (const std::uint64_t ticket : std::vector(tickets_.begin(), tickets_.end())) {
    calls_.services.inference.cancel(ticket);
  }
  finish_if_done();
}

void StreamInfer::OnCancel() {
  net::enter(calls_.services.main, [self = shared_from_this()] { self->cut(); });
}

void StreamInfer::OnDone() {
  // Dies here, unless the lane still holds it.
  const auto last = std::move(self_);
}

}  // namespace shoal::api::grpc
