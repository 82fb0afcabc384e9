// The AdminService of the real pool and dispatcher: what concerns both is done to both here, on the main lane. Owned by
// the app, which outlives the front ends.
#pragma once

#include <functional>

#include "server/api/admin/admin_service.hpp"
#include "server/api/admin/server_control.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/pool.hpp"

namespace shoal::api::admin {

class Fleet final : public AdminService {
 public:
  // `pool` may answer nullptr until the pool is made: there are no workers yet.
  Fleet(std::function<pool::Pool*()> pool, dispatch::Dispatcher& dispatcher, const pool::EventLog& events,
        ServerControl& server);

  v1::ListWorkersResponse list(const v1::ListWorkersRequest& request) override;
  Result<v1::Worker> inspect(const v1::InspectWorkerRequest& request) override;
  Result<v1::Worker> drain(const v1::DrainWorkerRequest& request) override;
  Result<v1::Worker> resume(const v1::ResumeWorkerRequest& request) override;
  Result<v1::Worker> recycle(const v1::RecycleWorkerRequest& request) override;
  Result<v1::Worker> kill(const v1::KillWorkerRequest& request) override;
  Result<v1::Worker> set_budget(const v1::SetWorkerBudgetRequest& request) override;
  v1::ListPoisonResponse list_poison(const v1::ListPoisonRequest& request) override;
  Result<v1::ClearPoisonResponse> clear_poison(const v1::ClearPoisonRequest& request) override;
  void debug(const v1::DebugWorkerRequest& request, Debugged done) override;
  v1::ListEventsResponse events(const v1::ListEventsRequest& request) override;
  Result<v1::CreateJoinTokenResponse> create_token(const v1::CreateJoinTokenRequest& request) override;
  v1::ListJoinTokensResponse tokens(const v1::ListJoinTokensRequest& request) override;
  Result<v1::JoinToken> revoke_token(const v1::RevokeJoinTokenRequest& request) override;
  v1::Server inspect_server(const v1::InspectServerRequest&) override { return server_.state(); }
  Result<v1::Server> drain_server(const v1::DrainServerRequest& request) override { return server_.drain(request); }
  Result<v1::Server> resume_server(const v1::ResumeServerRequest&) override { return server_.resume(); }
  Result<v1::ReloadSettingsResponse> reload_settings(const v1::ReloadSettingsRequest&) override {
    return server_.reload();
  }

 private:
  Result<v1::Worker> worker(const std::string& slot, bool with_capabilities = false) const;
  // `act` on the slot, then how it is.
  template <class Act>
  Result<v1::Worker> change(const std::string& slot, Act act);

  std::function<pool::Pool*()> pool_;
  dispatch::Dispatcher& dispatcher_;
  const pool::EventLog& events_;
  ServerControl& server_;
};

}  // namespace shoal::api::admin
