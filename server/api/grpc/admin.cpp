#include "server/api/grpc/admin.hpp"

#include <memory>
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

template <class Given>
struct ResponseOf {
  using Type = Given;
};
template <class Response>
struct ResponseOf<Result<Response>> {
  using Type = Response;
};

const std::string kPrefix = "/shoal.admin.v1.Admin/";

}  // namespace

template <class Request, class Given>
void AdminCalls::add(Methods& methods, const std::string& name, Given (admin::AdminService::*function)(const Request&),
                     auth::Scope scope) {
  using Response = ResponseOf<Given>::Type;
  using Both = MessagesOf<Request, Response>;
  const auto begin = [this, function, scope](CallContext& context, Messages* messages) -> Reactor* {
    auto& both = static_cast<Both&>(*messages);
    auto* reactor = context.DefaultReactor();
    net::enter(calls_.services.main, [this, function, scope, &context, &both, reactor] {
      const Status status = admit(calls_, context, scope);
      finish<Response>(&context, reactor, &both.response,
                       status ? Result<Response>((service_.*function)(both.request)) : fail(status.error()));
    });
    return reactor;
  };
  methods.add(kPrefix + name, {.make_messages = [] { return std::make_unique<Both>(); }, .begin = begin});
}

UnaryReactor* AdminCalls::debug_worker(CallContext* context, const v1::DebugWorkerRequest* request,
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

void AdminCalls::add_to(Methods& methods) {
  using admin::AdminService;
  add(methods, "ListWorkers", &AdminService::list);
  add(methods, "InspectWorker", &AdminService::inspect);
  add(methods, "DrainWorker", &AdminService::drain);
  add(methods, "ResumeWorker", &AdminService::resume);
  add(methods, "RecycleWorker", &AdminService::recycle);
  add(methods, "KillWorker", &AdminService::kill);
  methods.add(kPrefix + "DebugWorker", *this, &AdminCalls::debug_worker);
  add(methods, "ListPoison", &AdminService::list_poison);
  add(methods, "ClearPoison", &AdminService::clear_poison);
  add(methods, "SetWorkerBudget", &AdminService::set_budget);
  add(methods, "ListEvents", &AdminService::events);
  add(methods, "InspectServer", &AdminService::inspect_server);
  add(methods, "DrainServer", &AdminService::drain_server);
  add(methods, "ResumeServer", &AdminService::resume_server);
  add(methods, "ReloadSettings", &AdminService::reload_settings);
  add(methods, "CreateJoinToken", &AdminService::create_token, auth::Scope::kJoin);
  add(methods, "ListJoinTokens", &AdminService::tokens, auth::Scope::kJoin);
  add(methods, "RevokeJoinToken", &AdminService::revoke_token, auth::Scope::kJoin);
}

}  // namespace shoal::api::grpc
