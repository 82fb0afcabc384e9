#include "server/core/log.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>

#include "server/core/log_level.hpp"

namespace shoal {

std::string_view log_level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

namespace {

// RFC 3339 in UTC with milliseconds.
std::string timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(millis / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis % 1000);
}

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::optional<LogLevel> log_level_from(std::string_view name) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (log_level_name(level) == name) {
      return level;
    }
  }
  return std::nullopt;
}

struct Log::Shared {
  Sink sink;
  std::atomic<LogLevel> level;
  Format format;
  std::mutex mutex;

  // A friend of this class may not look into a Log, this class may.
  static void assign(const Log& log, LogLevel wanted) { log.shared_->level = wanted; }
  friend void assign_level(const Log& log, LogLevel wanted) { assign(log, wanted); }
};

inline void assign_level(const Log& log, LogLevel wanted);  // the friend, where it can be found

void set_level(const Log& log, LogLevel level) { assign_level(log, level); }

LogLevel level_of(const Log& log) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn}) {
    if (log.enabled(level)) {
      return level;
    }
  }
  return LogLevel::kError;
}

Log::Log(Sink sink, LogLevel level, Format format)
    : shared_(std::make_shared<Shared>()), bound_(nlohmann::ordered_json::object()) {
  shared_->sink = std::move(sink);
  shared_->level = level;
  shared_->format = format;
}

Log Log::discard() {
  return Log([](LogLevel, std::string_view) {}, LogLevel::kError, Format::kText);
}

Log Log::to_stderr(LogLevel level, Format format) {
  return Log([](LogLevel, std::string_view line) { fmt::print(stderr, "{}\n", line); }, level, format);
}

Log Log::with(std::string_view key, nlohmann::json value) const {
  Log copy = *this;
  copy.bound_[std::string(key)] = std::move(value);
  return copy;
}

bool Log::enabled(LogLevel level) const { return level >= shared_->level; }

void Log::write(LogLevel level, std::string_view event, Fields fields) const {
  if (!enabled(level)) {
    return;
  }
  nlohmann::ordered_json all = bound_;
  for (const auto& [key, value] : fields) {
    all[std::string(key)] = value;
  }
  std::string line;
  if (shared_->format == Format::kJson) {
    nlohmann::ordered_json object = {{"time", timestamp()}, {"level", log_level_name(level)}, {"event", event}};
    object.update(all);
    line = dump(object);
  } else {
    line = fmt::format("{} {:<5} {}", timestamp(), log_level_name(level), event);
    for (const auto& [key, value] : all.items()) {
      line += fmt::format(" {}={}", key, dump(value));
    }
  }
  const std::lock_guard lock(shared_->mutex);
  shared_->sink(level, line);
}

}  // namespace shoal
