#include "server/metrics/families.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <sstream>
#include <stdexcept>

namespace shoal::metrics {
namespace {

using prometheus::MetricType;

// Names of Triton's families are kept to the letter (no _total), so that dashboards made for it work.
const std::vector<FamilyDeclaration> kDeclarations = {
    {"nv_inference_request_success", MetricType::Counter, "Successful inference requests", "model,version"},
    {"nv_inference_request_failure", MetricType::Counter, "Failed inference requests by reason",
     "model,version,reason"},
    {"nv_inference_count", MetricType::Counter, "Inferences: a request counts with its batch size", "model,version"},
    {"nv_inference_exec_count", MetricType::Counter, "Runs in browsers: a batch of requests is one", "model,version"},
    {"nv_inference_request_duration_us", MetricType::Counter, "Cumulative time of requests, end to end",
     "model,version"},
    {"nv_inference_queue_duration_us", MetricType::Counter, "Cumulative time that requests waited for a worker",
     "model,version"},
    {"nv_inference_compute_input_duration_us", MetricType::Counter, "Cumulative time on the way into the engine",
     "model,version"},
    {"nv_inference_compute_infer_duration_us", MetricType::Counter, "Cumulative time in the engine's run",
     "model,version"},
    {"nv_inference_compute_output_duration_us", MetricType::Counter, "Cumulative time on the way back",
     "model,version"},
    {"nv_inference_pending_request_count", MetricType::Gauge, "Requests accepted and not yet sent to a worker",
     "model,version"},
    {"shoal_request_duration_seconds", MetricType::Histogram, "Answered requests, end to end",
     "model,version,variant,backend,browser"},
    {"shoal_request_queue_seconds", MetricType::Histogram, "Waiting for a worker",
     "model,version,variant,backend,browser"},
    {"shoal_request_compute_seconds", MetricType::Histogram, "In the engine's run",
     "model,version,variant,backend,browser"},
    {"shoal_request_overhead_seconds", MetricType::Histogram,
     "All that is neither compute nor waiting for a worker: the server, the wire and the agent",
     "model,version,variant,backend,browser"},
    {"shoal_batch_rows", MetricType::Histogram, "Rows of a run, of one request or of several that were joined",
     "model,backend"},
    {"shoal_prompt_tokens_total", MetricType::Counter, "Tokens of prompts whose answers began", "model"},
    {"shoal_cached_prompt_tokens_total", MetricType::Counter,
     "Of these, those that a browser had read for an earlier prompt", "model"},
    {"shoal_generated_tokens_total", MetricType::Counter, "Tokens of answers", "model"},
    {"shoal_time_to_first_token_seconds", MetricType::Histogram, "From a request to the first token of its answer",
     "model,backend"},
    {"shoal_time_per_output_token_seconds", MetricType::Histogram, "Between two tokens of an answer, its mean",
     "model,backend"},
    {"shoal_decode_rows", MetricType::Histogram, "Answers that went on together, mean of the steps of an answer",
     "model,backend"},
    {"shoal_requests_redispatched_total", MetricType::Counter,
     "Requests sent to another worker because the first was lost", "model"},
    {"shoal_spot_checks_total", MetricType::Counter, "Results of untrusted workers that were computed again", "result"},
    {"shoal_requests_quarantined", MetricType::Gauge, "Requests that are refused because workers were lost with them",
     ""},
    {"shoal_auth_refusals_total", MetricType::Counter, "Requests that were refused for their API key", "code"},
    {"shoal_quarantine_refusals_total", MetricType::Counter, "Times that such a request was refused", "model"},
    {"shoal_http_responses_total", MetricType::Counter, "HTTP answers", "route,status"},
    {"shoal_workers", MetricType::Gauge, "Worker slots by state", "state"},
    {"shoal_workers_by_backend", MetricType::Gauge, "Workers on which the backend is usable now", "backend"},
    {"shoal_worker_memory_bytes", MetricType::Gauge, "Proportional set size of the worker's process tree", "worker"},
    {"shoal_pool_memory_bytes", MetricType::Gauge, "The same of all browsers of this machine together", ""},
    {"shoal_pool_memory_limit_bytes", MetricType::Gauge, "What they may take: pool.total_memory; 0 = no limit", ""},
    {"shoal_worker_wasm_bytes", MetricType::Gauge, "WebAssembly memories, by the agent's own accounting", "worker"},
    {"shoal_worker_gpu_bytes", MetricType::Gauge, "GPU buffers and WebNN tensors, by the agent's own accounting",
     "worker"},
    {"shoal_worker_cache_bytes", MetricType::Gauge, "Weights that the browser keeps", "worker"},
    {"shoal_worker_heartbeat_age_seconds", MetricType::Gauge, "Since a connected agent said anything", "worker"},
    {"shoal_worker_launch_seconds", MetricType::Histogram, "From the start of a launch to a ready worker", "kind"},
    {"shoal_worker_recovery_seconds", MetricType::Histogram,
     "From the loss of a worker to the next one in its place, by how much of the browser had to go", "rung"},
    {"shoal_worker_recoveries_total", MetricType::Counter, "Losses that were made good, by why the worker was lost",
     "rung,reason"},
    {"shoal_worker_restarts_total", MetricType::Counter, "Browsers started again", "kind"},
    {"shoal_workers_wanted", MetricType::Gauge, "Workers that are to serve now: pool.browsers and its scaling", "kind"},
    {"shoal_scaling_steps_total", MetricType::Counter, "Times that one worker more or fewer was wanted: up, down",
     "kind,direction"},
    {"shoal_spare_takeovers_total", MetricType::Counter, "Spares that were given work to do", "kind"},
    {"shoal_breaker_state", MetricType::Gauge, "Of the breaker of a browser: 0 closed, 1 half-open, 2 open",
     "browser,adapter"},
    {"shoal_breaker_opened_total", MetricType::Counter, "Times that the breaker of a browser opened",
     "browser,adapter"},
    {"shoal_websocket_sent_bytes_total", MetricType::Counter, "To agents", ""},
    {"shoal_websocket_received_bytes_total", MetricType::Counter, "From agents", ""},
    {"shoal_process_resident_memory_bytes", MetricType::Gauge, "Resident memory of the server itself", ""},
    {"shoal_models", MetricType::Gauge, "Model versions by state", "state"},
};

// 100 us to 60 s in steps of about 2: an embedding takes 1 ms to 1 s, a large graph on a software adapter seconds, and
// a share of a step is what a percentile of the histogram can be wrong by.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                          0.02,   0.04,    0.08,   0.15,  0.3,    0.6,   1.0,
                                                          2.5,    5.0,     10.0,   20.0,  30.0,   60.0};

const prometheus::Histogram::BucketBoundaries kRows = {1, 2, 4, 8, 16, 32, 64, 128};

const FamilyDeclaration& declaration(std::string_view name) {
  for (const FamilyDeclaration& candidate : kDeclarations) {
    if (candidate.name == name) {
      return candidate;
    }
  }
  throw std::logic_error("undeclared metric family " + std::string(name));
}

template <class Builder>
auto& build(Builder builder, std::string_view name, prometheus::Registry& registry) {
  return builder.Name(std::string(name)).Help(std::string(declaration(name).help)).Register(registry);
}

constexpr double kMicro = 1e-6;

}  // namespace

