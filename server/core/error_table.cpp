#include "server/core/error_table.hpp"

#include <array>

namespace shoal {
namespace {

// gRPC numbers: 1 CANCELLED 3 INVALID_ARGUMENT 4 DEADLINE_EXCEEDED 5 NOT_FOUND 8 RESOURCE_EXHAUSTED 12 UNIMPLEMENTED
// 7 PERMISSION_DENIED 13 INTERNAL 14 UNAVAILABLE 16 UNAUTHENTICATED. Labels REJECTED, CANCELED, BACKEND, OTHER are
// Triton's failure reasons.
constexpr std::array<ErrorRow, kCodeCount> kRows = {{
    {Code::kInvalidArgument, 400, 400, 3, "invalid_request_error", "", "OTHER", false},
    {Code::kNotFound, 404, 404, 5, "invalid_request_error", "model_not_found", "OTHER", false},
    {Code::kOverloaded, 503, 429, 14, "rate_limit_error", "overloaded", "REJECTED", true},
    {Code::kUnavailable, 503, 503, 14, "server_error", "unavailable", "REJECTED", true},
    {Code::kDeadlineExceeded, 504, 504, 4, "server_error", "deadline_exceeded", "REJECTED", false},
    {Code::kCancelled, 499, 499, 1, "invalid_request_error", "cancelled", "CANCELED", false},
    {Code::kResourceLimit, 507, 507, 8, "server_error", "resource_limit", "BACKEND", false},
    {Code::kBackendUnavailable, 400, 400, 9, "invalid_request_error", "backend_unavailable", "BACKEND", false},
    {Code::kOperatorNotSupported, 501, 501, 12, "server_error", "operator_not_supported", "BACKEND", false},
    {Code::kPrecisionNotSupported, 501, 501, 12, "server_error", "precision_not_supported", "BACKEND", false},
    {Code::kGraphBuildingError, 500, 500, 13, "server_error", "graph_building_error", "BACKEND", false},
    {Code::kDeviceLost, 503, 503, 14, "server_error", "device_lost", "BACKEND", true},
    {Code::kWorkerLost, 503, 503, 14, "server_error", "worker_lost", "BACKEND", true},
    {Code::kContextLengthExceeded, 400, 400, 3, "invalid_request_error", "context_length_exceeded", "OTHER", false},
    {Code::kInternal, 500, 500, 13, "server_error", "internal_error", "OTHER", false},
    {Code::kUnauthenticated, 401, 401, 16, "invalid_request_error", "invalid_api_key", "OTHER", false},
    {Code::kPermissionDenied, 403, 403, 7, "invalid_request_error", "insufficient_permissions", "OTHER", false},
    {Code::kQuotaExceeded, 429, 429, 8, "rate_limit_error", "rate_limit_exceeded", "REJECTED", true},
}};

constexpr bool in_order() {
  for (std::size_t index = 0; index < kRows.size(); ++index) {
    if (static_cast<std::size_t>(kRows[index].code) != index + 1) {
      return false;
    }
  }
  return true;
}
static_assert(in_order(), "one row per code, in the order of the codes");

}  // namespace

const ErrorRow& error_row(Code code) { return kRows[static_cast<std::size_t>(code) - 1]; }

}  // namespace shoal
