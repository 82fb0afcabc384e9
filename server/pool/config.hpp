// What the pool is told: which browsers, how many, and every bound of their lives. Plain data, filled by the app.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/cpu_list.hpp"
#include "server/pool/breaker.hpp"
#include "server/pool/scaling.hpp"
#include "server/pool/wear.hpp"

namespace shoal::pool {

// Which GPU adapter browsers use: the hardware one, the software one, or hardware where the machine has a GPU.
enum class AdapterPolicy : std::uint8_t { kAuto, kHardware, kSoftware };

struct BrowserGroup {
  std::string kind = "headless_shell";    // a name of webdriver::browser_kinds()
  std::uint32_t count = 1;                // at the start
  std::optional<std::uint32_t> min = {};  // never fewer by themselves; as `count` by default
  std::optional<std::uint32_t> max = {};  // never more; as `count` by default
  std::uint32_t tabs = 1;                 // of each browser: each is a worker of its own
  std::uint32_t spares = 0;               // besides: with the models loaded, and without work
  std::vector<Backend> backends = {kBackends.begin(), kBackends.end()};  // allowed here
  std::uint32_t threads = 0;                 // of each wasm engine; 0 = the machine's cores divided by all browsers
  std::string browser_path;                  // empty = the kind's
  std::string driver_path;                   // empty = the kind's
  std::vector<std::string> extra_arguments;  // to the browser
  CpuList cpus = {};                         // that each keeps to, and as many threads by default; empty = any
  bool headed = false;                       // on the display of the environment
  std::string agent_url = {};                // of the page, where these browsers must look elsewhere; empty = loopback
  // Of the kind `remote` only.
  std::string remote_url = {};
  std::string remote_kind = {};  // what to ask for: a name of browser_kinds(); empty = only what `capabilities` says
  nlohmann::json capabilities = nlohmann::json::object();  // wanted besides
  Duration keep_alive = std::chrono::seconds(60);          // below half of the remote end's session timeout
};

inline std::uint32_t least_of(const BrowserGroup& group) { return group.min.value_or(group.count); }
inline std::uint32_t most_of(const BrowserGroup& group) { return group.max.value_or(group.count); }
// Browsers that the group has from the start, dormant ones with them; each of their tabs is a slot.
inline std::uint32_t browser_count_of(const BrowserGroup& group) { return most_of(group) + group.spares; }
inline std::uint32_t slot_count_of(const BrowserGroup& group) { return browser_count_of(group) * group.tabs; }

// Devices that join by URL.
struct JoinConfig {
  bool is_enabled = false;
  std::vector<std::string> origins = {};  // that the page may have
  std::string url = {};                   // of the page, for people: "https://example.org:8443/join"
  std::size_t max_devices = 64;           // connected at once
  std::uint32_t max_failures = 20;        // wrong hellos of one address within failure_window, then it has to wait
  Duration failure_window = std::chrono::minutes(1);
  Duration pause_silence = std::chrono::minutes(10);  // of a paused device, then it counts as gone
  // What graphs may take of a device's memory: a quarter of what its browser says, else this.
  std::uint64_t memory_unknown = 512UL * 1024 * 1024;
};

struct PoolConfig {
  std::vector<BrowserGroup> groups = {BrowserGroup{}};
  std::string home = ".shoal";                // profiles/, logs/ and tools/ below it
  std::string supervisor = "/proc/self/exe";  // run as `<supervisor> supervise ...`: webdriver/supervise.hpp
  std::string agent_build;  // hash of the agent bundle that is served; another one in a hello is refused
  AdapterPolicy adapter = AdapterPolicy::kAuto;
  bool leases_accelerators = false;  // webgpu and webnn to one browser of this machine at a time
  bool pins_cpus = false;            // groups without CPUs of their own share them equally
  bool monitors_memory = true;       // of the processes; without, nothing is recycled for what they take

  std::size_t start_concurrency = 2;  // browsers that are being started at once
  BreakerLimits breaker;
  Duration launch_timeout = std::chrono::seconds(30);   // driver, browser and page
  Duration connect_timeout = std::chrono::seconds(30);  // page opened to hello
  Duration hello_timeout = std::chrono::seconds(10);    // WebSocket opened to hello
  Duration heartbeat_interval = std::chrono::seconds(1);
  // Verdicts of liveness; ages that are legal while the machine is merely busy must stay below them.
  Duration link_silence = std::chrono::seconds(10);    // nothing at all from the link worker
  Duration page_silence = std::chrono::seconds(30);    // the page's own beat
  Duration engine_silence = std::chrono::seconds(30);  // an engine with nothing to run
  Duration run_grace = std::chrono::seconds(5);        // past a run's deadline without an answer: hung
  Duration load_timeout = std::chrono::seconds(180);   // of one load
  Duration memory_interval = std::chrono::seconds(5);
  Duration stable_after = std::chrono::seconds(2);  // ready for longer: the next relaunch is at once
  // For an agent whose connection broke while its browser lives; zero: no grace.
  Duration resume_grace = std::chrono::milliseconds(500);
  Duration mend_command = std::chrono::seconds(2);   // each of: loading a page again, opening a new tab
  Duration mend_timeout = std::chrono::seconds(10);  // a page loaded again to its hello
  Duration first_backoff = std::chrono::milliseconds(500);
  Duration longest_backoff = std::chrono::seconds(30);
  Duration close_timeout = std::chrono::seconds(5);  // for browsers to end by themselves, then they are killed

  WearLimits wear;                       // of each browser
  std::uint64_t total_memory_bytes = 0;  // what all browsers of this machine together may take; 0 = no limit
  ScalingLimits scaling;                 // of each group, with its own min and max
  JoinConfig join;

  std::size_t max_pending_work = 1024;                  // per worker
  std::size_t max_pending_bytes = 512UL * 1024 * 1024;  // inputs not yet sent, per worker
  std::size_t max_output_bytes = 512UL * 1024 * 1024;   // one run's outputs
};

}  // namespace shoal::pool
