#include "server/app/browser_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "server/config/value.hpp"
#include "server/core/split.hpp"
#include "server/webdriver/browser_kind.hpp"

namespace shoal::app {
namespace {

constexpr std::uint64_t kMaxBrowsers = 256;

std::unexpected<Error> refuse(std::string message) {
  return fail(Code::kInvalidArgument, "pool.browsers: " + std::move(message), "pool.browsers");
}

Status apply(pool::BrowserGroup& group, std::string_view key, std::string_view value) {
  if (key == "kind") {
    if (webdriver::find_browser_kind(value) == nullptr) {
      return refuse(fmt::format("no browser kind '{}'; there are: {}", value, webdriver::browser_kind_names()));
    }
    group.kind = value;
    return {};
  }
  if (key == "count" || key == "threads") {
    std::uint64_t number = 0;
    const std::uint64_t least = key == "count" ? 1 : 0;
    if (Status status = config::into_integer(number, least, kMaxBrowsers)(value); !status) {
      return refuse(fmt::format("{}: {}", key, status.error().message));
    }
    (key == "count" ? group.count : group.threads) = static_cast<std::uint32_t>(number);
    return {};
  }
  if (key == "backends") {
    group.backends.clear();
    for (const std::string_view name : split(value, '+')) {
      const auto backend = backend_from(name);
      if (!backend || std::ranges::find(group.backends, *backend) != group.backends.end()) {
        return refuse(fmt::format("backends: expected some of wasm+webgpu+webnn, each once, got '{}'", value));
      }
      group.backends.push_back(*backend);
    }
    return {};
  }
  if (key == "arguments") {
    for (const std::string_view argument : split(value, '+')) {
      group.extra_arguments.emplace_back(argument);
    }
    return {};
  }
  return refuse(fmt::format("unknown key '{}'; allowed: kind, count, backends, threads, arguments", key));
}

}  // namespace

Result<std::vector<pool::BrowserGroup>> parse_browsers(std::string_view text) {
  std::vector<pool::BrowserGroup> groups;
  std::uint64_t total = 0;
  for (const std::string_view part : split(text, ';')) {
    pool::BrowserGroup group;
    for (const std::string_view pair : split(part, ',')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) {
        return refuse(fmt::format("expected key=value, got '{}'", pair));
      }
      if (Status status = apply(group, pair.substr(0, equals), pair.substr(equals + 1)); !status) {
        return fail(std::move(status.error()));
      }
    }
    total += group.count;
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
    for (std::uint32_t index = 0; index < group.count; ++index) {
      slots.emplace_back(fmt::format("{}/{}", group.kind, next[group.kind]++), group.backends);
    }
  }
  return slots;
}

}  // namespace shoal::app
