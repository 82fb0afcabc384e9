// The routes of the two listeners. The routers refer to `services`, which must outlive them. Main lane.
#pragma once

#include <filesystem>

#include "server/api/http/router.hpp"
#include "server/api/services.hpp"

namespace shoal::dispatch {
class ModelControl;
}

namespace shoal::api::http {

// KServe v2 REST (server/api/http/kserve_routes.cpp).
void add_kserve_routes(Router& router, Services& services);
// POST /v2/repository/...; without a `control` loading and unloading are refused.
void add_repository_routes(Router& router, Services& services, dispatch::ModelControl* control);
// /v2/systemsharedmemory and /v2/cudasharedmemory, which answer 501.
void add_shared_memory_routes(Router& router, Services& services);
// POST /v2/parallel.
void add_parallel_route(Router& router, Services& services);
// "/" and the agent: its bundle from `agent_dir`, model files by content at /agent/blobs/<sha256>.
void add_agent_routes(Router& router, Services& services, const std::filesystem::path& agent_dir);
// The agent's part of the above.
void add_agent_files(Router& router, Services& services, const std::filesystem::path& agent_dir);
// /join: the page of devices that join, on top of the agent's routes.
void add_join_routes(Router& router, Services& services, const std::filesystem::path& agent_dir);
// GET /metrics.
void add_metrics_route(Router& router, Services& services);

}  // namespace shoal::api::http