const std::vector<FamilyDeclaration>& declarations() { return kDeclarations; }

struct Families::State {
  struct Latency {
    prometheus::Histogram& total;
    prometheus::Histogram& queue;
    prometheus::Histogram& compute;
    prometheus::Histogram& overhead;
  };

  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& total =
      build(prometheus::BuildHistogram(), "shoal_request_duration_seconds", registry);
  prometheus::Family<prometheus::Histogram>& queue =
      build(prometheus::BuildHistogram(), "shoal_request_queue_seconds", registry);
  prometheus::Family<prometheus::Histogram>& compute =
      build(prometheus::BuildHistogram(), "shoal_request_compute_seconds", registry);
  prometheus::Family<prometheus::Histogram>& overhead =
      build(prometheus::BuildHistogram(), "shoal_request_overhead_seconds", registry);
  prometheus::Family<prometheus::Histogram>& rows = build(prometheus::BuildHistogram(), "shoal_batch_rows", registry);
  prometheus::Family<prometheus::Counter>& prompt_tokens =
      build(prometheus::BuildCounter(), "shoal_prompt_tokens_total", registry);
  prometheus::Family<prometheus::Counter>& cached_tokens =
      build(prometheus::BuildCounter(), "shoal_cached_prompt_tokens_total", registry);
  prometheus::Family<prometheus::Counter>& tokens =
      build(prometheus::BuildCounter(), "shoal_generated_tokens_total", registry);
  prometheus::Family<prometheus::Histogram>& first_tokens =
      build(prometheus::BuildHistogram(), "shoal_time_to_first_token_seconds", registry);
  prometheus::Family<prometheus::Histogram>& next_tokens =
      build(prometheus::BuildHistogram(), "shoal_time_per_output_token_seconds", registry);
  prometheus::Family<prometheus::Histogram>& together =
      build(prometheus::BuildHistogram(), "shoal_decode_rows", registry);
  prometheus::Family<prometheus::Counter>& redispatched =
      build(prometheus::BuildCounter(), "shoal_requests_redispatched_total", registry);
  prometheus::Family<prometheus::Counter>& spot_checks =
      build(prometheus::BuildCounter(), "shoal_spot_checks_total", registry);
  prometheus::Family<prometheus::Counter>& refused =
      build(prometheus::BuildCounter(), "shoal_quarantine_refusals_total", registry);
  prometheus::Family<prometheus::Counter>& unauthorized =
      build(prometheus::BuildCounter(), "shoal_auth_refusals_total", registry);
  prometheus::Family<prometheus::Counter>& responses =
      build(prometheus::BuildCounter(), "shoal_http_responses_total", registry);
  prometheus::Family<prometheus::Histogram>& launches =
      build(prometheus::BuildHistogram(), "shoal_worker_launch_seconds", registry);
  prometheus::Family<prometheus::Histogram>& recoveries =
      build(prometheus::BuildHistogram(), "shoal_worker_recovery_seconds", registry);
  prometheus::Family<prometheus::Counter>& recovered =
      build(prometheus::BuildCounter(), "shoal_worker_recoveries_total", registry);
  // Looked up once per set of labels: finding a metric by them hashes them all.
  std::map<std::string, Latency, std::less<>> latencies;
  std::string key;  // of `latencies`, kept for its memory
  std::map<std::pair<std::string, std::string>, prometheus::Histogram*, std::less<>> batches;
  std::map<std::pair<std::string, unsigned>, prometheus::Counter*> answered;
};

