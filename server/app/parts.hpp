// What the app is made of. Its members are in app.cpp (the start), shut_down.cpp and reload.cpp.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <filesystem>
#include <optional>
#include <utility>

#include "server/api/admin/fleet.hpp"
#include "server/api/grpc/server.hpp"
#include "server/api/http/server.hpp"
#include "server/api/services.hpp"
#include "server/app/app.hpp"
#include "server/app/fleet_state.hpp"
#include "server/app/heap.hpp"
#include "server/app/join_front.hpp"
#include "server/app/key_watch.hpp"
#include "server/app/lifecycle.hpp"
#include "server/app/settings_change.hpp"
#include "server/app/tls_http.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/model_control.hpp"
#include "server/dispatch/sequence_gate.hpp"
#include "server/dispatch/text_service.hpp"
#include "server/metrics/families.hpp"
#include "server/net/open_lane.hpp"
#include "server/pool/echo_worker.hpp"
#include "server/pool/pool.hpp"

namespace shoal::app {

struct App::Parts {
  Parts(Settings the_settings, SettingsSource the_source, Log the_log)
      : settings(std::move(the_settings)),
        source(std::move(the_source)),
        log(std::move(the_log)),
        cpu(settings.cpu_threads),
        signals(main.executor()),
        dispatcher(main.executor(), dispatcher_options_of(settings), metrics, log),
        sequences(main.executor(), dispatcher, gate_options_of(settings)),
        texts(main.executor(), cpu.get_executor(), sequences, text_options_of(settings)),
        models(main.executor(),
               {.root = repository(),
                .store = std::filesystem::path(settings.home) / "store",
                .has_echo = settings.echo_workers > 0},
               control_options_of(settings), dispatcher, log),
        events(settings.events, log, [this](const pool::Event& event) { count_event(event, metrics); }),
        heap(main.executor(), cpu,
             [this] { return Heap::Requests{dispatcher.requests(), dispatcher.open_requests() > 0}; }),
        lifecycle(
            main.executor(), sequences, dispatcher, [this] { return Duration(settings.drain_grace); },
            [this] { return reload(); }, log),
        admin([this] { return pool ? &*pool : nullptr; }, dispatcher, events, lifecycle),
        services{.inference = texts,
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
    services.limits.stream_silence = settings.stream_silence;
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
  void stop(int signal);
  boost::asio::awaitable<void> shut_down(int signal);
  // shoal.yaml again. An error, which is logged, changes nothing.
  Result<shoal::admin::v1::ReloadSettingsResponse> reload();
  Status apply(const SettingsChange& change);
  std::filesystem::path repository() const;
  void add_join_addresses(const JoinFront& front, pool::JoinConfig& addresses) const;

  Settings settings;
  SettingsSource source;
  Log log;
  net::OpenLane main;
  boost::asio::thread_pool cpu;
  boost::asio::signal_set signals;
  metrics::Families metrics;
  auth::Gate gate;
  std::optional<KeyWatch> keys;
  dispatch::Dispatcher dispatcher;
  dispatch::SequenceGate sequences;
  dispatch::TextService texts;
  dispatch::ModelControl models;
  pool::EventLog events;
  Heap heap;
  Lifecycle lifecycle;
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

}  // namespace shoal::app
