// What operators can ask of the fleet, in the messages of shoal.admin.v1; the front ends turn them into gRPC and JSON.
// Main lane. An unknown slot is kNotFound and named.
#pragma once

#include <shoal/admin/v1/admin.pb.h>

#include <functional>

#include "engine/core/result.hpp"

namespace shoal::api::admin {

namespace v1 = shoal::admin::v1;

class AdminService {
 public:
  AdminService() = default;
  AdminService(const AdminService&) = delete;
  AdminService& operator=(const AdminService&) = delete;
  virtual ~AdminService() = default;

  virtual v1::ListWorkersResponse list(const v1::ListWorkersRequest& request) = 0;
  virtual Result<v1::Worker> inspect(const v1::InspectWorkerRequest& request) = 0;
  virtual Result<v1::Worker> drain(const v1::DrainWorkerRequest& request) = 0;
  virtual Result<v1::Worker> resume(const v1::ResumeWorkerRequest& request) = 0;
  virtual Result<v1::Worker> recycle(const v1::RecycleWorkerRequest& request) = 0;
  virtual Result<v1::Worker> kill(const v1::KillWorkerRequest& request) = 0;
  virtual Result<v1::Worker> set_budget(const v1::SetWorkerBudgetRequest& request) = 0;
  virtual v1::ListPoisonResponse list_poison(const v1::ListPoisonRequest& request) = 0;
  virtual Result<v1::ClearPoisonResponse> clear_poison(const v1::ClearPoisonRequest& request) = 0;
  // `done` is called exactly once, on the main lane, possibly from inside this call.
  using Debugged = std::function<void(Result<v1::DebugWorkerResponse>)>;
  virtual void debug(const v1::DebugWorkerRequest& request, Debugged done) = 0;
  virtual v1::ListEventsResponse events(const v1::ListEventsRequest& request) = 0;
  // kInvalidArgument names the field; kUnavailable where devices do not join.
  virtual Result<v1::CreateJoinTokenResponse> create_token(const v1::CreateJoinTokenRequest& request) = 0;
  virtual v1::ListJoinTokensResponse tokens(const v1::ListJoinTokensRequest& request) = 0;
  virtual Result<v1::JoinToken> revoke_token(const v1::RevokeJoinTokenRequest& request) = 0;
  // The server as a whole: server_control.hpp.
  virtual v1::Server inspect_server(const v1::InspectServerRequest& request) = 0;
  virtual Result<v1::Server> drain_server(const v1::DrainServerRequest& request) = 0;
  virtual Result<v1::Server> resume_server(const v1::ResumeServerRequest& request) = 0;
  virtual Result<v1::ReloadSettingsResponse> reload_settings(const v1::ReloadSettingsRequest& request) = 0;
};

}  // namespace shoal::api::admin
