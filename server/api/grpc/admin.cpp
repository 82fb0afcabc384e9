#include "server/api/grpc/admin.hpp"

#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/status.hpp"
#include "server/core/ids.hpp"
#include "server/net/open_lane.hpp"

namespace shoal::api::grpc {

namespace v1 = admin::v1;

namespace {

template <class Response>
void finish(CallContext* context, UnaryReactor* reactor, Response* response, Result<Response> result) {
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
UnaryReactor* AdminCalls::answer(Context* context, Response* response, Call call, auth::Scope scope) {
  auto* reactor = context->DefaultReactor();
  net::enter(calls_.services.main, [this, context, response, reactor, scope, call = std::move(call)] {
    const Status status = admit(calls_, *context, scope);
    finish<Response>(context, reactor, response, status ? call() : Result<Response>(fail(status.error())));
  });
  return reactor;
}

UnaryReactor* AdminCalls::ListWorkers(Context* context, const v1::ListWorkersRequest* request,
                                      v1::ListWorkersResponse* response) {
  return answer(context, response, [this, request] { return service_.list(*request); });
}

UnaryReactor* AdminCalls::InspectWorker(Context* context, const v1::InspectWorkerRequest* request,
                                        v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.inspect(*request); });
}

UnaryReactor* AdminCalls::DrainWorker(Context* context, const v1::DrainWorkerRequest* request, v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.drain(*request); });
}

UnaryReactor* AdminCalls::ResumeWorker(Context* context, const v1::ResumeWorkerRequest* request, v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.resume(*request); });
}

UnaryReactor* AdminCalls::RecycleWorker(Context* context, const v1::RecycleWorkerRequest* request,
                                        v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.recycle(*request); });
}

UnaryReactor* AdminCalls::KillWorker(Context* context, const v1::KillWorkerRequest* request, v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.kill(*request); });
}

UnaryReactor* AdminCalls::SetWorkerBudget(Context* context, const v1::SetWorkerBudgetRequest* request,
                                          v1::Worker* response) {
  return answer(context, response, [this, request] { return service_.set_budget(*request); });
}

UnaryReactor* AdminCalls::ListPoison(Context* context, const v1::ListPoisonRequest* request,
                                     v1::ListPoisonResponse* response) {
  return answer(context, response, [this, request] { return service_.list_poison(*request); });
}

UnaryReactor* AdminCalls::ClearPoison(Context* context, const v1::ClearPoisonRequest* request,
                                      v1::ClearPoisonResponse* response) {
  return answer(context, response, [this, request] { return service_.clear_poison(*request); });
}

UnaryReactor* AdminCalls::DebugWorker(Context* context, const v1::DebugWorkerRequest* request,
                                      v1::DebugWorkerResponse* response) {
  auto* reactor = context->DefaultReactor();
  net::enter(calls_.services.main, [this, context, request, response, reactor] {
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

UnaryReactor* AdminCalls::ListEvents(Context* context, const v1::ListEventsRequest* request,
                                     v1::ListEventsResponse* response) {
  return answer(context, response, [this, request] { return service_.events(*request); });
}

UnaryReactor* AdminCalls::InspectServer(Context* context, const v1::InspectServerRequest* request,
                                        v1::Server* response) {
  return answer(context, response, [this, request] { return service_.inspect_server(*request); });
}

UnaryReactor* AdminCalls::DrainServer(Context* context, const v1::DrainServerRequest* request, v1::Server* response) {
  return answer(context, response, [this, request] { return service_.drain_server(*request); });
}

UnaryReactor* AdminCalls::ResumeServer(Context* context, const v1::ResumeServerRequest* request, v1::Server* response) {
  return answer(context, response, [this, request] { return service_.resume_server(*request); });
}

UnaryReactor* AdminCalls::ReloadSettings(Context* context, const v1::ReloadSettingsRequest* request,
                                         v1::ReloadSettingsResponse* response) {
  return answer(context, response, [this, request] { return service_.reload_settings(*request); });
}

UnaryReactor* AdminCalls::CreateJoinToken(Context* context, const v1::CreateJoinTokenRequest* request,
                                          v1::CreateJoinTokenResponse* response) {
  return answer(context, response, [this, request] { return service_.create_token(*request); }, auth::Scope::kJoin);
}

UnaryReactor* AdminCalls::ListJoinTokens(Context* context, const v1::ListJoinTokensRequest* request,
                                         v1::ListJoinTokensResponse* response) {
  return answer(context, response, [this, request] { return service_.tokens(*request); }, auth::Scope::kJoin);
}

UnaryReactor* AdminCalls::RevokeJoinToken(Context* context, const v1::RevokeJoinTokenRequest* request,
                                          v1::JoinToken* response) {
  return answer(context, response, [this, request] { return service_.revoke_token(*request); }, auth::Scope::kJoin);
}

void AdminCalls::add_to(Methods& methods) {
  methods.add("/shoal.admin.v1.Admin/ListWorkers", *this, &AdminCalls::ListWorkers);
  methods.add("/shoal.admin.v1.Admin/InspectWorker", *this, &AdminCalls::InspectWorker);
  methods.add("/shoal.admin.v1.Admin/DrainWorker", *this, &AdminCalls::DrainWorker);
  methods.add("/shoal.admin.v1.Admin/ResumeWorker", *this, &AdminCalls::ResumeWorker);
  methods.add("/shoal.admin.v1.Admin/RecycleWorker", *this, &AdminCalls::RecycleWorker);
  methods.add("/shoal.admin.v1.Admin/KillWorker", *this, &AdminCalls::KillWorker);
  methods.add("/shoal.admin.v1.Admin/DebugWorker", *this, &AdminCalls::DebugWorker);
  methods.add("/shoal.admin.v1.Admin/ListPoison", *this, &AdminCalls::ListPoison);
  methods.add("/shoal.admin.v1.Admin/ClearPoison", *this, &AdminCalls::ClearPoison);
  methods.add("/shoal.admin.v1.Admin/SetWorkerBudget", *this, &AdminCalls::SetWorkerBudget);
  methods.add("/shoal.admin.v1.Admin/ListEvents", *this, &AdminCalls::ListEvents);
  methods.add("/shoal.admin.v1.Admin/InspectServer", *this, &AdminCalls::InspectServer);
  methods.add("/shoal.admin.v1.Admin/DrainServer", *this, &AdminCalls::DrainServer);
  methods.add("/shoal.admin.v1.Admin/ResumeServer", *this, &AdminCalls::ResumeServer);
  methods.add("/shoal.admin.v1.Admin/ReloadSettings", *this, &AdminCalls::ReloadSettings);
  methods.add("/shoal.admin.v1.Admin/CreateJoinToken", *this, &AdminCalls::CreateJoinToken);
  methods.add("/shoal.admin.v1.Admin/ListJoinTokens", *this, &AdminCalls::ListJoinTokens);
  methods.add("/shoal.admin.v1.Admin/RevokeJoinToken", *this, &AdminCalls::RevokeJoinToken);
}

}  // namespace shoal::api::grpc
