// REST of the operators' service: /admin/v1/workers, /admin/v1/events and the rest of the folder. Guarded: only our own
// pages and programs that name one of our hosts. The router refers to `services` and `service`, which must outlive it.
// Main lane.
#pragma once

#include "server/api/admin/admin_service.hpp"
#include "server/api/http/router.hpp"
#include "server/api/services.hpp"

namespace shoal::api::admin {

void add_admin_routes(http::Router& router, Services& services, AdminService& service);

}  // namespace shoal::api::admin
