// The routes of the two listeners. The routers refer to `services`, which must outlive them. Main lane.
#pragma once

#include <filesystem>

#include "server/api/http/router.hpp"
#include "server/api/services.hpp"

namespace shoal::api::http {

// KServe v2 REST (server/api/http/kserve_routes.cpp).
void add_kserve_routes(Router& router, Services& services);
// "/" and the agent: its bundle from `agent_dir`, model files by content at /agent/blobs/<sha256>.
void add_agent_routes(Router& router, Services& services, const std::filesystem::path& agent_dir);
// GET /metrics.
void add_metrics_route(Router& router, Services& services);

}  // namespace shoal::api::http
