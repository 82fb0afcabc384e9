// Structured logs: one line = one event = level, event name, fields. A Log is a small value that is passed down with
// bound fields (request id, worker); there is no global. Thread-safe: a line is written whole.
// Levels: error = someone must act, warn = degraded, info = lifecycle, debug = per request.
// Prompts, tokens, tensor contents and keys are never logged.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace shoal {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

std::optional<LogLevel> log_level_from(std::string_view name);  // "debug" "info" "warn" "error"

class Log {
 public:
  // Receives finished lines without the newline. Called under the sink's own lock.
  using Sink = std::function<void(LogLevel, std::string_view)>;
  enum class Format { kText, kJson };
  using Field = std::pair<std::string_view, nlohmann::json>;
  using Fields = std::initializer_list<Field>;

  Log(Sink sink, LogLevel level, Format format);

  // A log that drops everything, for tests that do not look.
  static Log discard();
  // Lines to stderr.
  static Log to_stderr(LogLevel level, Format format);

  // This log with one more field on every line.
  [[nodiscard]] Log with(std::string_view key, nlohmann::json value) const;

  void debug(std::string_view event, Fields fields = {}) const { write(LogLevel::kDebug, event, fields); }
  void info(std::string_view event, Fields fields = {}) const { write(LogLevel::kInfo, event, fields); }
  void warn(std::string_view event, Fields fields = {}) const { write(LogLevel::kWarn, event, fields); }
  void error(std::string_view event, Fields fields = {}) const { write(LogLevel::kError, event, fields); }

  [[nodiscard]] bool enabled(LogLevel level) const;

 private:
  struct Shared;
  void write(LogLevel level, std::string_view event, Fields fields) const;

  std::shared_ptr<Shared> shared_;
  nlohmann::ordered_json bound_;
};

}  // namespace shoal