Families::Families() : state_(std::make_unique<State>()) {}
Families::~Families() = default;

void Families::request_answered(const RequestLabels& by, const RequestTiming& timing) {
  std::string& key = state_->key;
  key.clear();
  for (const std::string_view value : {by.model, by.variant, by.backend, by.browser}) {
    key.append(value).push_back('\0');
  }
  key.append(reinterpret_cast<const char*>(&by.version), sizeof(by.version));
  auto found = state_->latencies.find(key);
  if (found == state_->latencies.end()) {
    const std::map<std::string, std::string> labels = {{"model", std::string(by.model)},
                                                       {"version", std::to_string(by.version)},
                                                       {"variant", std::string(by.variant)},
                                                       {"backend", std::string(by.backend)},
                                                       {"browser", std::string(by.browser)}};
    found =
        state_->latencies
            .emplace(key, State::Latency{state_->total.Add(labels, kSeconds), state_->queue.Add(labels, kSeconds),
                                         state_->compute.Add(labels, kSeconds), state_->overhead.Add(labels, kSeconds)})
            .first;
  }
  const std::uint64_t elsewhere = timing.queue_us + timing.compute_us;
  const State::Latency& latency = found->second;
  latency.total.Observe(static_cast<double>(timing.total_us) * kMicro);
  latency.queue.Observe(static_cast<double>(timing.queue_us) * kMicro);
  latency.compute.Observe(static_cast<double>(timing.compute_us) * kMicro);
  latency.overhead.Observe(static_cast<double>(timing.total_us > elsewhere ? timing.total_us - elsewhere : 0) * kMicro);
}

