// All routes that the server's description has, but the metrics page, and GET /openapi.json, which answers with it. A
// route that is added here and not described fails a test. The router refers to what it is given, which must outlive
// it. Main lane.
#pragma once

#include "server/api/admin/admin_service.hpp"
#include "server/api/http/routes.hpp"

namespace shoal::api::openapi {

// Without a `control` loading and unloading models are refused.
void add_routes(http::Router& router, Services& services, dispatch::ModelControl* control, admin::AdminService& admin);

}  // namespace shoal::api::openapi
