#include "server/app/app.hpp"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "server/api/http/routes.hpp"
#include "server/api/openapi/routes.hpp"
#include "server/app/agent_bundle.hpp"
#include "server/app/browser_list.hpp"
#include "server/app/parts.hpp"
#include "server/app/tls_files.hpp"
#include "server/core/split.hpp"
#include "server/pool/reception.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;

// As set, and where the agent page of some browsers is.
std::vector<std::string> public_hosts(const std::string& text, const std::string& join_url,
                                      const pool::PoolConfig& config) {
  std::vector<std::string> hosts;
  if (!text.empty()) {
    const std::vector<std::string_view> set = split(text, ',');
    hosts.assign(set.begin(), set.end());
  }
  for (const pool::BrowserGroup& group : config.groups) {
    if (const std::string origin = pool::origin_of(group.agent_url); !origin.empty()) {
      hosts.push_back(origin.substr(origin.find("://") + 3));
    }
  }
  if (config.join.is_enabled && !join_url.empty()) {
    hosts.push_back(join_url.substr(join_url.find("://") + 3));
  }
  return hosts;
}

}  // namespace

std::filesystem::path App::Parts::repository() const {
  return settings.repository.empty() ? std::filesystem::path(settings.home) / "models"
                                     : std::filesystem::path(settings.repository);
}

Status App::Parts::start() {
  std::error_code ignored;
  if (!std::filesystem::is_directory(repository(), ignored)) {
    return fail(Code::kNotFound, fmt::format("models.repository: '{}' is not a folder", repository().string()),
                "models.repository");
  }
  const std::filesystem::path agent = find_agent(settings);
  const auto build = agent_build(agent);
  if (!build) {
    return fail(build.error());
  }
  gate.set_refused([this](Code code) { metrics.key_refused(code); });
  if (settings.auth_enabled) {
    keys.emplace(main.executor(), keys_file(settings), gate, log);
    if (Status status = keys->start(); !status) {
      return status;
    }
  }
  api::http::Router router = api_routes();
  api::http::add_agent_routes(router, services, agent);
  if (settings.join_enabled) {
    api::http::add_join_routes(router, services, agent);
  }
  auto config = pool_config_of(settings);
  if (!config) {
    return fail(std::move(config.error()));
  }
  const api::http::Upgrade upgrade = [this](asio::ip::tcp::socket socket, net::UpgradeRequest request,
                                            std::string peer) {
    if (pool) {
      pool->accept(std::move(socket), std::move(request), std::move(peer));
    }
  };
  api::http::ServerOptions options{.address = settings.host,
                                   .port = settings.http_port,
                                   .public_hosts = public_hosts(settings.public_hosts, settings.join_url, *config),
                                   .cors = *api::http::CorsPolicy::parse(settings.cors_origins),
                                   .limits = services.limits,
                                   .upgrade = upgrade,
                                   .metrics = &metrics,
                                   .gate = &gate};
  http.emplace(main.executor(), cpu, std::move(router), options, log);
  api::http::Router metrics_router;
  api::http::add_metrics_route(metrics_router, services);
  options.port = settings.metrics_port;
  options.upgrade = nullptr;
  metrics_page.emplace(main.executor(), cpu, std::move(metrics_router), options, log);
  auto tls_port = make_tls(options);
  if (!tls_port) {
    return fail(std::move(tls_port.error()));
  }
  grpc.emplace(services, api::grpc::ServerOptions{.address = settings.host,
                                                  .port = settings.grpc_port,
                                                  .admin = &admin,
                                                  .gate = &gate,
                                                  .tls = *std::move(tls_port),
                                                  .control = &models});
  if (settings.join_enabled) {
    join.emplace(settings, services, agent, upgrade, metrics);
  }
  for (const auto& listen : {std::function<Status()>([this] { return http->listen(); }),
                             std::function<Status()>([this] { return metrics_page->listen(); }),
                             std::function<Status()>([this] { return grpc->start(); }),
                             std::function<Status()>([this] { return https ? https->listen() : Status(); }),
                             std::function<Status()>([this] { return join ? join->listen() : Status(); })}) {
    if (Status status = listen(); !status) {
      return status;
    }
  }
  log.info("listening", {{"host", settings.host},
                         {"http", http->port()},
                         {"grpc", grpc->port()},
                         {"metrics", metrics_page->port()},
                         {"https", https ? https->port() : 0},
                         {"grpc_tls", grpc->tls_port()},
                         {"join", join ? join->port() : 0},
                         {"version", services.version}});
  models.start();
  heap.start();
  config->agent_build = *build;
  if (join) {
    add_join_addresses(*join, config->join);
  }
  for (const auto& [slot, backends] : slots_of(config->groups)) {
    dispatcher.slot_configured(slot, backends);
    dispatcher.set_budget(slot, config->wear.max_memory_bytes);
  }
  dispatcher.set_recycle([this](const std::string& slot, const std::string& reason) {
    if (Status status = pool->recycle(slot, reason); !status) {
      log.warn("recycle_failed", {{"worker", slot}, {"error", status.error().message}});
    }
  });
  dispatcher.set_quarantine([this](const std::string& slot, const std::string& reason) {
    if (Status status = pool->devices().quarantine(slot, reason); !status) {
      log.warn("quarantine_failed", {{"worker", slot}, {"error", status.error().message}});
    }
  });
  start_echo();
  pool.emplace(main.executor(), cpu, *std::move(config), log, dispatcher, events);
  pool->set_demand([this](const auto& groups) { return dispatcher.backlog(groups); });
  // Browsers run on this machine: they come in by loopback whatever address clients use.
  return pool->start(fmt::format("http://127.0.0.1:{}/agent/", http->port()));
}