void Families::run_finished(std::string_view model, std::string_view backend, std::uint64_t rows) {
  prometheus::Histogram*& histogram = state_->batches[{std::string(model), std::string(backend)}];
  if (histogram == nullptr) {
    histogram = &state_->rows.Add({{"model", std::string(model)}, {"backend", std::string(backend)}}, kRows);
  }
  histogram->Observe(static_cast<double>(rows));
}

void Families::tokens_made(std::string_view model, std::uint64_t prompt_tokens, std::uint64_t tokens) {
  const std::map<std::string, std::string> labels = {{"model", std::string(model)}};
  state_->prompt_tokens.Add(labels).Increment(static_cast<double>(prompt_tokens));
  state_->tokens.Add(labels).Increment(static_cast<double>(tokens));
}

void Families::text_generated(const GenerationLabels& by, const GenerationTiming& timing) {
  const std::map<std::string, std::string> labels = {{"model", std::string(by.model)},
                                                     {"backend", std::string(by.backend)}};
  state_->cached_tokens.Add({{"model", std::string(by.model)}}).Increment(static_cast<double>(timing.cached_tokens));
  state_->first_tokens.Add(labels, kSeconds).Observe(static_cast<double>(timing.first_us) * kMicro);
  if (timing.tokens > 1) {
    const auto steps = static_cast<double>(timing.tokens - 1);
    state_->next_tokens.Add(labels, kSeconds).Observe(static_cast<double>(timing.rest_us) * kMicro / steps);
  }
  if (timing.mean_rows > 0) {
    state_->together.Add(labels, kRows).Observe(timing.mean_rows);
  }
}

void Families::request_redispatched(std::string_view model) {
  state_->redispatched.Add({{"model", std::string(model)}}).Increment();
}

void Families::spot_checked(std::string_view result) {
  state_->spot_checks.Add({{"result", std::string(result)}}).Increment();
}

void Families::poison_refused(std::string_view model) {
  state_->refused.Add({{"model", std::string(model)}}).Increment();
}

void Families::key_refused(Code code) {
  state_->unauthorized.Add({{"code", std::string(code_name(code))}}).Increment();
}

void Families::worker_launched(std::string_view kind, double seconds) {
  state_->launches.Add({{"kind", std::string(kind)}}, kSeconds).Observe(seconds);
}

void Families::worker_recovered(std::string_view rung, std::string_view reason, double seconds) {
  state_->recoveries.Add({{"rung", std::string(rung)}}, kSeconds).Observe(seconds);
  state_->recovered.Add({{"rung", std::string(rung)}, {"reason", std::string(reason)}}).Increment();
}

void Families::http_answered(std::string_view route, unsigned status) {
  prometheus::Counter*& counter = state_->answered[{std::string(route), status}];
  if (counter == nullptr) {
    counter = &state_->responses.Add({{"route", std::string(route)}, {"status", std::to_string(status)}});
  }
  counter->Increment();
}

std::vector<prometheus::MetricFamily> Families::collect() const { return state_->registry.Collect(); }

prometheus::MetricFamily pulled_family(std::string_view name) {
  const FamilyDeclaration& declared = declaration(name);
  return {.name = std::string(declared.name), .help = std::string(declared.help), .type = declared.type, .metric = {}};
}

void add_sample(prometheus::MetricFamily& family, double value,
                std::vector<std::pair<std::string, std::string>> labels) {
  prometheus::ClientMetric metric;
  for (auto& [label, text] : labels) {
    metric.label.push_back({std::move(label), std::move(text)});
  }
  if (family.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

std::string text(const std::vector<prometheus::MetricFamily>& families) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace shoal::metrics
