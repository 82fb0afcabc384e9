// The W3C WebDriver commands that the pool needs, as HTTP requests to make and answers to read. Pure: no socket here.
// https://www.w3.org/TR/webdriver2/
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::webdriver {

struct Command {
  std::string_view method;
  std::string target;
  std::string body;  // JSON; empty for GET and DELETE
};

struct SessionTimeouts {
  std::chrono::milliseconds script{10'000};
  std::chrono::milliseconds page_load{30'000};
};

Command get_status();
// `capabilities` is the alwaysMatch object.
Command new_session(nlohmann::json capabilities);
Command delete_session(std::string_view session_id);
Command navigate(std::string_view session_id, std::string_view url);
Command get_url(std::string_view session_id);
// Makes `handle` the window of the commands that follow.
Command switch_to_window(std::string_view session_id, std::string_view handle);
Command get_window(std::string_view session_id);
Command set_timeouts(std::string_view session_id, SessionTimeouts timeouts);
Command get_timeouts(std::string_view session_id);

// The `value` of an answer. A remote end's error becomes kNotFound ("invalid session id", "no such window"),
// kInvalidArgument ("invalid argument", "unknown command"), kDeadlineExceeded ("timeout", "script timeout"), else
// kUnavailable, with its words; what is no WebDriver answer is kUnavailable too.
Result<nlohmann::json> parse_response(int http_status, std::string_view body);

// Of a Chromium, to its DevTools; their answers are no WebDriver answers.
// https://chromedevtools.github.io/devtools-protocol/#endpoints
Command new_target();
Command close_target(std::string_view target_id);
// The id in the answer to new_target().
Result<std::string> parse_target(std::string_view body);
// The handle in the value of get_window()'s answer; chromedriver's are ids of targets.
Result<std::string> parse_window(const nlohmann::json& value);
// For new_session() of a chromedriver: another session on the browser whose DevTools are at `debugger`, "host:port".
// What it opens is its own; its end leaves the browser.
nlohmann::json attached_capabilities(const std::string& debugger);

struct Session {
  std::string id;
  std::string browser_name;
  std::string browser_version;
  std::string debugger;  // "host:port" of its DevTools, as chromedriver says; empty without
};
// From the value of new_session's answer.
Result<Session> parse_session(const nlohmann::json& value);

}  // namespace shoal::webdriver
