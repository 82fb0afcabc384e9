#include "server/app/app.hpp"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <filesystem>
#include <optional>

#include "server/api/admin/fleet.hpp"
#include "server/api/grpc/server.hpp"
#include "server/api/http/routes.hpp"
#include "server/api/http/server.hpp"
#include "server/api/openapi/routes.hpp"
#include "server/api/services.hpp"
#include "server/app/agent_bundle.hpp"
#include "server/app/browser_list.hpp"
#include "server/app/event.hpp"
#include "server/app/fleet_state.hpp"
#include "server/app/heap.hpp"
#include "server/app/join_front.hpp"
#include "server/app/key_watch.hpp"
#include "server/app/tls_files.hpp"
#include "server/app/tls_http.hpp"
#include "server/core/split.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/model_control.hpp"
#include "server/dispatch/sequence_gate.hpp"
#include "server/metrics/families.hpp"
#include "server/net/open_lane.hpp"
#include "server/pool/echo_worker.hpp"
#include "server/pool/pool.hpp"
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

struct App::Parts {
  Parts(Settings the_settings, Log the_log)
      : settings(std::move(the_settings)),
        log(std::move(the_log)),
        cpu(settings.cpu_threads),
        signals(main.executor()),
        dispatcher(main.executor(), dispatcher_options_of(settings), metrics, log),
        sequences(main.executor(), dispatcher,
                  {.default_timeout = settings.request_timeout,
                   .max_waiting = settings.max_queue,
                   .max_waiting_bytes = settings.max_queue_bytes}),
        models(main.executor(),
               {.root = repository(),
                .store = std::filesystem::path(settings.home) / "store",
                .has_echo = settings.echo_workers > 0},
               control_options_of(settings), dispatcher, log),
        events(settings.events, log, [this](const pool::Event& event) { count_event(event, metrics); }),
        heap(main.executor(), cpu,
             [this] { return Heap::Requests{dispatcher.requests(), dispatcher.open_requests() > 0}; }),
        admin([this] { return pool ? &*pool : nullptr; }, dispatcher, events),
        services{.inference = sequences,
                 .models = [this] { return models.snapshot(); },
                 .statistics = [this] { return dispatcher.statistics(); },
                 .fleet = [this] { return pool ? fleet_state(*pool, dispatcher) : metrics::FleetState(); },
                 .metrics = metrics,
                 .log = log,
                 .main = main.executor(),
                 .cpu = cpu,
                 .limits = {},
                 .version = SHOAL_VERSION} {
    services.limits.infer_body_bytes = settings.max_request_bytes;
    services.limits.connections = settings.max_connections;
    dispatcher.set_events(events);
    dispatcher.set_lost([this](const std::string& slot) { sequences.worker_lost(slot); });
  }

  Status start();
  // What clients and operators ask, by whatever port.
  api::http::Router api_routes();
  // The ports by TLS, and what gRPC needs for its own.
  Result<std::optional<api::grpc::TlsPort>> make_tls(api::http::ServerOptions options);
  void start_echo();
  void watch_signals();
  asio::awaitable<void> shut_down();
  std::filesystem::path repository() const;
  void add_join_addresses(const JoinFront& front, pool::JoinConfig& addresses) const;

  Settings settings;
  Log log;
  net::OpenLane main;
  asio::thread_pool cpu;
  asio::signal_set signals;
  metrics::Families metrics;
  auth::Gate gate;
  std::optional<KeyWatch> keys;
  dispatch::Dispatcher dispatcher;
  dispatch::SequenceGate sequences;
  dispatch::ModelControl models;
  pool::EventLog events;
  Heap heap;
  api::admin::Fleet admin;
  api::Services services;
  std::optional<api::http::Server> http;
  std::optional<api::http::Server> metrics_page;
  std::optional<api::grpc::Server> grpc;
  std::optional<TlsHttp> https;
  std::optional<JoinFront> join;
  std::optional<pool::Pool> pool;
  std::deque<pool::EchoWorker> echoes;
  bool is_stopping = false;
  int exit_status = 0;
};

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

void App::Parts::watch_signals() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) {
      return;
    }
    if (is_stopping) {
      log.warn("stopping_now", {{"signal", signal}});
      _exit(1);  // supervisors see their pipes close and take the browsers down
    }
    is_stopping = true;
    log.info("draining", {{"signal", signal}, {"requests", dispatcher.open_requests() + sequences.waiting()}});
    asio::co_spawn(main.executor(), shut_down(), [](const std::exception_ptr& failure) {
      if (failure) {
        std::rethrow_exception(failure);
      }
    });
    watch_signals();
  });
}

asio::awaitable<void> App::Parts::shut_down() {
  const TimePoint deadline = Clock::now() + settings.drain_timeout;
  Event idle(main.executor());
  sequences.drain([this, &idle] { dispatcher.drain([&idle] { idle.set(); }); });
  if (!co_await idle.wait_until(deadline)) {
    log.warn("drain_timeout", {{"unanswered", dispatcher.open_requests() + sequences.waiting()}});
    exit_status = 1;
    const Error late{Code::kUnavailable, "the server shut down before the request was answered", {}};
    sequences.abandon(late);
    dispatcher.abandon(late);
  }
  // Answers are on their way to the sockets; idle connections are closed at once.
  const TimePoint flush = Clock::now() + std::chrono::seconds(2);
  Event http_done(main.executor());
  Event metrics_done(main.executor());
  Event grpc_done(main.executor());
  grpc->drain(flush, [&grpc_done] { grpc_done.set(); });
  http->drain(flush, [&http_done] { http_done.set(); });
  metrics_page->drain(flush, [&metrics_done] { metrics_done.set(); });
  const TimePoint never = TimePoint::max();
  Event join_done(main.executor());
  Event https_done(main.executor());
  if (https) {
    https->drain(flush, [&https_done] { https_done.set(); });
  } else {
    https_done.set();
  }
  if (join) {
    join->drain(flush, [&join_done] { join_done.set(); });
  } else {
    join_done.set();
  }
  co_await pool->close();
  co_await http_done.wait_until(never);
  co_await metrics_done.wait_until(never);
  co_await grpc_done.wait_until(never);
  co_await https_done.wait_until(never);
  co_await join_done.wait_until(never);
  models.stop();
  heap.stop();
  signals.cancel();
  if (keys) {
    keys->stop();
  }
  log.info("stopped");
  main.stop();
}

App::App(Settings settings, Log log) : parts_(std::make_unique<Parts>(std::move(settings), std::move(log))) {}
App::~App() = default;

int App::run() {
  Parts& parts = *parts_;
  // Protobuf writes bad input to stderr by itself; a hostile browser could flood it. Our own errors say what was wrong.
  google::protobuf::SetLogHandler(nullptr);
  // From inside the lane: once gRPC listens, calls come in.
  parts.main.enter([&parts] {
    parts.signals.add(SIGINT);
    parts.signals.add(SIGTERM);
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
