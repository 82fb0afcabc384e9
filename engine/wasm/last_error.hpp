// The error that the exports of this instance met last: shoal_error() reads it.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/core/result.hpp"

namespace shoal::wasm {

inline Error last_error;

inline void keep_error(Error error) { last_error = std::move(error); }

// 0, or the code of the error, which is kept.
inline std::uint32_t status_of(Status status) {
  if (status) {
    return 0;
  }
  keep_error(std::move(status.error()));
  return static_cast<std::uint32_t>(last_error.code);
}

}  // namespace shoal::wasm
