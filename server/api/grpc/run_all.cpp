#include "server/api/grpc/run_all.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/classified.hpp"
#include "server/api/grpc/infer_unary.hpp"
#include "server/api/grpc/status.hpp"
#include "server/core/ids.hpp"
#include "server/net/open_lane.hpp"
#include "server/wire/parallel_json.hpp"

namespace shoal::api::grpc {

namespace {

v1::RunAllResponse failure_of(std::uint32_t index, const Error& error) {
  v1::RunAllResponse response;
  response.set_index(index);
  v1::Failure& failure = *response.mutable_failure();
  failure.set_code(static_cast<core::v1::Code>(error.code));
  failure.set_message(error.message);
  failure.set_param(error.param);
  return response;
}

}  // namespace

RunAll* RunAll::start(Calls& calls, CallContext& context, v1::RunAllRequest& request) {
  const auto call = std::make_shared<RunAll>(calls, context, request);
  call->self_ = call;
  std::vector<Result<kserve::InferCall>> items;
  for (inference::ModelInferRequest& item : *request.mutable_requests()) {
    items.push_back(take_call(item));
  }
  net::enter(calls.services.main, [call, items = std::move(items)]() mutable { call->begin(std::move(items)); });
  return call.get();
}

RunAll::RunAll(Calls& calls, CallContext& context, const v1::RunAllRequest& request)
    : WriteReactor(context),
      calls_(calls),
      context_(context),
      request_(request),
      request_id_(uuid_v7()),
      received_(Clock::now()) {}

void RunAll::begin(std::vector<Result<kserve::InferCall>> items) {
  calls_.add(this);
  if (Status status = admit(calls_, context_, auth::Scope::kInfer); !status) {
    end(status);
    return;
  }
  if (items.empty() || items.size() > wire::kMaxParallel) {
    end(fail(Code::kInvalidArgument, fmt::format("requests: expected 1 to {}", wire::kMaxParallel), "requests"));
    return;
  }
  // Not finished before the last is sent: an answer may come at once.
  for (std::uint32_t index = 0; index < items.size(); ++index) {
    tickets_[index] = 0;
  }
  for (std::uint32_t index = 0; index < items.size() && !is_cancelled_; ++index) {
    if (const Status status = submit(index, std::move(items[index])); !status) {
      tickets_.erase(index);
      answer(failure_of(index, status.error()));
    }
  }
}

Status RunAll::submit(std::uint32_t index, Result<kserve::InferCall> item) {
  Services& services = calls_.services;
  const inference::ModelInferRequest& message = request_.requests(static_cast<int>(index));
  auto model = services.models()->find(message.model_name(), std::string_view(message.model_version()));
  if (!model) {
    return fail(std::move(model.error()));
  }
  if (!item) {
    return fail(std::move(item.error()));
  }
  kserve::Classes classes = item->classes;
  auto request = kserve::make_request(*model, *std::move(item), uuid_v7(), received_);
  if (!request) {
    return fail(std::move(request.error()));
  }
  request->deadline = std::min(request->deadline, deadline_of(context_, received_));
  auto done = [self = shared_from_this(), index, model = *model,
               id = message.id()](Result<dispatch::InferenceResponse> result) {
    self->tickets_.erase(index);
    if (!result) {
      self->answer(failure_of(index, result.error()));
      return;
    }
    v1::RunAllResponse response;
    response.set_index(index);
    fill_answer(*model, id, *std::move(result), *response.mutable_response());
    self->answer(std::move(response));
  };
  tickets_[index] =
      services.inference.submit(*std::move(request), classified(services, *model, std::move(classes), std::move(done)));
  return {};
}

void RunAll::answer(v1::RunAllResponse response) {
  answers_.push_back(std::move(response));
  write_more();
}

void RunAll::write_more() {
  if (is_writing_ || is_finished_) {
    return;
  }
  if (!answers_.empty() && !is_cancelled_) {
    is_writing_ = true;
    StartWrite(&answers_.front());
  } else if (tickets_.empty()) {
    end(is_cancelled_ ? Status(fail(Code::kCancelled, "the client cancelled the call")) : Status());
  }
}

void RunAll::OnWriteDone(bool ok) {
  net::enter(calls_.services.main, [self = shared_from_this(), ok] {
    self->is_writing_ = false;
    self->answers_.pop_front();
    if (!ok) {
      self->cut();
    }
    self->write_more();
  });
}

void RunAll::end(const Status& status) {
  is_finished_ = true;
  calls_.remove(this);
  Finish(finish_status(context_, request_id_, status));
}

void RunAll::cut() {
  is_cancelled_ = true;
  std::erase_if(tickets_, [](const auto& entry) { return entry.second == 0; });  // never sent
  // A cancel answers later, and then takes its ticket off.
  for (const auto& [index, ticket] : std::map(tickets_)) {
    calls_.services.inference.cancel(ticket);
  }
}

void RunAll::OnCancel() {
  net::enter(calls_.services.main, [self = shared_from_this()] {
    if (!self->is_finished_) {
      self->cut();
      self->write_more();
    }
  });
}

void RunAll::OnDone() {
  // Dies here, unless the lane still holds it.
  const auto last = std::move(self_);
}

WriteReactor<v1::RunAllResponse>* RunAllService::RunAll(CallContext* context, const v1::RunAllRequest* request) {
  // The message belongs to this call and is not const itself; its tensors are moved out instead of copied.
  return grpc::RunAll::start(calls_, *context, const_cast<v1::RunAllRequest&>(*request));
}

void RunAllService::add_to(Methods& methods) {
  methods.add("/shoal.v1.Inference/RunAll", *this, &RunAllService::RunAll);
}

}  // namespace shoal::api::grpc
