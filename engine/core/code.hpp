// The closed list of error codes. Numbers equal shoal.core.v1.Code (checked in server/wire), so that a code crosses
// every wire unchanged. What a code means to HTTP, gRPC and OpenAI clients is server/core/error_table.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shoal {

enum class Code : std::uint8_t {
  kInvalidArgument = 1,
  kNotFound = 2,
  kOverloaded = 3,
  kUnavailable = 4,
  kDeadlineExceeded = 5,
  kCancelled = 6,
  kResourceLimit = 7,
  kBackendUnavailable = 8,
  kOperatorNotSupported = 9,
  kPrecisionNotSupported = 10,
  kGraphBuildingError = 11,
  kDeviceLost = 12,
  kWorkerLost = 13,
  kContextLengthExceeded = 14,
  kInternal = 15,
  kUnauthenticated = 16,
  kPermissionDenied = 17,
  kQuotaExceeded = 18,
};

inline constexpr std::size_t kCodeCount = 18;

inline constexpr std::array<std::string_view, kCodeCount> kCodeNames = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OVERLOADED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "RESOURCE_LIMIT",
    "BACKEND_UNAVAILABLE",
    "OPERATOR_NOT_SUPPORTED",
    "PRECISION_NOT_SUPPORTED",
    "GRAPH_BUILDING_ERROR",
    "DEVICE_LOST",
    "WORKER_LOST",
    "CONTEXT_LENGTH_EXCEEDED",
    "INTERNAL",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "QUOTA_EXCEEDED",
};

// "INVALID_ARGUMENT" and so on: the `code` of REST errors and the gRPC trailer `shoal-error-code`.
constexpr std::string_view code_name(Code code) { return kCodeNames[static_cast<std::size_t>(code) - 1]; }

}  // namespace shoal
