#include "server/app/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>

#include "server/api/http/cors.hpp"
#include "server/app/browser_list.hpp"
#include "server/config/value.hpp"
#include "server/core/split.hpp"
#include "server/pool/machine_memory.hpp"

namespace shoal::app {
namespace {

// Drivers and browsers have a working directory of their own. Empty stays empty.
std::string absolute(const std::string& path) { return path.empty() ? path : std::filesystem::absolute(path).string(); }

// Browsers compute only on pages of a secure origin, so nothing but https will do; a path would not be ours to serve.
Status check_public_url(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  constexpr std::string_view kHostCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]";
  if (url.empty()) {
    return {};
  }
  const std::string_view host = url.starts_with(kScheme) ? url.substr(kScheme.size()) : std::string_view();
  if (host.empty() || host.find_first_not_of(kHostCharacters) != std::string_view::npos) {
    return fail(Code::kInvalidArgument,
                fmt::format("join.public_url: expected https://HOST[:PORT], got '{:.200}'", url), "join.public_url");
  }
  return {};
}

bool is_loopback(std::string_view host) { return host.starts_with("127.") || host == "::1" || host == "localhost"; }

// Whoever can open a page in somebody's browser could use a server without keys.
Status check_cors(const Settings& settings) {
  constexpr std::string_view kName = "server.cors_origins";
  const auto policy = api::http::CorsPolicy::parse(settings.cors_origins);
  if (!policy) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", kName, policy.error().message), std::string(kName));
  }
  if (policy->is_for_all() && !settings.auth_enabled) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("{}: '*' lets every web page use this server; set auth.enabled, or name the origins", kName),
        std::string(kName));
  }
  return {};
}

}  // namespace

using namespace std::chrono_literals;

