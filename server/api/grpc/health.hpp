// grpc.health.v1.Health: SERVING while every model's default backend is ready and the server does not drain. Known
// services are the empty name, the inference service and this one. gRPC's threads post to the main lane.
#pragma once

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/api/grpc/calls.hpp"

namespace shoal::api::grpc {

class HealthService final : public ::grpc::health::v1::Health::CallbackService {
 public:
  explicit HealthService(Calls& calls) : calls_(calls) {}

  ::grpc::ServerUnaryReactor* Check(::grpc::CallbackServerContext* context,
                                    const ::grpc::health::v1::HealthCheckRequest* request,
                                    ::grpc::health::v1::HealthCheckResponse* response) override;
  ::grpc::ServerWriteReactor<::grpc::health::v1::HealthCheckResponse>* Watch(
      ::grpc::CallbackServerContext* context, const ::grpc::health::v1::HealthCheckRequest* request) override;

 private:
  Calls& calls_;
};

}  // namespace shoal::api::grpc
