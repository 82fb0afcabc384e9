// shoal.admin.v1.Admin: each call is one function of the AdminService, run on the main lane. Owned by the server; the
// thread of its queue enters here.
#pragma once

#include <string>

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

 private:
  // The method is this function of the service, which gives the response or a Result of it.
  template <class Request, class Given>
  void add(Methods& methods, const std::string& name, Given (admin::AdminService::*function)(const Request&),
           auth::Scope scope = auth::Scope::kAdmin);
  UnaryReactor* debug_worker(CallContext* context, const admin::v1::DebugWorkerRequest* request,
                             admin::v1::DebugWorkerResponse* response);

  Calls& calls_;
  admin::AdminService& service_;
};

}  // namespace shoal::api::grpc
