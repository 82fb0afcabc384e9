#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <string>

#include "server/api/http/offload.hpp"
#include "server/api/http/routes.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;
using dispatch::DurationCount;
using dispatch::ModelStatistics;
using prometheus::MetricFamily;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<const char*, 4> kReasons = {"REJECTED", "CANCELED", "BACKEND", "OTHER"};

double count(std::uint64_t value) { return static_cast<double>(value); }
double microseconds(const DurationCount& duration) { return static_cast<double>(duration.ns / 1000); }

// Every ready version has all of Triton's families from the start, so that a rate over them has a beginning.
void add_model_families(const models::Snapshot& snapshot, const dispatch::Statistics& statistics,
                        std::vector<MetricFamily>& families) {
  struct Column {
    const char* name;
    double (*value)(const ModelStatistics&);
  };
  constexpr std::array<Column, 9> kColumns = {{
      {"nv_inference_request_success", [](const ModelStatistics& s) { return count(s.success.count); }},
      {"nv_inference_count", [](const ModelStatistics& s) { return count(s.inference_count); }},
      {"nv_inference_exec_count", [](const ModelStatistics& s) { return count(s.execution_count); }},
      {"nv_inference_request_duration_us", [](const ModelStatistics& s) { return microseconds(s.success); }},
      {"nv_inference_queue_duration_us", [](const ModelStatistics& s) { return microseconds(s.queue); }},
      {"nv_inference_compute_input_duration_us",
       [](const ModelStatistics& s) { return microseconds(s.compute_input); }},
      {"nv_inference_compute_infer_duration_us",
       [](const ModelStatistics& s) { return microseconds(s.compute_infer); }},
      {"nv_inference_compute_output_duration_us",
       [](const ModelStatistics& s) { return microseconds(s.compute_output); }},
      {"nv_inference_pending_request_count", [](const ModelStatistics& s) { return count(s.pending); }},
  }};
  std::vector<MetricFamily> columns;
  columns.reserve(kColumns.size());
  for (const Column& column : kColumns) {
    columns.push_back(metrics::pulled_family(column.name));
  }
  MetricFamily failures = metrics::pulled_family("nv_inference_request_failure");
  std::map<std::string, double> states = {{"ready", 0}, {"unavailable", 0}};
  for (const auto& [name, versions] : snapshot.models) {
    for (const auto& [number, model] : versions) {
      states[model->is_ready() ? "ready" : "unavailable"] += 1;
      if (!model->is_ready()) {
        continue;
      }
      const auto found = statistics.find({name, number});
      const ModelStatistics values = found == statistics.end() ? ModelStatistics{} : found->second;
      Labels labels = {{"model", name}, {"version", std::to_string(number)}};
      labels.insert(labels.end(), model->metric_tags.begin(), model->metric_tags.end());
      for (std::size_t index = 0; index < kColumns.size(); ++index) {
        metrics::add_sample(columns[index], kColumns[index].value(values), labels);
      }
      for (const char* reason : kReasons) {
        const auto failed = values.failures.find(reason);
        Labels with_reason = labels;
        with_reason.emplace_back("reason", reason);
        metrics::add_sample(failures, failed == values.failures.end() ? 0 : count(failed->second), with_reason);
      }
    }
  }
  MetricFamily by_state = metrics::pulled_family("shoal_models");
  for (const auto& [state, number] : states) {
    metrics::add_sample(by_state, number, {{"state", state}});
  }
  std::ranges::move(columns, std::back_inserter(families));
  families.push_back(std::move(failures));
  families.push_back(std::move(by_state));
}

