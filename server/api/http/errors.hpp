// Errors as HTTP answers: {"error","code"} on KServe routes, OpenAI's four keys on /v1. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/api/http/message.hpp"

namespace shoal::api::http {

enum class ErrorStyle : std::uint8_t { kKserve, kOpenai };

// Status, body and Retry-After by server/core/error_table.hpp.
Response error_response(ErrorStyle style, const Error& error);
// The same body under another status: 404 for a path, 405, 413, 403.
Response error_response(ErrorStyle style, unsigned status, const Error& error);

}  // namespace shoal::api::http