config::Schema schema_of(Settings& settings) {
  config::Schema schema;
  const auto add = [&schema](std::string name, std::string fallback, std::string allowed, std::string help,
                             config::Apply apply) {
    schema.add({std::move(name), std::move(fallback), std::move(allowed), std::move(help), std::move(apply)});
  };
  using namespace config;
  constexpr std::string_view kPorts = "0 to 65535; 0 = any free port";
  add("server.host", "127.0.0.1", "an IP address", "where HTTP, gRPC and metrics listen", into_text(settings.host));
  add("server.http_port", "8000", std::string(kPorts), "KServe REST, OpenAI, the agent page",
      into_port(settings.http_port));
  add("server.grpc_port", "8001", std::string(kPorts), "KServe gRPC", into_port(settings.grpc_port));
  add("server.metrics_port", "8002", std::string(kPorts), "Prometheus metrics", into_port(settings.metrics_port));
  add("server.insecure", "false", "true, false", "allow a host other than loopback although requests carry no keys",
      into_bool(settings.insecure));
  add("server.public_hosts", "", "host[:port],...", "Host headers that browsers may use beside loopback",
      into_text(settings.public_hosts));
  add("server.cors_origins", "", "https://host[:port],... or *",
      "other sites whose pages may use the inference routes (CORS); * needs auth.enabled",
      into_text(settings.cors_origins));
  add("server.drain_grace", "0s", "0s to 1h",
      "how long requests are still taken after SIGTERM and shoal drain, while readiness says 503",
      into_duration(settings.drain_grace, 0s, 1h));
  add("server.drain_timeout", "30s", "1s to 1h", "how long accepted work may still take after SIGTERM",
      into_duration(settings.drain_timeout, 1s, 1h));
  add("server.request_timeout", "30s", "10ms to 1h", "deadline of requests that name none",
      into_duration(settings.request_timeout, 10ms, 1h));
  add("server.generation_timeout", "10m", "1s to 24h",
      "the same of requests for generated text, which takes as long as it is",
      into_duration(settings.generation_timeout, 1s, 24h));
  add("server.stream_silence", "15s", "0s to 10m",
      "after so long without a token a stream of OpenAI's routes gets a comment, so that nobody between takes it for "
      "dead (0s: never)",
      into_duration(settings.stream_silence, 0s, 10min));
  add("server.max_request_bytes", "64MiB", "64KiB to 1GiB", "largest inference body, after its header",
      into_bytes(settings.max_request_bytes, 64U << 10, 1U << 30));
  add("server.max_connections", "1024", "1 to 65536", "open HTTP connections",
      into_integer(settings.max_connections, 1, 65536));
  add("server.cpu_threads", "2", "1 to 64", "threads for tokenising and large JSON",
      into_integer(settings.cpu_threads, 1, 64));
  add("server.events", "1024", "16 to 1000000", "changes of state of browsers and models that are kept for operators",
      into_integer(settings.events, 16, 1'000'000));
  add("log.level", "info", "debug, info, warn, error", "least level that is written",
      into_choice(settings.log_level, {"debug", "info", "warn", "error"}));
  add("log.format", "text", "text, json", "one line per event", into_choice(settings.log_format, {"text", "json"}));
  add("models.repository", "", "a folder; default $SHOAL_HOME/models", "the model repository",
      into_text(settings.repository));
  add("models.warm_up", "all", "none, default, all",
      "what browsers load ahead of requests: nothing, each model's default backend, or its other backends behind it",
      into_choice(settings.warm_up, {"none", "default", "all"}));
  add("models.control", "none", "none, poll, explicit",
      "which models are served: those at start, also what changes later, or what clients load",
      into_choice(settings.model_control, {"none", "poll", "explicit"}));
  add("models.poll_interval", "15s", "100ms to 1h", "how often models.control=poll looks at the repository",
      into_duration(settings.poll_interval, 100ms, 1h));
  add("models.load_on_start", "", "name,...; * = all", "what models.control=explicit loads by itself",
      into_text(settings.load_on_start));
  add("echo.workers", "0", "0 to 1024; 0 = models of backend 'echo' are not served",
      "workers inside the server that give inputs back: for tests and measurements without a browser",
      into_integer(settings.echo_workers, 0, 1024));
  add("agent.dir", "", "a folder", "the agent bundle; default: beside the binary or in the source tree",
      into_text(settings.agent_dir));
  add("pool.browsers", std::string(kDefaultBrowsers),
      "kind=...,count=...,backends=a+b,threads=...;...; README has all keys; none = none",
      "the browsers to keep; in the file a list of maps", into_text(settings.browsers));
  add("pool.adapter", "auto", "auto, hardware, software", "which GPU adapter browsers use",
      into_choice(settings.adapter, {"auto", "hardware", "software"}));
  add("pool.headless_shell", "", "a file", "headless_shell; default $SHOAL_HOME/tools/headless_shell",
      into_text(settings.headless_shell));
  add("pool.chromium", "", "a file", "Chromium; default: Debian's", into_text(settings.chromium));
  add("pool.chromedriver", "", "a file", "chromedriver; default: Debian's", into_text(settings.chromedriver));
  add("pool.start_concurrency", "0", "0 to 256; 0 = the machine's cores, at least 2",
      "browsers that are being started at once; those that were lost come first",
      into_integer(settings.start_concurrency, 0, 256));
  add("pool.breaker_failures", "5", "1 to 1000",
      "failed starts of one browser program within pool.breaker_window, before it is left alone for a while",
      into_integer(settings.breaker_failures, 1, 1000));
  add("pool.breaker_window", "60s", "1s to 1h", "how long a failed start counts",
      into_duration(settings.breaker_window, 1s, 1h));
  add("pool.breaker_pause", "5s", "100ms to 5m", "the first pause; one browser tries then, and each failure doubles it",
      into_duration(settings.breaker_pause, 100ms, 5min));
  add("pool.connect_timeout", "30s", "1s to 10m", "browser launched to agent connected",
      into_duration(settings.connect_timeout, 1s, 10min));
  add("pool.resume_grace", "500ms", "0s to 10s; 0 = none",
      "an agent whose connection broke while its browser lives may come back within it",
      into_duration(settings.resume_grace, 0s, 10s));
  add("pool.heartbeat_silence", "10s", "2s to 10m", "a connected agent that says nothing for so long is restarted",
      into_duration(settings.heartbeat_silence, 2s, 10min));
  add("pool.page_silence", "30s", "2s to 10m", "a browser whose page does not run for so long is restarted",
      into_duration(settings.page_silence, 2s, 10min));
  add("pool.engine_silence", "30s", "2s to 10m",
      "a browser with an idle engine that says nothing for so long is restarted",
      into_duration(settings.engine_silence, 2s, 10min));
  add("pool.load_timeout", "3m", "1s to 1h", "one model load in a browser",
      into_duration(settings.load_timeout, 1s, 1h));
  add("pool.total_memory", "0", "0 to 1TiB; 0 = four fifths of the machine's or container's memory",
      "what the processes of all browsers of this machine may take together",
      into_bytes(settings.total_memory, 0, 1ULL << 40));
  add("pool.memory_budget", "0", "0 to 1TiB; 0 = an equal part of pool.total_memory",
      "what the graphs in one browser may take; a browser whose processes take more is replaced once it is idle",
      into_bytes(settings.memory_budget, 0, 1ULL << 40));
  add("pool.memory_monitoring", "true", "true, false",
      "measure what the browsers' processes take, and replace those that take more than pool.memory_budget, or the "
      "largest where all take more than pool.total_memory",
      into_bool(settings.memory_monitoring));
  add("pool.accelerator_lease", "shared", "shared, exclusive",
      "exclusive: webgpu and webnn each to one browser of this machine at a time, with all of its tabs",
      into_choice(settings.accelerator_lease, {"shared", "exclusive"}));
  add("pool.cpu_pinning", "off", "off, auto",
      "auto: each browser without cpus=... keeps to an equal part of the CPUs, where there are as many as browsers",
      into_choice(settings.cpu_pinning, {"off", "auto"}));
  add("pool.scale_up_queue", "2", "0 to 1000000",
      "queued requests per worker; with more for pool.scale_up_after, a group of browsers with max=... gets one more",
      into_integer(settings.scale_up_queue, 0, 1'000'000));
  add("pool.scale_up_after", "2s", "0s to 1h", "how long requests must wait in such numbers",
      into_duration(settings.scale_up_after, 0s, 1h));
  add("pool.scale_down_idle", "60s", "1s to 24h",
      "one worker not needed for so long, and nothing queued: a group with min=... gets one fewer",
      into_duration(settings.scale_down_idle, 1s, 24h));
  add("pool.scale_cooldown", "10s", "0s to 1h", "a group of browsers that has changed keeps its number for so long",
      into_duration(settings.scale_cooldown, 0s, 1h));
  add("pool.recycle_runs", "0", "0 to 1000000000; 0 = never",
      "a browser is replaced after so many runs, once it is idle",
      into_integer(settings.recycle_runs, 0, 1'000'000'000));
  add("pool.recycle_age", "0s", "0s to 720h; 0 = never", "a browser is replaced after so long, once it is idle",
      into_duration(settings.recycle_age, 0s, 720h));
  add("auth.enabled", "false", "true, false",
      "every request needs an API key (shoal keys create), but for health checks", into_bool(settings.auth_enabled));
  add("auth.keys", "", "a file", "the keys, read again when it changes; default $SHOAL_HOME/keys.json",
      into_text(settings.auth_keys));
  add("join.enabled", "false", "true, false", "let devices join by URL and token", into_bool(settings.join_enabled));
  add("join.public_url", "", "https://HOST[:PORT]", "how devices reach this server; default: this machine itself",
      into_text(settings.join_url));
  add("join.bind", "0.0.0.0", "an IP address", "where devices reach the join page, by TLS",
      into_text(settings.join_bind));
  add("join.port", "8443", std::string(kPorts), "the join page and its agents, by TLS", into_port(settings.join_port));
  add("join.spot_check_percent", "5", "0 to 100", "results of an untrusted device that a trusted worker computes again",
      into_integer(settings.spot_check_percent, 0, 100));
  add("join.spot_check_first", "10", "0 to 1000000", "results of a device that has just come, all of which are checked",
      into_integer(settings.spot_check_first, 0, 1'000'000));
  add("join.max_failures", "20", "1 to 1000000", "wrong tokens of one address within a minute, then it is not heard",
      into_integer(settings.join_max_failures, 1, 1'000'000));
  add("tls.enabled", "false", "true, false", "serve HTTP (with /metrics) and gRPC by TLS too, on ports of their own",
      into_bool(settings.tls_enabled));
  add("tls.host", "0.0.0.0", "an IP address", "where they listen", into_text(settings.tls_host));
  add("tls.http_port", "8444", std::string(kPorts), "HTTPS: KServe REST, OpenAI, admin, metrics",
      into_port(settings.tls_http_port));
  add("tls.grpc_port", "8445", std::string(kPorts), "gRPC by TLS", into_port(settings.tls_grpc_port));
  add("tls.client_authority", "", "a PEM file", "clients of these ports must show a certificate of this authority",
      into_text(settings.tls_client_authority));
  add("tls.certificate", "", "a PEM file",
      "certificate chain of all TLS ports; default: from an own authority in $SHOAL_HOME/tls",
      into_text(settings.tls_certificate));
  add("tls.key", "", "a PEM file", "its key", into_text(settings.tls_key));
  add("join.max_devices", "64", "1 to 128", "devices connected at once",
      into_integer(settings.join_max_devices, 1, 128));
  add("schedule.max_queue", "1024", "1 to 1000000", "queued requests; more are refused at once",
      into_integer(settings.max_queue, 1, 1'000'000));
  add("schedule.max_queue_bytes", "512MiB", "1MiB to 64GiB", "bytes of queued inputs",
      into_bytes(settings.max_queue_bytes, 1U << 20, std::uint64_t{64} << 30));
  add("schedule.load_balancing", "true", "true, false",
      "give work to the least busy worker; false: to the first that will do, in the order of their names",
      into_bool(settings.load_balancing));
  add("schedule.max_attempts", "3", "1 to 10", "browsers that one request may lose before it is answered with an error",
      into_integer(settings.max_attempts, 1, 10));
  add("schedule.poison_expiry", "10m", "1s to 24h",
      "a request that lost as many browsers as schedule.max_attempts is refused for so long",
      into_duration(settings.poison_expiry, 1s, 24h));
  add("schedule.max_in_flight", "2", "1 to 16", "runs sent to one engine of a browser at once",
      into_integer(settings.max_in_flight, 1, 16));
  add("schedule.ageing", "10s", "0s to 1h; 0 = never",
      "a request that waits so long is served as if its priority were one higher, and so on",
      into_duration(settings.ageing, 0s, 1h));
  add("schedule.placement", "preference", "preference, measured",
      "which of a model's backends computes: the first of its preference that is there, or one that runs are measured "
      "to "
      "be faster on",
      into_choice(settings.placement, {"preference", "measured"}));
  add("schedule.dynamic_batching", "true", "true, false",
      "join requests that wait for the same graph into one run, where their model allows it",
      into_bool(settings.dynamic_batching));
  add("schedule.max_batch_time", "250ms", "0s to 10m; 0 = no limit",
      "what joining requests may make of a run, by what such runs took before",
      into_duration(settings.max_batch_time, 0s, 10min));
  add("schedule.refuse_late", "true", "true, false",
      "refuse a request at once that would end after its deadline, by what is served before it and how fast that goes",
      into_bool(settings.refuse_late));
  add("schedule.max_instances", "8", "1 to 256", "graphs resident in one engine of a browser",
      into_integer(settings.max_instances, 1, 256));
  return schema;
}

std::filesystem::path keys_file(const Settings& settings) {
  return settings.auth_keys.empty() ? std::filesystem::path(settings.home) / "keys.json"
                                    : std::filesystem::path(settings.auth_keys);
}

Status check(const Settings& settings) {
  const bool has_keys = settings.insecure || settings.auth_enabled;
  if (!is_loopback(settings.host) && !has_keys) {
    return fail(Code::kInvalidArgument,
                fmt::format("server.host: '{}' is reachable from other machines and requests carry no keys; use a "
                            "loopback address, set auth.enabled, or set server.insecure to true",
                            settings.host),
                "server.host");
  }
  if (settings.tls_enabled && !is_loopback(settings.tls_host) && !has_keys && settings.tls_client_authority.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("tls.host: '{}' is reachable from other machines and nobody is asked who they are; set "
                            "auth.enabled or tls.client_authority, or use a loopback address",
                            settings.tls_host),
                "tls.host");
  }
  if (Status status = check_cors(settings); !status) {
    return status;
  }
  if (Status status = check_public_url(settings.join_url); !status) {
    return status;
  }
  if (!settings.load_on_start.empty() && settings.model_control != "explicit") {
    return fail(Code::kInvalidArgument, "models.load_on_start: it needs models.control=explicit",
                "models.load_on_start");
  }
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return fail(Code::kInvalidArgument, "tls.certificate, tls.key: set both or neither", "tls.key");
  }
  if (const auto pool = pool_config_of(settings); !pool) {
    return fail(pool.error());
  }
  return {};
}

