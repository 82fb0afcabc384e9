#include "server/app/browser_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "server/config/value.hpp"
#include "server/core/split.hpp"
#include "server/webdriver/browser_kind.hpp"
#include "server/webdriver/endpoint.hpp"

namespace shoal::app {
namespace {

constexpr std::uint64_t kMaxBrowsers = 256;
constexpr std::uint32_t kMaxTabs = 16;  // in one browser

// Where the next separator stands, outside of JSON: what is between braces is one value.
std::size_t find_separator(std::string_view text, char separator) {
  int depth = 0;
  bool is_quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (depth > 0 && c == '"') {
      is_quoted = !is_quoted;
    } else if (is_quoted) {
      at += c == '\\' ? 1 : 0;
    } else if (c == '{' || c == '}') {
      depth += c == '{' ? 1 : -1;
    } else if (depth <= 0 && c == separator) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::vector<std::string_view> split_outside_json(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = find_separator(text, separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

std::unexpected<Error> refuse(std::string message) {
  return fail(Code::kInvalidArgument, "pool.browsers: " + std::move(message), "pool.browsers");
}

Status check_kind(std::string_view name) {
  return webdriver::find_browser_kind(name) != nullptr
             ? Status()
             : refuse(fmt::format("no browser kind '{}'; there are: {}", name, webdriver::browser_kind_names()));
}

Status apply_number(std::uint32_t& target, std::string_view key, std::string_view value, std::uint64_t least) {
  std::uint64_t number = 0;
  if (Status status = config::into_integer(number, least, kMaxBrowsers)(value); !status) {
    return refuse(fmt::format("{}: {}", key, status.error().message));
  }
  target = static_cast<std::uint32_t>(number);
  return {};
}

Status apply_cpus(CpuList& target, std::string_view value) {
  auto cpus = parse_cpu_list(value);
  if (!cpus) {
    return refuse(fmt::format("cpus: {}", cpus.error().message));
  }
  target = *std::move(cpus);
  return {};
}

Status apply_backends(std::vector<Backend>& backends, std::string_view value) {
  backends.clear();
  for (const std::string_view name : split(value, '+')) {
    const auto backend = backend_from(name);
    if (!backend || std::ranges::find(backends, *backend) != backends.end()) {
      return refuse(fmt::format("backends: expected some of wasm+webgpu+webnn, each once, got '{}'", value));
    }
    backends.push_back(*backend);
  }
  return {};
}

Status apply_url(std::string& target, std::string_view key, std::string_view value,
                 Result<webdriver::Endpoint> (*parse)(std::string_view)) {
  if (const auto endpoint = parse(value); !endpoint) {
    return refuse(fmt::format("{}: {}", key, endpoint.error().message));
  }
  target = value;
  return {};
}

Status apply_capabilities(nlohmann::json& target, std::string_view value) {
  target = nlohmann::json::parse(value, nullptr, false);
  return target.is_object() ? Status() : refuse(fmt::format("capabilities: expected a JSON object, got '{}'", value));
}

Status apply_keep_alive(Duration& target, std::string_view value) {
  std::chrono::milliseconds time{};
  if (Status status = config::into_duration(time, std::chrono::seconds(1), std::chrono::hours(1))(value); !status) {
    return refuse(fmt::format("keep_alive: {}", status.error().message));
  }
  target = time;
  return {};
}

// The working directory of drivers is another one.
Status apply_path(std::string& target, std::string_view value) {
  target = std::filesystem::absolute(value).string();
  return {};
}

// What sets one key of a group.
struct Key {
  std::string_view name;
  bool is_for_remote;  // of the kind `remote` only
  std::function<Status(pool::BrowserGroup&, std::string_view)> apply;
};

const std::vector<Key>& keys() {
  using Group = pool::BrowserGroup;
  using Text = std::string_view;
  static const std::vector<Key> kKeys = {
      {"kind", false,
       [](Group& group, Text value) {
         group.kind = value;
         return check_kind(value);
       }},
      {"count", false, [](Group& group, Text value) { return apply_number(group.count, "count", value, 0); }},
      {"min", false, [](Group& group, Text value) { return apply_number(group.min.emplace(), "min", value, 0); }},
      {"max", false, [](Group& group, Text value) { return apply_number(group.max.emplace(), "max", value, 1); }},
      {"tabs", false, [](Group& group, Text value) { return apply_number(group.tabs, "tabs", value, 1); }},
      {"spares", false, [](Group& group, Text value) { return apply_number(group.spares, "spares", value, 0); }},
      {"backends", false, [](Group& group, Text value) { return apply_backends(group.backends, value); }},
      {"threads", false, [](Group& group, Text value) { return apply_number(group.threads, "threads", value, 0); }},
      {"cpus", false, [](Group& group, Text value) { return apply_cpus(group.cpus, value); }},
      {"arguments", false,
       [](Group& group, Text value) {
         for (const Text argument : split(value, '+')) {
           group.extra_arguments.emplace_back(argument);
         }
         return Status();
       }},
      {"headed", false,
       [](Group& group, Text value) {
         const Status read = config::into_bool(group.headed)(value);
         return read ? Status() : refuse("headed: " + read.error().message);
       }},
      {"browser_path", false, [](Group& group, Text value) { return apply_path(group.browser_path, value); }},
      {"driver_path", false, [](Group& group, Text value) { return apply_path(group.driver_path, value); }},
      {"agent_url", false,
       [](Group& group, Text value) {
         return apply_url(group.agent_url, "agent_url", value, webdriver::parse_page_url);
       }},
      {"url", true,
       [](Group& group, Text value) { return apply_url(group.remote_url, "url", value, webdriver::parse_endpoint); }},
      {"browser", true,
       [](Group& group, Text value) {
         group.remote_kind = value;
         return check_kind(value);
       }},
      {"capabilities", true, [](Group& group, Text value) { return apply_capabilities(group.capabilities, value); }},
      {"keep_alive", true, [](Group& group, Text value) { return apply_keep_alive(group.keep_alive, value); }},
  };
  return kKeys;
}

// Sets the group's member and remembers that the key was given.
Status apply(pool::BrowserGroup& group, std::vector<const Key*>& given, std::string_view name, std::string_view value) {
  std::string allowed;
  for (const Key& key : keys()) {
    if (key.name == name) {
      given.push_back(&key);
      return key.apply(group, value);
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(key.name);
  }
  return refuse(fmt::format("unknown key '{}'; allowed: {}", name, allowed));
}

// How many browsers, where not all of it was said.
Status check_numbers(pool::BrowserGroup& group, const std::vector<const Key*>& given) {
  const bool has_count = std::ranges::find(given, std::string_view("count"), &Key::name) != given.end();
  if (!has_count) {
    group.count = std::max(group.count, pool::least_of(group));
  }
  if (pool::most_of(group) == 0) {
    return refuse("count: a group of none; at least 1, or max=...");
  }
  if (pool::least_of(group) > group.count || group.count > pool::most_of(group)) {
    return refuse(fmt::format("expected min <= count <= max, got min={}, count={}, max={}", pool::least_of(group),
                              group.count, pool::most_of(group)));
  }
  return {};
}

// What is meant for a remote end is refused elsewhere, and the other way round.
Status check_together(const pool::BrowserGroup& group, const std::vector<const Key*>& given) {
  const webdriver::BrowserKind& kind = *webdriver::find_browser_kind(group.kind);
  for (const Key* key : given) {
    if (key->is_for_remote && !kind.is_remote) {
      return refuse(fmt::format("{} is for kind=remote only, not for '{}'", key->name, group.kind));
    }
  }
  if (kind.is_remote && group.remote_url.empty()) {
    return refuse("kind=remote needs url=http://host[:port][/path]");
  }
  if (kind.is_remote && !(group.browser_path.empty() && group.driver_path.empty())) {
    return refuse("browser_path and driver_path are of this machine: not for kind=remote; see capabilities");
  }
  if (kind.is_remote && !group.cpus.empty()) {
    return refuse("cpus are of this machine: not for kind=remote");
  }
  if (group.tabs > kMaxTabs) {
    return refuse(fmt::format("tabs: at most {}, got {}", kMaxTabs, group.tabs));
  }
  if (group.tabs > 1 && !kind.shares_tabs) {
    return refuse(fmt::format("tabs: the driver of '{}' does not serve several tabs of one browser apart", group.kind));
  }
  if (group.tabs > 1 && (group.spares > 0 || pool::least_of(group) != pool::most_of(group))) {
    return refuse("tabs: not with min, max or spares: the number of such browsers is fixed");
  }
  if (group.headed && !kind.can_be_headed) {
    return refuse(fmt::format("headed: '{}' has no window to show", group.kind));
  }
  return {};
}

}  // namespace

Result<std::vector<pool::BrowserGroup>> parse_browsers(std::string_view text) {
  std::vector<pool::BrowserGroup> groups;
  if (text == "none") {
    return groups;
  }
  std::uint64_t total = 0;
  for (const std::string_view part : split_outside_json(text, ';')) {
    pool::BrowserGroup group;
    std::vector<const Key*> given;
    for (const std::string_view pair : split_outside_json(part, ',')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) {
        return refuse(fmt::format("expected key=value, got '{}'", pair));
      }
      if (Status status = apply(group, given, pair.substr(0, equals), pair.substr(equals + 1)); !status) {
        return fail(std::move(status.error()));
      }
    }
    Status status = check_numbers(group, given);
    if (status) {
      status = check_together(group, given);
    }
    if (!status) {
      return fail(std::move(status.error()));
    }
    total += pool::slot_count_of(group);
    groups.push_back(std::move(group));
  }
  if (total > kMaxBrowsers) {
    return refuse(fmt::format("{} browsers; at most {}", total, kMaxBrowsers));
  }
  return groups;
}

std::vector<std::pair<std::string, std::vector<Backend>>> slots_of(const std::vector<pool::BrowserGroup>& groups) {
  std::vector<std::pair<std::string, std::vector<Backend>>> slots;
  std::map<std::string, std::uint32_t> next;
  for (const pool::BrowserGroup& group : groups) {
    for (std::uint32_t index = 0; index < pool::slot_count_of(group); ++index) {
      slots.emplace_back(fmt::format("{}/{}", group.kind, next[group.kind]++), group.backends);
    }
  }
  return slots;
}

}  // namespace shoal::app
