// The app's settings, read again while it runs.
#include <nlohmann/json.hpp>
#include <string>

#include "server/app/browser_list.hpp"
#include "server/app/parts.hpp"
#include "server/core/log_level.hpp"

namespace shoal::app {

namespace v1 = shoal::admin::v1;

Result<v1::ReloadSettingsResponse> App::Parts::reload() {
  Status status;
  if (is_stopping) {
    status = fail(Code::kUnavailable, "the server is shutting down");
  }
  auto change = status ? change_of(settings, source) : fail(status.error());
  if (change) {
    status = apply(*change);
  }
  if (!change || !status) {
    Error error = change ? std::move(status.error()) : std::move(change.error());
    log.error("settings_not_reloaded", {{"error", error.message}});
    return fail(std::move(error));
  }
  log.info("settings_reloaded", {{"changed", change->changed}});
  v1::ReloadSettingsResponse response;
  for (const std::string& setting : change->changed) {
    response.add_changed(setting);
  }
  for (const std::string& setting : change->needs_restart) {
    log.warn("setting_needs_restart", {{"setting", setting}});
    response.add_needs_restart(setting);
  }
  return response;
}

Status App::Parts::apply(const SettingsChange& change) {
  const Settings& next = change.settings;
  // What can fail comes first.
  const auto config = pool_config_of(next);
  if (!config) {
    return fail(config.error());
  }
  auto cors = api::http::CorsPolicy::parse(next.cors_origins);
  if (!cors) {
    return fail(std::move(cors.error()));
  }
  if (keys && keys_file(next) != keys_file(settings)) {
    if (Status status = keys->change_file(keys_file(next)); !status) {
      return status;
    }
  }
  if (next.log_level != settings.log_level) {
    set_level(log, *log_level_from(next.log_level));
  }
  for (auto* server : {&http, &metrics_page}) {
    if (*server) {
      (*server)->set_cors(*cors);
    }
  }
  if (https) {
    https->set_cors(*cors);
  }
  sequences.set_options(gate_options_of(next));
  texts.set_options(text_options_of(next));
  dispatcher.set_options(dispatcher_options_of(next));
  models.set_times(next.poll_interval, next.load_timeout);
  if (pool) {
    pool->set_limits(*config);
  }
  if (pool && next.memory_budget != settings.memory_budget) {
    for (const auto& [slot, backends] : slots_of(config->groups)) {
      dispatcher.set_budget(slot, config->wear.max_memory_bytes);
      if (Status status = pool->set_memory_limit(slot, config->wear.max_memory_bytes); !status) {
        log.warn("memory_limit_not_set", {{"worker", slot}, {"error", status.error().message}});
      }
    }
  }
  settings = next;
  return {};
}

}  // namespace shoal::app
