#include "server/api/grpc/admin.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/status.hpp"
#include "server/core/ids.hpp"

namespace shoal::api::grpc {

namespace v1 = admin::v1;

namespace {

template <class Response>
void finish(::grpc::CallbackServerContext* context, ::grpc::ServerUnaryReactor* reactor, Response* response,
            Result<Response> result) {
  Status status;
  if (result) {
    *response = *std::move(result);
  } else {
    status = fail(std::move(result.error()));
  }
  reactor->Finish(finish_status(*context, uuid_v7(), status));
}

}  // namespace

template <class Response, class Call>
::grpc::ServerUnaryReactor* AdminCalls::answer(Context* context, Response* response, Call call, auth::Scope scope) {
  auto* reactor = context->DefaultReactor();
  boost::asio::post(calls_.services.main, [this, context, response, reactor, scope, call = std::move(call)] {
    const Status status = admit(calls_, *context, scope);
    finish<Response>(context, reactor, response, status ? call() : Result<Response>(fail(status.error())));
  });
  return reactor;
}

::grpc::ServerUnaryReactor* AdminCalls::ListWorkers(Context* context, const v1::ListWorkersRequest* request,
                                                    v1::ListWorkersResponse* response) {
  return answer(context, response, [this, request] { return service_.list(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::InspectWorker(Context* context, const v1::InspectWorkerRequest* request,
                                                      v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.inspect(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::DrainWorker(Context* context, const v1::DrainWorkerRequest* request,
                                                    v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.drain(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::ResumeWorker(Context* context, const v1::ResumeWorkerRequest* request,
                                                     v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.resume(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::RecycleWorker(Context* context, const v1::RecycleWorkerRequest* request,
                                                      v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.recycle(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::KillWorker(Context* context, const v1::KillWorkerRequest* request,
                                                   v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.kill(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::SetWorkerBudget(Context* context, const v1::SetWorkerBudgetRequest* request,
                                                        v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.set_budget(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::ListPoison(Context* context, const v1::ListPoisonRequest* request,
                                                   v1::ListPoisonResponse* response) {
  return answer(context, response, [this, request] { return service_.list_poison(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::ClearPoison(Context* context, const v1::ClearPoisonRequest* request,
                                                    v1::ClearPoisonResponse* response) {
  return answer(context, response, [this, request] { return service_.clear_poison(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::DebugWorker(Context* context, const v1::DebugWorkerRequest* request,
                                                    v1::DebugWorkerResponse* response) {
  auto* reactor = context->DefaultReactor();
  boost::asio::post(calls_.services.main, [this, context, request, response, reactor] {
    if (const Status status = admit(calls_, *context, auth::Scope::kAdmin); !status) {
      finish<v1::DebugWorkerResponse>(context, reactor, response, fail(status.error()));
      return;
    }
    service_.debug(*request, [context, response, reactor](Result<v1::DebugWorkerResponse> result) {
      finish(context, reactor, response, std::move(result));
    });
  });
  return reactor;
}

::grpc::ServerUnaryReactor* AdminCalls::ListEvents(Context* context, const v1::ListEventsRequest* request,
                                                   v1::ListEventsResponse* response) {
  return answer(context, response, [this, request] { return service_.events(*request); });
}

::grpc::ServerUnaryReactor* AdminCalls::CreateJoinToken(Context* context, const v1::CreateJoinTokenRequest* request,
                                                        v1::CreateJoinTokenResponse* response) {
  return answer(context, response, [this, request] { return service_.create_token(*request); }, auth::Scope::kJoin);
}

::grpc::ServerUnaryReactor* AdminCalls::ListJoinTokens(Context* context, const v1::ListJoinTokensRequest* request,
                                                       v1::ListJoinTokensResponse* response) {
  return answer(context, response, [this, request] { return service_.tokens(*request); }, auth::Scope::kJoin);
}

::grpc::ServerUnaryReactor* AdminCalls::RevokeJoinToken(Context* context, const v1::RevokeJoinTokenRequest* request,
                                                        v1::JoinToken* response) {
  return answer(context, response, [this, request] { return service_.revoke_token(*request); }, auth::Scope::kJoin);
}

}  // namespace shoal::api::grpc
