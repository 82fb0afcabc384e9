// `shoal run --backend wasm`: an answer that a browser computes, of a running server or of one that is there for this
// answer alone. Calling thread; blocks.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "server/app/browser_answer.hpp"
#include "server/app/settings.hpp"

namespace shoal::app {

struct BrowserRun {
  std::string url;                      // of a running server, which has question.model; empty: one of our own
  std::string model;                    // as NativeRequest has it, of a server of our own
  std::optional<std::uint32_t> bits{};  // likewise
  std::string kv_bits;                  // likewise, as runtime::parse_kv_bits() has it
  BrowserQuestion question;
};

// As ask_browser(), with `load_ms`: until the model answered, browser and server included. kUnavailable when server or
// browser do not start, kNotFound when there is no such model or variant.
Result<nlohmann::json> run_in_browser(BrowserRun run, const Settings& settings, Parallel& parallel, OnAnswer on_answer);

}  // namespace shoal::app