void App::Parts::start_echo() {
  for (std::uint64_t index = 0; index < settings.echo_workers; ++index) {
    pool::EchoWorker& echo = echoes.emplace_back(main.executor(), fmt::format("echo/{}", index));
    dispatcher.slot_configured(echo.state().slot, echo.state().backends);
    dispatcher.worker_ready(echo);
  }
}

api::http::Router App::Parts::api_routes() {
  api::http::Router router;
  api::openapi::add_routes(router, services, &models, admin);
  return router;
}

Result<std::optional<api::grpc::TlsPort>> App::Parts::make_tls(api::http::ServerOptions options) {
  if (!settings.tls_enabled) {
    return std::nullopt;
  }
  const auto files = certificate_of(settings);
  if (!files) {
    return fail(files.error());
  }
  auto port = grpc_port_of(settings, *files);
  if (!port) {
    return fail(std::move(port.error()));
  }
  api::http::Router router = api_routes();
  api::http::add_metrics_route(router, services);
  options.upgrade = nullptr;
  const auto connections = static_cast<std::uint32_t>(settings.max_connections);
  https.emplace(
      main.executor(), cpu, std::move(router), std::move(options),
      net::TlsOptions{.address = settings.tls_host,
                      .port = settings.tls_http_port,
                      .chain = files->chain,
                      .key = files->key,
                      .client_authority = settings.tls_client_authority,
                      // A gateway is one address.
                      .limits = {.connections = connections,
                                 .all_connections = connections,
                                 .per_second = 1000,
                                 .burst = static_cast<double>(connections)},
                      // Requests may take as long as their deadlines; idle connections are the sessions' matter.
                      .idle_timeout = std::chrono::hours(1)},
      log);
  return *std::move(port);
}

void App::Parts::add_join_addresses(const JoinFront& front, pool::JoinConfig& addresses) const {
  for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
    addresses.origins.push_back(fmt::format("http://{}:{}", host, http->port()));
  }
  const std::vector<std::string> secure = front.origins();
  addresses.url = secure.front() + "/join";
  addresses.origins.insert(addresses.origins.end(), secure.begin(), secure.end());
}

App::App(Settings settings, SettingsSource source, Log log)
    : parts_(std::make_unique<Parts>(std::move(settings), std::move(source), std::move(log))) {}
App::~App() = default;

int App::run() {
  Parts& parts = *parts_;
  // Protobuf writes bad input to stderr by itself; a hostile browser could flood it. Our own errors say what was wrong.
  google::protobuf::SetLogHandler(nullptr);
  // From inside the lane: once gRPC listens, calls come in.
  parts.main.enter([&parts] {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      parts.signals.add(signal);
    }
    parts.watch_signals();
    if (Status status = parts.start(); !status) {
      parts.log.error("start_failed", {{"error", status.error().message}});
      fmt::print(stderr, "shoal: {}\n", status.error().message);
      std::fflush(stderr);
      _exit(1);  // nothing was accepted yet, and supervisors take down what was launched
    }
  });
  parts.main.run();
  parts.cpu.join();
  return parts.exit_status;
}

}  // namespace shoal::app
