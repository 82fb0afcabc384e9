// An operators' service that knows one worker, chromium/0, and writes down what it is asked.
#pragma once

#include <string>
#include <vector>

#include "server/api/admin/admin_service.hpp"

namespace shoal::api::admin {

class ScriptedAdmin final : public AdminService {
 public:
  v1::ListWorkersResponse list(const v1::ListWorkersRequest&) override {
    v1::ListWorkersResponse response;
    *response.add_workers() = *worker("chromium/0", "list");
    return response;
  }
  Result<v1::Worker> inspect(const v1::InspectWorkerRequest& request) override {
    return worker(request.slot(), "inspect");
  }
  Result<v1::Worker> drain(const v1::DrainWorkerRequest& request) override {
    return worker(request.slot(), "drain " + request.reason());
  }
  Result<v1::Worker> resume(const v1::ResumeWorkerRequest& request) override {
    return worker(request.slot(), "resume");
  }
  Result<v1::Worker> recycle(const v1::RecycleWorkerRequest& request) override {
    return worker(request.slot(), request.force() ? "recycle by force" : "recycle");
  }
  Result<v1::Worker> kill(const v1::KillWorkerRequest& request) override { return worker(request.slot(), "kill"); }
  Result<v1::Worker> set_budget(const v1::SetWorkerBudgetRequest& request) override {
    return worker(request.slot(), "budget " + std::to_string(request.bytes()));
  }
  v1::ListPoisonResponse list_poison(const v1::ListPoisonRequest&) override {
    v1::ListPoisonResponse response;
    response.add_poison()->set_fingerprint("f00d");
    return response;
  }
  Result<v1::ClearPoisonResponse> clear_poison(const v1::ClearPoisonRequest& request) override {
    asked.push_back("clear " + request.fingerprint());
    if (!request.fingerprint().empty() && request.fingerprint() != "f00d") {
      return fail(Code::kNotFound, "no such fingerprint", "fingerprint");
    }
    v1::ClearPoisonResponse response;
    response.set_cleared(1);
    return response;
  }
  void debug(const v1::DebugWorkerRequest& request, Debugged done) override {
    const auto found = worker(request.slot(), request.shaders() ? "debug shaders" : "debug");
    if (!found) {
      done(fail(found.error()));
      return;
    }
    v1::DebugWorkerResponse response;
    response.mutable_report()->add_notes("nothing");
    done(std::move(response));
  }
  v1::ListEventsResponse events(const v1::ListEventsRequest& request) override {
    asked.push_back("events " + std::to_string(request.after()) + " " + std::to_string(request.limit()));
    v1::ListEventsResponse response;
    response.add_events()->set_sequence(request.after() + 1);
    return response;
  }

  Result<v1::CreateJoinTokenResponse> create_token(const v1::CreateJoinTokenRequest& request) override {
    asked.push_back("create_token " + request.name());
    v1::CreateJoinTokenResponse response;
    response.set_secret("secret");
    return response;
  }
  v1::ListJoinTokensResponse tokens(const v1::ListJoinTokensRequest&) override {
    asked.emplace_back("tokens");
    return {};
  }
  Result<v1::JoinToken> revoke_token(const v1::RevokeJoinTokenRequest& request) override {
    asked.push_back("revoke_token " + request.id());
    return fail(Code::kNotFound, "no join token '" + request.id() + "'", "id");
  }

  v1::Server inspect_server(const v1::InspectServerRequest&) override { return server("serving"); }
  Result<v1::Server> drain_server(const v1::DrainServerRequest& request) override {
    asked.push_back("drain_server " + request.reason() +
                    (request.has_grace_ms() ? " " + std::to_string(request.grace_ms()) : ""));
    return server("leaving");
  }
  Result<v1::Server> resume_server(const v1::ResumeServerRequest&) override { return server("serving"); }
  Result<v1::ReloadSettingsResponse> reload_settings(const v1::ReloadSettingsRequest&) override {
    asked.emplace_back("reload");
    v1::ReloadSettingsResponse response;
    response.add_changed("log.level");
    return response;
  }

  std::vector<std::string> asked;

 private:
  static v1::Server server(const std::string& state) {
    v1::Server server;
    server.set_state(state);
    return server;
  }
  Result<v1::Worker> worker(const std::string& slot, std::string what) {
    asked.push_back(std::move(what));
    if (slot != "chromium/0") {
      return fail(Code::kNotFound, "no worker '" + slot + "' in this pool", "slot");
    }
    v1::Worker worker;
    worker.set_slot(slot);
    worker.set_restarts(std::uint64_t{1} << 40);
    return worker;
  }
};

}  // namespace shoal::api::admin
