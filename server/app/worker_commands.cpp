#include "server/app/worker_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>
#include <utility>

#include "server/app/admin_client.hpp"
#include "server/app/tables.hpp"
#include "server/config/value.hpp"
#include "server/core/percent_encoded.hpp"

namespace shoal::app {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kWorkers = "/admin/v1/workers";
constexpr auto kFollowInterval = std::chrono::milliseconds(500);

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// Slots are names of our own, but what is typed need not be one.
std::string path_of(const std::string& slot) { return fmt::format("{}/{}", kWorkers, percent_encoded(slot)); }

}  // namespace

struct WorkerCommands::State {
  CLI::App* workers = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* events = nullptr;
  CLI::App* debug = nullptr;
  CLI::App* budget = nullptr;
  CLI::App* poison = nullptr;
  std::vector<CLI::App*> changes;  // their names are those of the routes
  std::function<Result<std::string>()> default_server;
  std::string server, slot, reason, size, fingerprint;
  bool clear_all = false;
  bool json = false;
  bool force = false;
  bool follow = false;
  bool operations = false;
  bool errors = false;
  bool memory = false;
  bool shaders = false;
  double trace_seconds = 5;
  std::uint64_t after = 0;

  // As JSON or as the text that `write` makes of it.
  Status show(const Result<ordered_json>& document, std::string (*write)(const ordered_json&)) const {
    if (!document) {
      return fail(document.error());
    }
    print(json ? document->dump(2) + "\n" : write(*document));
    return {};
  }
  Status change(const AdminClient& client, const CLI::App& command) const;
  Status show_events(const AdminClient& client) const;
  Status set_budget(const AdminClient& client) const;
  Status show_poison(const AdminClient& client) const;
  Status show_debug(const AdminClient& client) const;
};

WorkerCommands::WorkerCommands(CLI::App& command, std::function<Result<std::string>()> default_server)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.default_server = std::move(default_server);
  state.workers = command.add_subcommand("workers", "What a running server's browsers do; drain, replace, kill them");
  state.workers->require_subcommand(0, 1);
  state.workers->add_option("--server", state.server, "http://HOST:PORT of the server; default: as configured");
  state.workers->add_flag("--json", state.json, "The server's own document instead of text");
  const auto add = [&](const char* name, const char* help, bool takes_slot) {
    CLI::App* added = state.workers->add_subcommand(name, help)->fallthrough();
    if (takes_slot) {
      added->add_option("worker", state.slot, "Its slot: headless_shell/0")->required();
    }
    return added;
  };
  add("list", "All of them, one line each (the default)", false);
  state.inspect = add("inspect", "Everything about one", true);
  CLI::App* drain = add("drain", "Let it finish what it has, and give it nothing more", true);
  CLI::App* recycle = add("recycle", "Replace its browser once it has finished what it has", true);
  drain->add_option("--reason", state.reason, "Kept in its events");
  recycle->add_option("--reason", state.reason, "Kept in its events");
  recycle->add_flag("--force", state.force, "At once; what it has in hand goes to another");
  state.changes = {drain, recycle, add("resume", "Give a drained one work again", true),
                   add("kill", "SIGKILL to its processes; the pool recovers", true)};
  state.debug = add("debug", "What goes on inside its browser; without flags: errors and memory", true);
  state.debug->add_flag("--ops", state.operations, "Trace its operations for a while, and show them with their times");
  state.debug->add_option("--trace", state.trace_seconds, "Seconds of --ops")->check(CLI::Range(0.1, 3600.0));
  state.debug->add_flag("--errors", state.errors, "Its last errors with stack and time");
  state.debug->add_flag("--memory", state.memory, "Its memory at each heartbeat of the last ten minutes");
  state.debug->add_flag("--shaders", state.shaders, "The WGSL that its webgpu engine runs, with override constants");
  state.budget = add("budget", "Set what the graphs in its browser may take; idle ones beyond it are unloaded", true);
  state.budget->add_option("size", state.size, "512MiB; 1MiB to 1TiB")->required();
  state.poison = add("poison", "Requests that are refused because workers were lost with them", false);
  CLI::Option* one =
      state.poison->add_option("--clear", state.fingerprint, "Take the one with this fingerprint off the list");
  state.poison->add_flag("--clear-all", state.clear_all, "Take all of them off the list")->excludes(one);
  state.events = add("events", "What happened to them, oldest first", false);
  state.events->add_flag("--follow", state.follow, "Go on as they happen");
  state.events->add_option("--after", state.after, "Only those with a larger sequence number");
}

