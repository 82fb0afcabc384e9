#include "server/webdriver/command.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::webdriver {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxMessageBytes = 2048;

std::string session_path(std::string_view session_id, std::string_view rest) {
  return fmt::format("/session/{}{}", session_id, rest);
}

// JSON text; bytes that are not UTF-8 (a path may have them) are replaced, not thrown about.
std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Code code_of(std::string_view error) {
  if (error == "invalid session id" || error.starts_with("no such ")) {
    return Code::kNotFound;
  }
  if (error == "invalid argument" || error == "unknown command" || error == "unknown method") {
    return Code::kInvalidArgument;
  }
  if (error == "timeout" || error == "script timeout") {
    return Code::kDeadlineExceeded;
  }
  return Code::kUnavailable;
}

std::string text_member(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

}  // namespace

Command get_status() { return {"GET", "/status", {}}; }

Command new_session(json capabilities) {
  return {"POST", "/session", text_of({{"capabilities", {{"alwaysMatch", std::move(capabilities)}}}})};
}

Command delete_session(std::string_view session_id) { return {"DELETE", session_path(session_id, ""), {}}; }

Command navigate(std::string_view session_id, std::string_view url) {
  return {"POST", session_path(session_id, "/url"), text_of({{"url", url}})};
}

Command set_timeouts(std::string_view session_id, SessionTimeouts timeouts) {
  return {"POST", session_path(session_id, "/timeouts"),
          text_of({{"script", timeouts.script.count()}, {"pageLoad", timeouts.page_load.count()}})};
}

Command get_url(std::string_view session_id) { return {"GET", session_path(session_id, "/url"), {}}; }
Command get_timeouts(std::string_view session_id) { return {"GET", session_path(session_id, "/timeouts"), {}}; }

Command get_window(std::string_view session_id) { return {"GET", session_path(session_id, "/window"), {}}; }

Command switch_to_window(std::string_view session_id, std::string_view handle) {
  return {"POST", session_path(session_id, "/window"), json{{"handle", handle}}.dump()};
}

// Since Chromium 111 by PUT only.
Command new_target() { return {"PUT", "/json/new?about:blank", {}}; }
Command close_target(std::string_view target_id) { return {"GET", fmt::format("/json/close/{}", target_id), {}}; }

namespace {

// They become part of request targets.
bool is_safe_id(std::string_view id) {
  const auto safe = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; };
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, safe);
}

}  // namespace

Result<std::string> parse_target(std::string_view body) {
  const json answer = json::parse(body, nullptr, false);
  std::string id = answer.is_object() ? text_member(answer, "id") : std::string();
  if (!is_safe_id(id)) {
    return fail(Code::kUnavailable, "the browser's DevTools gave no usable target");
  }
  return id;
}

Result<std::string> parse_window(const json& value) {
  if (!value.is_string() || !is_safe_id(value.get_ref<const std::string&>())) {
    return fail(Code::kUnavailable, "the driver gave no usable window handle");
  }
  return value.get<std::string>();
}

json attached_capabilities(const std::string& debugger) {
  return {{"pageLoadStrategy", "none"}, {"goog:chromeOptions", {{"debuggerAddress", debugger}}}};
}

Result<json> parse_response(int http_status, std::string_view body) {
  json answer = json::parse(body, nullptr, false);
  const auto value = answer.is_object() ? answer.find("value") : answer.end();
  if (answer.is_discarded() || !answer.is_object() || value == answer.end()) {
    return fail(Code::kUnavailable, fmt::format("HTTP {} without a WebDriver answer", http_status));
  }
  if (http_status == 200) {
    return std::move(*value);
  }
  const std::string error = value->is_object() ? text_member(*value, "error") : std::string();
  std::string message = value->is_object() ? text_member(*value, "message") : std::string();
  // The message ends in the driver's stack; its first line says it all.
  message.resize(std::min({message.size(), message.find('\n'), kMaxMessageBytes}));
  return fail(code_of(error),
              message.empty() ? fmt::format("HTTP {}: {}", http_status, error) : fmt::format("{}: {}", error, message));
}

Result<Session> parse_session(const json& value) {
  Session session;
  if (value.is_object()) {
    session.id = text_member(value, "sessionId");
    const auto capabilities = value.find("capabilities");
    if (capabilities != value.end() && capabilities->is_object()) {
      session.browser_name = text_member(*capabilities, "browserName");
      session.browser_version = text_member(*capabilities, "browserVersion");
      const auto options = capabilities->find("goog:chromeOptions");
      if (options != capabilities->end() && options->is_object()) {
        session.debugger = text_member(*options, "debuggerAddress");
      }
    }
  }
  if (!is_safe_id(session.id)) {
    return fail(Code::kUnavailable, "the new session has no usable sessionId");
  }
  return session;
}

}  // namespace shoal::webdriver
