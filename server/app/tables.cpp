#include "server/app/tables.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace shoal::app {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kReasonWidth = 60;

std::string text_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

const ordered_json& member(const ordered_json& object, const char* key) {
  static const ordered_json kNothing = ordered_json::object();
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string joined(const ordered_json& list) {
  std::string text;
  for (const ordered_json& item : list) {
    text += (text.empty() ? "" : ",") + (item.is_string() ? item.get<std::string>() : item.dump());
  }
  return text;
}

std::string shortened(const std::string& text) {
  if (text.size() <= kReasonWidth) {
    return text;
  }
  std::size_t end = kReasonWidth - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end) + "...";
}

// "model:1@wasm, ...": without the hash that tells one upload of a version from the next.
std::string loaded(const ordered_json& worker) {
  std::string text;
  for (const ordered_json& instance : member(worker, "instances")) {
    std::string name = text_of(instance, "name");
    if (const std::size_t hash = name.find('#'); hash != std::string::npos) {
      name.erase(hash, name.find('@', hash) - hash);
    }
    const std::string state = text_of(instance, "state");
    text += (text.empty() ? "" : " ") + name + (state == "loaded" ? "" : "(" + state + ")");
  }
  return text;
}

double milliseconds_of(const ordered_json& object, const char* key) {
  return static_cast<double>(number_of(object, key)) / 1000;
}

