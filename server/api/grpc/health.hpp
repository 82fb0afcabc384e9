// grpc.health.v1.Health: SERVING while every model's default backend is ready and the server does not drain. Known
// services are the empty name, the inference service and this one. What it says is read on the main lane.
#pragma once

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/api/grpc/call.hpp"
#include "server/api/grpc/calls.hpp"

namespace shoal::api::grpc {

class HealthService final {
 public:
  explicit HealthService(Calls& calls) : calls_(calls) {}

  // Requires: outlives them.
  void add_to(Methods& methods);

  UnaryReactor* Check(CallContext* context, const ::grpc::health::v1::HealthCheckRequest* request,
                      ::grpc::health::v1::HealthCheckResponse* response);
  WriteReactor<::grpc::health::v1::HealthCheckResponse>* Watch(CallContext* context,
                                                               const ::grpc::health::v1::HealthCheckRequest* request);

 private:
  Calls& calls_;
};

}  // namespace shoal::api::grpc