WorkerCommands::~WorkerCommands() = default;

bool WorkerCommands::was_asked() const { return state_->workers->parsed(); }

Status WorkerCommands::State::change(const AdminClient& client, const CLI::App& command) const {
  nlohmann::json body = nlohmann::json::object();
  if (!reason.empty()) {
    body["reason"] = reason;
  }
  if (force) {
    body["force"] = true;
  }
  return show(client.post(path_of(slot) + "/" + command.get_name(), body), [](const ordered_json& worker) {
    return fmt::format("{} is {}\n", worker.value("slot", ""), worker.value("state", ""));
  });
}

Status WorkerCommands::State::show_events(const AdminClient& client) const {
  std::uint64_t seen = after;
  while (true) {
    const auto document = client.get(fmt::format("/admin/v1/events?after={}", seen));
    if (!document) {
      return fail(document.error());
    }
    if (!follow && json) {
      print(document->dump(2) + "\n");
      return {};
    }
    if (const auto lost = document->value("lost", std::uint64_t{0}); lost > 0 && !json) {
      print(fmt::format("... {} earlier events are not kept any more\n", lost));
    }
    for (const ordered_json& event : document->value("events", ordered_json::array())) {
      print(json ? event.dump() + "\n" : event_text(event));
      seen = std::max(seen, event.value("sequence", std::uint64_t{0}));
    }
    if (!follow) {
      return {};
    }
    std::this_thread::sleep_for(kFollowInterval);
  }
}

Status WorkerCommands::State::show_debug(const AdminClient& client) const {
  constexpr auto kPatience = std::chrono::seconds(15);  // the server gives its agent ten
  const std::string path = path_of(slot) + "/debug";
  if (operations) {
    const auto milliseconds = static_cast<std::uint32_t>(trace_seconds * 1000);
    if (const auto started = client.post(path, {{"trace_ms", milliseconds}}, kPatience); !started) {
      return fail(started.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }
  const bool is_bare = !operations && !errors && !memory && !shaders;
  const nlohmann::json body = {
      {"errors", errors || is_bare}, {"operations", operations}, {"memory", memory || is_bare}, {"shaders", shaders}};
  return show(client.post(path, body, kPatience), debug_text);
}

Status WorkerCommands::State::set_budget(const AdminClient& client) const {
  std::uint64_t bytes = 0;
  if (Status read = config::into_bytes(bytes, 1U << 20, std::uint64_t{1} << 40)(size); !read) {
    return fail(Code::kInvalidArgument, "size: " + read.error().message, "size");
  }
  return show(client.put(path_of(slot) + "/budget", {{"bytes", bytes}}), worker_text);
}

Status WorkerCommands::State::show_poison(const AdminClient& client) const {
  const std::string path = "/admin/v1/poison";
  if (clear_all || !fingerprint.empty()) {
    return show(client.remove(clear_all ? path : path + "/" + percent_encoded(fingerprint)), cleared_text);
  }
  return show(client.get(path), poison_text);
}

Status WorkerCommands::run() {
  const State& state = *state_;
  const auto client = AdminClient::to_chosen(state.server, state.default_server);
  if (!client) {
    return fail(client.error());
  }
  if (*state.inspect) {
    return state.show(client->get(path_of(state.slot)), worker_text);
  }
  if (*state.debug) {
    return state.show_debug(*client);
  }
  if (*state.budget) {
    return state.set_budget(*client);
  }
  if (*state.poison) {
    return state.show_poison(*client);
  }
  if (*state.events) {
    return state.show_events(*client);
  }
  for (const CLI::App* command : state.changes) {
    if (*command) {
      return state.change(*client, *command);
    }
  }
  return state.show(client->get(std::string(kWorkers)), workers_text);
}

}  // namespace shoal::app
