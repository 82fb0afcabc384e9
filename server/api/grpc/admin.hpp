// shoal.admin.v1.Admin: each call is one function of the AdminService, run on the main lane. Owned by the server; the
// thread of its queue enters here.
#pragma once

#include "server/api/admin/admin_service.hpp"
#include "server/api/grpc/call.hpp"
#include "server/api/grpc/calls.hpp"
#include "shoal/admin/v1/admin.grpc.pb.h"

namespace shoal::api::grpc {

class AdminCalls final {
 public:
  // `service` outlives this.
  AdminCalls(Calls& calls, admin::AdminService& service) : calls_(calls), service_(service) {}

  // Requires: outlives them.
  void add_to(Methods& methods);

  using Context = CallContext;
  using Unary = UnaryReactor;

  Unary* ListWorkers(Context*, const admin::v1::ListWorkersRequest*, admin::v1::ListWorkersResponse*);
  Unary* InspectWorker(Context*, const admin::v1::InspectWorkerRequest*, admin::v1::Worker*);
  Unary* DrainWorker(Context*, const admin::v1::DrainWorkerRequest*, admin::v1::Worker*);
  Unary* ResumeWorker(Context*, const admin::v1::ResumeWorkerRequest*, admin::v1::Worker*);
  Unary* RecycleWorker(Context*, const admin::v1::RecycleWorkerRequest*, admin::v1::Worker*);
  Unary* KillWorker(Context*, const admin::v1::KillWorkerRequest*, admin::v1::Worker*);
  Unary* SetWorkerBudget(Context*, const admin::v1::SetWorkerBudgetRequest*, admin::v1::Worker*);
  Unary* ListPoison(Context*, const admin::v1::ListPoisonRequest*, admin::v1::ListPoisonResponse*);
  Unary* ClearPoison(Context*, const admin::v1::ClearPoisonRequest*, admin::v1::ClearPoisonResponse*);
  Unary* DebugWorker(Context*, const admin::v1::DebugWorkerRequest*, admin::v1::DebugWorkerResponse*);
  Unary* CreateJoinToken(Context*, const admin::v1::CreateJoinTokenRequest*, admin::v1::CreateJoinTokenResponse*);
  Unary* ListJoinTokens(Context*, const admin::v1::ListJoinTokensRequest*, admin::v1::ListJoinTokensResponse*);
  Unary* RevokeJoinToken(Context*, const admin::v1::RevokeJoinTokenRequest*, admin::v1::JoinToken*);
  Unary* ListEvents(Context*, const admin::v1::ListEventsRequest*, admin::v1::ListEventsResponse*);
  Unary* InspectServer(Context*, const admin::v1::InspectServerRequest*, admin::v1::Server*);
  Unary* DrainServer(Context*, const admin::v1::DrainServerRequest*, admin::v1::Server*);
  Unary* ResumeServer(Context*, const admin::v1::ResumeServerRequest*, admin::v1::Server*);
  Unary* ReloadSettings(Context*, const admin::v1::ReloadSettingsRequest*, admin::v1::ReloadSettingsResponse*);

 private:
  // `call` on the main lane; its result becomes `response`.
  template <class Response, class Call>
  Unary* answer(Context* context, Response* response, Call call, auth::Scope scope = auth::Scope::kAdmin);

  Calls& calls_;
  admin::AdminService& service_;
};

}  // namespace shoal::api::grpc
