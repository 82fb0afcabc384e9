// Every metric family of the server, declared once in families.cpp (name, type, help, labels; golden in
// tests/golden/metrics.txt). Components receive this by reference and call the function of the event; gauges that
// mirror state are pulled at scrape time. Label values come from closed lists: models of the repository, backends,
// worker slots; a name that a client sent never becomes one. Main lane, except text().
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/code.hpp"

namespace shoal::metrics {

// Pulled at scrape time.
struct FleetState {
  struct Worker {
    std::string slot;
    std::string kind;
    std::string state;                  // the pool's own closed list: "launching" "ready" ...
    std::vector<std::string> backends;  // usable now
    std::uint64_t memory_bytes = 0;     // PSS of its process tree
    std::uint64_t wasm_bytes = 0;       // the agent's own accounting
    std::uint64_t gpu_bytes = 0;
    std::uint64_t cache_bytes = 0;
    std::optional<double> heartbeat_age_seconds = {};  // of a connected one
    std::uint64_t restarts = 0;                        // launches after the first
  };
  std::vector<Worker> workers;
  struct Breaker {
    std::string browser;  // as configured
    std::string adapter;
    int state = 0;  // 0 closed, 1 half-open, 2 open
    std::uint64_t opened = 0;
  };
  std::vector<Breaker> breakers;
  // Of all groups of browsers of one kind.
  struct Scale {
    std::uint64_t wanted = 0;  // workers that serve
    std::uint64_t ups = 0;     // steps since the start
    std::uint64_t downs = 0;
    std::uint64_t takeovers = 0;  // spares that were given work to do
  };
  std::map<std::string, Scale> scales;  // by kind
  std::uint64_t quarantined_requests = 0;
  std::uint64_t memory_bytes = 0;  // of all browsers of this machine, as last measured
  std::uint64_t memory_limit_bytes = 0;
  std::uint64_t websocket_sent_bytes = 0;
  std::uint64_t websocket_received_bytes = 0;
};

// Durations of one answered request in microseconds.
struct RequestTiming {
  std::uint64_t total_us = 0;
  std::uint64_t queue_us = 0;
  std::uint64_t compute_us = 0;
};

// Where it was computed. All from closed lists: the repository, the backends, the kinds of browsers.
struct RequestLabels {
  std::string_view model;
  std::int64_t version = 0;
  std::string_view variant;  // of the model's precision: "default" is the graph's own
  std::string_view backend;  // "mixed": split between one and wasm
  std::string_view browser;  // the worker's kind: "headless_shell" "firefox" "device" "echo"
};

// Of an answer that was generated to its end.
struct GenerationTiming {
  std::uint64_t tokens = 0;         // of the answer
  std::uint64_t cached_tokens = 0;  // of the prompt, that had been read for an earlier one
  std::uint64_t first_us = 0;       // from the request to its first token
  std::uint64_t rest_us = 0;        // from then to its end
  double mean_rows = 0;             // answers that went on together, mean of its steps; 0 = not known
};
struct GenerationLabels {
  std::string_view model;
  std::string_view backend;
};

struct FamilyDeclaration {
  std::string_view name;
  prometheus::MetricType type;
  std::string_view help;
  std::string_view labels;  // "model,version"
};
const std::vector<FamilyDeclaration>& declarations();

class Families {
 public:
  Families();
  Families(const Families&) = delete;
  Families& operator=(const Families&) = delete;
  ~Families();

  // A request was answered with success.
  void request_answered(const RequestLabels& by, const RequestTiming& timing);
  // Tokens of one prompt were read and such of its answer made, whatever became of it then.
  void tokens_made(std::string_view model, std::uint64_t prompt_tokens, std::uint64_t tokens);
  void text_generated(const GenerationLabels& by, const GenerationTiming& timing);
  // A run of so many rows, of one request or several, has ended.
  void run_finished(std::string_view model, std::string_view backend, std::uint64_t rows);
  // A request was sent to another worker because the first one was lost.
  void request_redispatched(std::string_view model);
  // A request was refused because workers were lost with it before.
  void poison_refused(std::string_view model);
  // A request was refused for its key.
  void key_refused(Code code);
  // A browser has become a worker. `kind` is one of the configured kinds.
  void worker_launched(std::string_view kind, double seconds);
  // A slot whose worker was lost has one again. `rung` and `reason` come from the pool's closed lists.
  void worker_recovered(std::string_view rung, std::string_view reason, double seconds);
  // A result of an untrusted worker was drawn: "match" "mismatch" "skipped" (no trusted worker could compute it).
  void spot_checked(std::string_view result);
  // An HTTP answer left. `route` is one of "kserve" "openai" "agent" "admin" "other".
  void http_answered(std::string_view route, unsigned status);

  [[nodiscard]] std::vector<prometheus::MetricFamily> collect() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A pulled family: the declared name, type and help, without samples. Requires: `name` is declared.
prometheus::MetricFamily pulled_family(std::string_view name);
void add_sample(prometheus::MetricFamily& family, double value,
                std::vector<std::pair<std::string, std::string>> labels = {});

// Prometheus text format. Any thread.
std::string text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace shoal::metrics
