#include "server/api/grpc/status.hpp"

#include "server/core/error_table.hpp"

namespace shoal::api::grpc {
namespace {

// Trailers share a frame with the message; clients refuse them from 8 KiB on.
constexpr std::size_t kMaxMessageBytes = 2048;

std::string shortened(const std::string& message) {
  if (message.size() <= kMaxMessageBytes) {
    return message;
  }
  std::size_t end = kMaxMessageBytes;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return message.substr(0, end) + "...";
}

}  // namespace

::grpc::Status to_grpc(const Error& error) {
  return {static_cast<::grpc::StatusCode>(error_row(error.code).grpc), shortened(error.message)};
}

void add_request_id(CallContext& context, const std::string& request_id) {
  context.AddTrailingMetadata("x-request-id", request_id);
}

::grpc::Status finish_status(CallContext& context, const std::string& request_id, const Status& status) {
  add_request_id(context, request_id);
  if (status) {
    return ::grpc::Status::OK;
  }
  context.AddTrailingMetadata("shoal-error-code", std::string(code_name(status.error().code)));
  return to_grpc(status.error());
}

}  // namespace shoal::api::grpc
