// What each error code is on every protocol, in one place.
#pragma once

#include <string_view>

#include "engine/core/code.hpp"

namespace shoal {

struct ErrorRow {
  Code code;
  int kserve_http;               // status on /v2 routes
  int openai_http;               // status on /v1 routes
  int grpc;                      // grpc::StatusCode as a number: this header does not know gRPC
  std::string_view openai_type;  // "invalid_request_error", ...
  std::string_view openai_code;  // the OpenAI `code`, empty = null
  std::string_view label;        // value of the metric label `reason`
  bool retry_after;              // the answer carries Retry-After
};

// The row of `code`. Total: checked at compile time to have one row per code, in order.
const ErrorRow& error_row(Code code);

}  // namespace shoal
