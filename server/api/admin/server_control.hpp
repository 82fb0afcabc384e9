// What operators do to the server as a whole, in the messages of shoal.admin.v1. Implemented by the app; main lane.
#pragma once

#include <shoal/admin/v1/admin.pb.h>

#include "engine/core/result.hpp"

namespace shoal::api::admin {

class ServerControl {
 public:
  ServerControl() = default;
  ServerControl(const ServerControl&) = delete;
  ServerControl& operator=(const ServerControl&) = delete;
  virtual ~ServerControl() = default;

  [[nodiscard]] virtual shoal::admin::v1::Server state() const = 0;
  // kUnavailable when the server is shutting down, which is past being called back; kInvalidArgument names the field.
  virtual Result<shoal::admin::v1::Server> drain(const shoal::admin::v1::DrainServerRequest& request) = 0;
  virtual Result<shoal::admin::v1::Server> resume() = 0;
  // kInvalidArgument or kNotFound with file and key: nothing was changed.
  virtual Result<shoal::admin::v1::ReloadSettingsResponse> reload() = 0;
};

}  // namespace shoal::api::admin