Result<pool::PoolConfig> pool_config_of(const Settings& settings) {
  pool::PoolConfig pool;
  auto groups = parse_browsers(settings.browsers);
  if (!groups) {
    return fail(std::move(groups.error()));
  }
  pool.groups = *std::move(groups);
  // A group's own paths come first; these are the older names, one for each program.
  const std::map<std::string, std::string> programs = {{"headless_shell", settings.headless_shell},
                                                       {"chromium", settings.chromium}};
  for (pool::BrowserGroup& group : pool.groups) {
    const auto program = programs.find(group.kind);
    if (program == programs.end()) {
      continue;
    }
    group.browser_path = group.browser_path.empty() ? absolute(program->second) : group.browser_path;
    group.driver_path = group.driver_path.empty() ? absolute(settings.chromedriver) : group.driver_path;
  }
  pool.home = settings.home;
  pool.adapter = settings.adapter == "hardware"   ? pool::AdapterPolicy::kHardware
                 : settings.adapter == "software" ? pool::AdapterPolicy::kSoftware
                                                  : pool::AdapterPolicy::kAuto;
  pool.monitors_memory = settings.memory_monitoring;
  pool.leases_accelerators = settings.accelerator_lease == "exclusive";
  pool.pins_cpus = settings.cpu_pinning == "auto";
  pool.start_concurrency = settings.start_concurrency > 0
                               ? settings.start_concurrency
                               : std::max<std::size_t>(2, std::thread::hardware_concurrency());
  pool.breaker.failures = static_cast<std::uint32_t>(settings.breaker_failures);
  pool.breaker.window = settings.breaker_window;
  pool.breaker.first_pause = settings.breaker_pause;
  pool.launch_timeout = settings.connect_timeout;
  pool.connect_timeout = settings.connect_timeout;
  pool.resume_grace = settings.resume_grace;
  pool.scaling.up_queue = settings.scale_up_queue;
  pool.scaling.up_after = settings.scale_up_after;
  pool.scaling.down_idle = settings.scale_down_idle;
  pool.scaling.cooldown = settings.scale_cooldown;
  pool.link_silence = settings.heartbeat_silence;
  pool.page_silence = settings.page_silence;
  pool.engine_silence = settings.engine_silence;
  pool.load_timeout = settings.load_timeout;
  pool.join.is_enabled = settings.join_enabled;
  pool.join.max_devices = settings.join_max_devices;
  pool.join.max_failures = static_cast<std::uint32_t>(settings.join_max_failures);
  std::size_t browsers = 0;
  for (const pool::BrowserGroup& group : pool.groups) {
    // Those of a remote end take another machine's.
    browsers += group.remote_url.empty() ? pool::slot_count_of(group) : 0;
  }
  pool.total_memory_bytes =
      settings.total_memory > 0 ? settings.total_memory : pool::default_total(pool::memory_limit());
  pool.wear = {.max_runs = settings.recycle_runs,
               .max_age = settings.recycle_age,
               .max_memory_bytes = settings.memory_budget > 0 ? settings.memory_budget
                                                              : pool::default_budget(pool.total_memory_bytes, browsers),
               .memory_grace = pool.wear.memory_grace};
  return pool;
}