void add_fleet_families(const metrics::FleetState& fleet, std::vector<MetricFamily>& families) {
  std::map<std::string, double> states;
  std::map<std::string, double> restarts;
  std::map<std::string, double> backends = {{"wasm", 0}, {"webgpu", 0}, {"webnn", 0}};
  MetricFamily memory = metrics::pulled_family("shoal_worker_memory_bytes");
  MetricFamily wasm = metrics::pulled_family("shoal_worker_wasm_bytes");
  MetricFamily gpu = metrics::pulled_family("shoal_worker_gpu_bytes");
  MetricFamily cache = metrics::pulled_family("shoal_worker_cache_bytes");
  MetricFamily heartbeat = metrics::pulled_family("shoal_worker_heartbeat_age_seconds");
  for (const metrics::FleetState::Worker& worker : fleet.workers) {
    states[worker.state] += 1;
    restarts[worker.kind] += count(worker.restarts);
    for (const std::string& backend : worker.backends) {
      backends[backend] += 1;
    }
    metrics::add_sample(memory, count(worker.memory_bytes), {{"worker", worker.slot}});
    metrics::add_sample(wasm, count(worker.wasm_bytes), {{"worker", worker.slot}});
    metrics::add_sample(gpu, count(worker.gpu_bytes), {{"worker", worker.slot}});
    metrics::add_sample(cache, count(worker.cache_bytes), {{"worker", worker.slot}});
    if (worker.heartbeat_age_seconds) {
      metrics::add_sample(heartbeat, *worker.heartbeat_age_seconds, {{"worker", worker.slot}});
    }
  }
  MetricFamily by_state = metrics::pulled_family("shoal_workers");
  for (const auto& [state, number] : states) {
    metrics::add_sample(by_state, number, {{"state", state}});
  }
  MetricFamily by_backend = metrics::pulled_family("shoal_workers_by_backend");
  for (const auto& [backend, number] : backends) {
    metrics::add_sample(by_backend, number, {{"backend", backend}});
  }
  families.push_back(std::move(by_state));
  families.push_back(std::move(by_backend));
  families.push_back(std::move(memory));
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_pool_memory_bytes")),
                      count(fleet.memory_bytes));
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_pool_memory_limit_bytes")),
                      count(fleet.memory_limit_bytes));
  for (MetricFamily* family : {&wasm, &gpu, &cache, &heartbeat}) {
    families.push_back(std::move(*family));
  }
  MetricFamily by_kind = metrics::pulled_family("shoal_worker_restarts_total");
  for (const auto& [kind, number] : restarts) {
    metrics::add_sample(by_kind, number, {{"kind", kind}});
  }
  families.push_back(std::move(by_kind));
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_requests_quarantined")),
                      count(fleet.quarantined_requests));
  MetricFamily wanted = metrics::pulled_family("shoal_workers_wanted");
  MetricFamily steps = metrics::pulled_family("shoal_scaling_steps_total");
  MetricFamily takeovers = metrics::pulled_family("shoal_spare_takeovers_total");
  for (const auto& [kind, scale] : fleet.scales) {
    metrics::add_sample(wanted, static_cast<double>(scale.wanted), {{"kind", kind}});
    metrics::add_sample(steps, static_cast<double>(scale.ups), {{"kind", kind}, {"direction", "up"}});
    metrics::add_sample(steps, static_cast<double>(scale.downs), {{"kind", kind}, {"direction", "down"}});
    metrics::add_sample(takeovers, static_cast<double>(scale.takeovers), {{"kind", kind}});
  }
  for (MetricFamily* family : {&wanted, &steps, &takeovers}) {
    families.push_back(std::move(*family));
  }
  MetricFamily breakers = metrics::pulled_family("shoal_breaker_state");
  MetricFamily opened = metrics::pulled_family("shoal_breaker_opened_total");
  for (const metrics::FleetState::Breaker& breaker : fleet.breakers) {
    metrics::add_sample(breakers, breaker.state, {{"browser", breaker.browser}, {"adapter", breaker.adapter}});
    metrics::add_sample(opened, count(breaker.opened), {{"browser", breaker.browser}, {"adapter", breaker.adapter}});
  }
  families.push_back(std::move(breakers));
  families.push_back(std::move(opened));
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_websocket_sent_bytes_total")),
                      count(fleet.websocket_sent_bytes));
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_websocket_received_bytes_total")),
                      count(fleet.websocket_received_bytes));
}

double resident_bytes() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return count(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

asio::awaitable<Response> metrics_page(Services& services, Exchange&) {
  std::vector<MetricFamily> families;
  add_model_families(*services.models(), services.statistics(), families);
  add_fleet_families(services.fleet(), families);
  metrics::add_sample(families.emplace_back(metrics::pulled_family("shoal_process_resident_memory_bytes")),
                      resident_bytes());
  std::ranges::move(services.metrics.collect(), std::back_inserter(families));
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = co_await offload(services.cpu, [&] { return metrics::text(families); });
  co_return response;
}

}  // namespace

void add_metrics_route(Router& router, Services& services) {
  router.add("GET", "/metrics",
             {.handler = [&services](Exchange& exchange) { return metrics_page(services, exchange); },
              .body_limit = services.limits.control_body_bytes,
              .errors = ErrorStyle::kKserve,
              .guarded = false,
              .scope = auth::Scope::kMetrics});
}

}  // namespace shoal::api::http
