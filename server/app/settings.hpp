// Every setting of `shoal serve`, as the parts take them. Filled at start, and again at a reload (settings_change.hpp);
// plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/config/reader.hpp"
#include "server/config/schema.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/model_control.hpp"
#include "server/dispatch/sequence_gate.hpp"
#include "server/dispatch/text_service.hpp"
#include "server/pool/config.hpp"

namespace shoal::app {

struct Settings {
  std::string home = ".shoal";  // SHOAL_HOME

  std::string host;
  std::uint16_t http_port = 0;
  std::uint16_t grpc_port = 0;
  std::uint16_t metrics_port = 0;
  bool insecure = false;
  std::string public_hosts;
  std::string cors_origins;
  std::chrono::milliseconds drain_grace{};
  std::chrono::milliseconds drain_timeout{};
  std::chrono::milliseconds request_timeout{};
  std::chrono::milliseconds generation_timeout{};
  std::chrono::milliseconds stream_silence{};
  std::uint64_t max_request_bytes = 0;
  std::uint64_t max_connections = 0;
  std::uint64_t cpu_threads = 0;
  std::uint64_t events = 0;

  std::string log_level;
  std::string log_format;

  std::string repository;
  std::string warm_up;
  std::string model_control;
  std::chrono::milliseconds poll_interval{};
  std::string load_on_start;

  std::uint64_t echo_workers = 0;

  std::string agent_dir;

  std::string browsers;
  std::string adapter;
  std::string headless_shell;
  std::string chromium;
  std::string chromedriver;
  std::uint64_t start_concurrency = 0;
  std::chrono::milliseconds resume_grace{};
  std::uint64_t breaker_failures = 0;
  std::chrono::milliseconds breaker_window{};
  std::chrono::milliseconds breaker_pause{};
  std::chrono::milliseconds connect_timeout{};
  std::chrono::milliseconds heartbeat_silence{};
  std::chrono::milliseconds page_silence{};
  std::chrono::milliseconds engine_silence{};
  std::chrono::milliseconds load_timeout{};
  std::uint64_t total_memory = 0;
  std::uint64_t memory_budget = 0;
  std::uint64_t recycle_runs = 0;
  bool memory_monitoring = true;
  std::string cpu_pinning;
  std::string accelerator_lease;
  bool load_balancing = true;
  std::chrono::milliseconds recycle_age{};

  std::uint64_t scale_up_queue = 0;
  std::chrono::milliseconds scale_up_after{};
  std::chrono::milliseconds scale_down_idle{};
  std::chrono::milliseconds scale_cooldown{};
  bool auth_enabled = false;
  std::string auth_keys;

  bool join_enabled = false;
  std::string join_url;  // join.public_url
  std::uint64_t join_max_devices = 0;
  std::uint64_t join_max_failures = 0;
  std::string join_bind;
  std::uint16_t join_port = 0;
  std::uint64_t spot_check_percent = 0;
  std::uint64_t spot_check_first = 0;
  bool tls_enabled = false;
  std::string tls_host;
  std::uint16_t tls_http_port = 0;
  std::uint16_t tls_grpc_port = 0;
  std::string tls_client_authority;
  std::string tls_certificate;
  std::string tls_key;

  std::uint64_t max_queue = 0;
  std::uint64_t max_queue_bytes = 0;
  std::uint64_t max_attempts = 0;
  std::chrono::milliseconds poison_expiry{};
  std::chrono::milliseconds max_batch_time{};
  std::chrono::milliseconds ageing{};
  bool dynamic_batching = true;
  bool refuse_late = true;
  std::string placement;
  std::uint64_t max_in_flight = 0;
  std::uint64_t max_instances = 0;

  bool operator==(const Settings&) const = default;
};

// The settings as a schema that stores into `settings`, which must outlive it.
config::Schema schema_of(Settings& settings);

// Where the API keys are.
std::filesystem::path keys_file(const Settings& settings);

// Cross-checks after reading: an open bind without keys, names that must parse.
Status check(const Settings& settings);

Result<pool::PoolConfig> pool_config_of(const Settings& settings);
dispatch::DispatcherOptions dispatcher_options_of(const Settings& settings);
dispatch::ModelControlOptions control_options_of(const Settings& settings);
dispatch::SequenceGateOptions gate_options_of(const Settings& settings);
dispatch::TextServiceOptions text_options_of(const Settings& settings);

}  // namespace shoal::app
