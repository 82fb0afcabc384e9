#include "server/app/settings_change.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::app {
namespace {

// App::Parts::apply() sees to each of them.
constexpr auto kLive = std::to_array<std::string_view>({
    "server.cors_origins",
    "server.drain_grace",
    "server.drain_timeout",
    "server.request_timeout",
    "server.generation_timeout",
    "log.level",
    "models.warm_up",
    "models.poll_interval",
    "pool.heartbeat_silence",
    "pool.page_silence",
    "pool.engine_silence",
    "pool.load_timeout",
    "pool.memory_budget",
    "pool.scale_up_queue",
    "pool.scale_up_after",
    "pool.scale_down_idle",
    "pool.scale_cooldown",
    "pool.recycle_runs",
    "pool.recycle_age",
    "auth.keys",
    "join.spot_check_percent",
    "join.spot_check_first",
    "join.max_devices",
});

}  // namespace

bool is_live(std::string_view setting) {
  // All of the scheduler's are bounds and policies that it looks at with each request.
  return setting.starts_with("schedule.") || std::ranges::find(kLive, setting) != kLive.end();
}

Result<SettingsChange> change_of(const Settings& running, const SettingsSource& source) {
  Settings next;
  next.home = running.home;
  const auto texts = source.read_texts(schema_of(next));
  if (!texts) {
    return fail(texts.error());
  }
  if (Status status = check(next); !status) {
    return fail(std::move(status.error()));
  }
  SettingsChange change{.settings = running, .changed = {}, .needs_restart = {}};
  Settings with_one;
  const config::Schema schema = schema_of(with_one);
  for (const config::Setting& setting : schema.settings()) {
    const auto found = texts->find(setting.name);
    const std::string& text = found == texts->end() ? setting.fallback : found->second;
    const auto put_into = [&](const Settings& base) -> const Settings& {
      with_one = base;
      static_cast<void>(setting.apply(text));  // it was read a moment ago
      return with_one;
    };
    if (put_into(running) == running) {
      continue;
    }
    if (!is_live(setting.name)) {
      change.needs_restart.push_back(setting.name);
      continue;
    }
    change.settings = put_into(change.settings);
    change.changed.push_back(setting.name);
  }
  if (Status status = check(change.settings); !status) {
    return fail(std::move(status.error()).with("with what takes a restart as it is"));
  }
  return change;
}

}  // namespace shoal::app