// "17:45:18.123Z"
std::string clock_text(std::uint64_t unix_ms) {
  return fmt::format("{:%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)), unix_ms % 1000);
}

std::string errors_text(const ordered_json& report) {
  std::string text;
  for (const ordered_json& error : member(report, "errors")) {
    text += fmt::format("error {} {} {}: {}\n", clock_text(number_of(error, "unix_ms")), text_of(error, "backend"),
                        text_of(error, "code"), text_of(error, "message"));
    if (const std::string detail = text_of(error, "detail"); !detail.empty()) {
      text += detail + "\n";
    }
  }
  return text;
}

std::string operations_text(const ordered_json& report) {
  std::vector<std::vector<std::string>> rows;
  for (const ordered_json& operation : member(report, "operations")) {
    if (rows.empty()) {
      rows.push_back({"TIME", "BACKEND", "KIND", "QUEUE", "COMPUTE", "TOTAL", "IN", "OUT", "INSTANCE", "ERROR"});
    }
    rows.push_back({clock_text(number_of(operation, "unix_ms")), text_of(operation, "backend"),
                    text_of(operation, "kind"), fmt::format("{:.1f} ms", milliseconds_of(operation, "queue_us")),
                    fmt::format("{:.1f} ms", milliseconds_of(operation, "compute_us")),
                    fmt::format("{:.1f} ms", milliseconds_of(operation, "total_us")),
                    bytes_text(number_of(operation, "input_bytes")), bytes_text(number_of(operation, "output_bytes")),
                    text_of(operation, "instance"), text_of(operation, "error")});
  }
  return table(rows);
}

std::string shaders_text(const ordered_json& report) {
  std::string text;
  for (const ordered_json& shader : member(report, "shaders")) {
    text += fmt::format("// {} {} entry {} constants {}{}\n{}\n\n", text_of(shader, "backend"),
                        text_of(shader, "label"), text_of(shader, "entry_point"), member(shader, "constants").dump(),
                        shader.value("is_cut", false) ? " (cut)" : "", text_of(shader, "text"));
  }
  return text;
}

std::string curve_text(const ordered_json& document) {
  std::vector<std::vector<std::string>> rows;
  for (const ordered_json& sample : member(document, "memory")) {
    if (rows.empty()) {
      rows.push_back({"TIME", "PROCESSES", "WASM", "GPU", "STORED"});
    }
    const ordered_json& memory = member(sample, "memory");
    rows.push_back({clock_text(number_of(sample, "unix_ms")), bytes_text(number_of(memory, "pss_bytes")),
                    bytes_text(number_of(memory, "wasm_bytes")), bytes_text(number_of(memory, "gpu_bytes")),
                    bytes_text(number_of(memory, "cache_bytes"))});
  }
  return table(rows);
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> kUnits = {"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return bytes == 0 ? "0" : fmt::format("{:.{}f} {}", value, unit == 3 ? 1 : 0, kUnits[unit]);
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      line += fmt::format("{:<{}}  ", row[column], widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string workers_text(const ordered_json& list) {
  std::vector<std::vector<std::string>> rows = {
      {"WORKER", "STATE", "TIER", "BACKENDS", "ADAPTER", "MEMORY", "WORK", "RESTARTS", "LOADED", "LAST REASON"}};
  for (const ordered_json& worker : member(list, "workers")) {
    rows.push_back({text_of(worker, "slot"), text_of(worker, "state"), or_dash(text_of(worker, "tier")),
                    or_dash(joined(member(worker, "backends"))), or_dash(text_of(worker, "adapter")),
                    worker.contains("memory") ? bytes_text(number_of(worker["memory"], "pss_bytes")) : "-",
                    std::to_string(number_of(worker, "pending_work")), std::to_string(number_of(worker, "restarts")),
                    or_dash(loaded(worker)), or_dash(shortened(text_of(worker, "reason")))});
  }
  std::string text = table(rows);
  for (const ordered_json& breaker : member(list, "breakers")) {
    if (text_of(breaker, "state") != "closed") {
      text += fmt::format("breaker of {} {} is {}: {} workers wait, next try in {:.1f} s; {}\n",
                          text_of(breaker, "browser"), text_of(breaker, "adapter"), text_of(breaker, "state"),
                          number_of(breaker, "waiting"), static_cast<double>(number_of(breaker, "retry_in_ms")) / 1000,
                          shortened(text_of(breaker, "reason")));
    }
  }
  return text;
}

std::string worker_text(const ordered_json& worker) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&rows](std::string name, std::string value) {
    if (!value.empty()) {
      rows.push_back({std::move(name), std::move(value)});
    }
  };
  add("worker", text_of(worker, "slot"));
  add("state", text_of(worker, "state"));
  add("tier", text_of(worker, "tier"));
  add("last reason", text_of(worker, "reason"));
  add("restarts", std::to_string(number_of(worker, "restarts")));
  add("browser", text_of(worker, "browser"));
  add("backends", joined(member(worker, "backends")));
  for (const auto& [backend, reason] : member(worker, "why_not").items()) {
    add("no " + backend, reason.is_string() ? reason.get<std::string>() : "");
  }
  add("guessed order", joined(member(worker, "guessed_order")));
  add("favours", joined(member(worker, "favours")));
  add("adapter", text_of(worker, "adapter"));
  add("work in hand", std::to_string(number_of(worker, "pending_work")));
  if (worker.contains("memory")) {
    const ordered_json& memory = worker["memory"];
    add("memory",
        fmt::format("{} of the process tree; wasm {}, gpu {}, stored weights {}",
                    bytes_text(number_of(memory, "pss_bytes")), bytes_text(number_of(memory, "wasm_bytes")),
                    bytes_text(number_of(memory, "gpu_bytes")), bytes_text(number_of(memory, "cache_bytes"))));
    add("heard from", fmt::format("{} ms ago", number_of(worker, "heartbeat_age_ms")));
  }
  if (const std::uint64_t budget = number_of(worker, "budget_bytes"); budget > 0) {
    add("budget", fmt::format("{} for its graphs, which take {}", bytes_text(budget),
                              bytes_text(number_of(worker, "resident_bytes"))));
  }
  for (const ordered_json& instance : member(worker, "instances")) {
    const std::string error = text_of(instance, "error");
    std::string text = text_of(instance, "name") + (error.empty() ? "" : ": " + shortened(error));
    if (const double run = instance.value("run_ms", 0.0); run > 0) {
      text += fmt::format(", a run {:.1f} ms", run);
    }
    if (const double load = instance.value("load_ms", 0.0); load > 0) {
      text += fmt::format(", a load {:.0f} ms", load);
    }
    add(text_of(instance, "state"), text + (instance.value("kept", false) ? ", kept" : ""));
  }
  for (const ordered_json& benchmark : member(member(worker, "capabilities"), "benchmarks")) {
    const std::string why_not = text_of(benchmark, "why_not");
    add("speed of " + text_of(benchmark, "backend"),
        why_not.empty() ? fmt::format("{:.1f} GFLOP/s", benchmark.value("gflops", 0.0)) : "not measured: " + why_not);
  }
  return table(rows);
}

std::string debug_text(const ordered_json& document) {
  const ordered_json& report = member(document, "report");
  std::string text;
  for (const std::string& part :
       {errors_text(report), operations_text(report), shaders_text(report), curve_text(document)}) {
    text += (text.empty() || part.empty() ? "" : "\n") + part;
  }
  for (const ordered_json& note : member(report, "notes")) {
    text += (note.is_string() ? note.get<std::string>() : "") + "\n";
  }
  return text.empty() ? "nothing to tell\n" : text;
}

std::string tokens_text(const ordered_json& list) {
  std::vector<std::vector<std::string>> rows = {
      {"TOKEN", "NAME", "STATE", "TIER", "BACKENDS", "EXPIRES", "DEVICES", "RUNS", "QUARANTINED"}};
  for (const ordered_json& token : member(list, "tokens")) {
    rows.push_back({text_of(token, "id"), shortened(text_of(token, "name")), text_of(token, "state"),
                    text_of(token, "tier"), joined(member(token, "backends")), text_of(token, "expires"),
                    joined(member(token, "devices")), std::to_string(number_of(token, "runs")),
                    joined(member(token, "quarantined"))});
  }
  return table(rows);
}

std::string poison_text(const ordered_json& list) {
  std::vector<std::vector<std::string>> rows = {
      {"FINGERPRINT", "MODEL", "LOSSES", "REFUSED", "EXPIRES", "LAST WORKER", "LAST REASON"}};
  for (const ordered_json& entry : member(list, "poison")) {
    rows.push_back({text_of(entry, "fingerprint"), text_of(entry, "model"), std::to_string(number_of(entry, "losses")),
                    std::to_string(number_of(entry, "refused")),
                    fmt::format("in {} s", number_of(entry, "expires_in_ms") / 1000), text_of(entry, "last_slot"),
                    or_dash(shortened(text_of(entry, "reason")))});
  }
  return table(rows);
}

std::string cleared_text(const ordered_json& answer) {
  return fmt::format("{} taken off the list\n", number_of(answer, "cleared"));
}

std::string server_text(const ordered_json& server) {
  std::string line = text_of(server, "state");
  if (const std::string reason = text_of(server, "reason"); !reason.empty()) {
    line += ", " + reason;
  }
  return fmt::format("{}; {} requests in hand\n", line, number_of(server, "open_requests"));
}

std::string reload_text(const ordered_json& answer) {
  std::string text;
  for (const ordered_json& setting : member(answer, "changed")) {
    text += fmt::format("{} is changed\n", setting.get<std::string>());
  }
  for (const ordered_json& setting : member(answer, "needs_restart")) {
    text += fmt::format("{} needs a restart\n", setting.get<std::string>());
  }
  return text.empty() ? "nothing has changed\n" : text;
}

std::string event_text(const ordered_json& event) {
  const std::string from = text_of(event, "from");
  const std::string instance = text_of(event, "instance");
  std::string line = fmt::format(
      "{}  {}  {}{}{}", text_of(event, "time"),
      text_of(event, "slot") + (text_of(event, "breaker").empty() ? "" : "breaker of " + text_of(event, "breaker")),
      instance.empty() ? "" : instance + " ", from.empty() ? "" : from + " -> ", text_of(event, "to"));
  if (const std::string loss = text_of(event, "loss"); !loss.empty()) {
    line += fmt::format("  [{}, rung {}]", loss, text_of(event, "rung"));
  }
  if (number_of(event, "outage_ms") > 0) {
    line += fmt::format("  after {} ms", number_of(event, "outage_ms"));
  }
  if (const std::string reason = text_of(event, "reason"); !reason.empty()) {
    line += "  " + reason;
  }
  return line + "\n";
}

}  // namespace shoal::app
