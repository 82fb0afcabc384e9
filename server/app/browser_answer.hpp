// One answer of a model that a running server's browsers compute, by the APIs that every client has. Any lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/app/http_call.hpp"
#include "server/core/generation.hpp"

namespace shoal::app {

struct BrowserQuestion {
  std::string model;   // its name on the server
  std::string prompt;  // a chat model's is what the user says, unless is_raw
  bool is_raw = false;
  std::vector<std::int32_t> ids = {};  // instead of a prompt, where there are any
  std::uint32_t max_tokens = 0;
  SamplingOptions sampling = {};
};

// Told of what an answer gets longer by; false ends it.
using OnAnswer = std::function<bool(const std::vector<std::int32_t>& ids, std::string_view text)>;

// What `shoal run --json` says: of a model that generates `ids`, `text`, `finish_reason` ("cancelled" where the reader
// has ended it) and times, of an encoder `output`, of both where it was computed. The server's own error.
boost::asio::awaitable<Result<nlohmann::json>> ask_browser(const HttpCall& call, BrowserQuestion question,
                                                           OnAnswer on_answer);

}  // namespace shoal::app
