// Answers to bodies that are not taken. Pure.
#pragma once

#include <string>
#include <utility>

#include "server/api/http/errors.hpp"

namespace shoal::api::http {

// Larger than its route takes, with the status that the style's clients know for it: 413, Triton's 400.
inline Response body_too_large(ErrorStyle style, std::string message) {
  return error_response(style, style == ErrorStyle::kOpenai ? 413 : 400,
                        {Code::kInvalidArgument, std::move(message), {}});
}

// There is no memory for another one.
inline Response bodies_too_many(ErrorStyle style) {
  return error_response(
      style, {Code::kOverloaded, "the requests that are being answered hold all the memory there is for them", {}});
}

}  // namespace shoal::api::http