dispatch::ModelControlOptions control_options_of(const Settings& settings) {
  dispatch::ModelControlOptions options;
  options.mode = settings.model_control == "explicit" ? dispatch::ControlMode::kExplicit
                 : settings.model_control == "poll"   ? dispatch::ControlMode::kPoll
                                                      : dispatch::ControlMode::kNone;
  options.poll_interval = settings.poll_interval;
  options.build_timeout = settings.load_timeout;
  for (const std::string_view name : split(settings.load_on_start, ',')) {
    if (!name.empty()) {
      options.load_on_start.emplace_back(name);
    }
  }
  return options;
}

dispatch::SequenceGateOptions gate_options_of(const Settings& settings) {
  return {.default_timeout = settings.request_timeout,
          .max_waiting = settings.max_queue,
          .max_waiting_bytes = settings.max_queue_bytes};
}

dispatch::TextServiceOptions text_options_of(const Settings& settings) {
  return {.default_timeout = settings.generation_timeout};
}

dispatch::DispatcherOptions dispatcher_options_of(const Settings& settings) {
  dispatch::DispatcherOptions options;
  options.limits.max_queued = settings.max_queue;
  options.limits.max_queued_bytes = settings.max_queue_bytes;
  options.limits.max_attempts = static_cast<std::uint32_t>(settings.max_attempts);
  options.poison.expiry = settings.poison_expiry;
  options.limits.max_in_flight = static_cast<std::uint32_t>(settings.max_in_flight);
  options.limits.ageing = settings.ageing;
  options.limits.prefers_measured = settings.placement == "measured";
  options.limits.joins = settings.dynamic_batching;
  options.limits.refuses_late = settings.refuse_late;
  options.limits.max_batch_time = settings.max_batch_time;
  options.limits.max_instances = settings.max_instances;
  options.limits.balances_load = settings.load_balancing;
  options.limits.load_timeout = settings.load_timeout;
  options.default_timeout = settings.request_timeout;
  options.spot_check = {.share = static_cast<double>(settings.spot_check_percent) / 100,
                        .first = static_cast<std::uint32_t>(settings.spot_check_first)};
  options.warm_up = settings.warm_up == "none"      ? dispatch::WarmUp::kNone
                    : settings.warm_up == "default" ? dispatch::WarmUp::kDefault
                                                    : dispatch::WarmUp::kAll;
  return options;
}

}  // namespace shoal::app
