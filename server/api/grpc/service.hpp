// inference.GRPCInferenceService over the callback API. Calls that only read state are answered on the main lane
// through gRPC's own reactor; inference has reactors of its own (infer_unary.hpp, infer_stream.hpp); what Shoal does
// not offer is UNIMPLEMENTED with a reason. Owned by the server; gRPC's threads enter here.
#pragma once

#include "inference/service.grpc.pb.h"
#include "server/api/grpc/calls.hpp"

namespace shoal::dispatch {
class ModelControl;
}

namespace shoal::api::grpc {

class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  // Without a `control` loading and unloading are not offered.
  InferenceService(Calls& calls, dispatch::ModelControl* control) : calls_(calls), control_(control) {}

  using Context = ::grpc::CallbackServerContext;
  using Unary = ::grpc::ServerUnaryReactor;

  Unary* ServerLive(Context*, const inference::ServerLiveRequest*, inference::ServerLiveResponse*) override;
  Unary* ServerReady(Context*, const inference::ServerReadyRequest*, inference::ServerReadyResponse*) override;
  Unary* ModelReady(Context*, const inference::ModelReadyRequest*, inference::ModelReadyResponse*) override;
  Unary* ServerMetadata(Context*, const inference::ServerMetadataRequest*, inference::ServerMetadataResponse*) override;
  Unary* ModelMetadata(Context*, const inference::ModelMetadataRequest*, inference::ModelMetadataResponse*) override;
  Unary* ModelInfer(Context*, const inference::ModelInferRequest*, inference::ModelInferResponse*) override;
  ::grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(
      Context*) override;
  Unary* ModelConfig(Context*, const inference::ModelConfigRequest*, inference::ModelConfigResponse*) override;
  Unary* ModelStatistics(Context*, const inference::ModelStatisticsRequest*,
                         inference::ModelStatisticsResponse*) override;
  Unary* RepositoryIndex(Context*, const inference::RepositoryIndexRequest*,
                         inference::RepositoryIndexResponse*) override;

  Unary* RepositoryModelLoad(Context*, const inference::RepositoryModelLoadRequest*,
                             inference::RepositoryModelLoadResponse*) override;
  Unary* RepositoryModelUnload(Context*, const inference::RepositoryModelUnloadRequest*,
                               inference::RepositoryModelUnloadResponse*) override;
  Unary* SystemSharedMemoryStatus(Context*, const inference::SystemSharedMemoryStatusRequest*,
                                  inference::SystemSharedMemoryStatusResponse*) override;
  Unary* SystemSharedMemoryRegister(Context*, const inference::SystemSharedMemoryRegisterRequest*,
                                    inference::SystemSharedMemoryRegisterResponse*) override;
  Unary* SystemSharedMemoryUnregister(Context*, const inference::SystemSharedMemoryUnregisterRequest*,
                                      inference::SystemSharedMemoryUnregisterResponse*) override;
  Unary* CudaSharedMemoryStatus(Context*, const inference::CudaSharedMemoryStatusRequest*,
                                inference::CudaSharedMemoryStatusResponse*) override;
  Unary* CudaSharedMemoryRegister(Context*, const inference::CudaSharedMemoryRegisterRequest*,
                                  inference::CudaSharedMemoryRegisterResponse*) override;
  Unary* CudaSharedMemoryUnregister(Context*, const inference::CudaSharedMemoryUnregisterRequest*,
                                    inference::CudaSharedMemoryUnregisterResponse*) override;
  Unary* TraceSetting(Context*, const inference::TraceSettingRequest*, inference::TraceSettingResponse*) override;
  Unary* LogSettings(Context*, const inference::LogSettingsRequest*, inference::LogSettingsResponse*) override;

 private:
  // Runs `fill` on the main lane; the call ends with its Status, or with that of its key.
  template <class Fill>
  Unary* answer(Context* context, Fill fill, auth::Scope scope = auth::Scope::kInfer);
  Unary* not_offered(Context* context, std::string_view what);

  // Checks the key on the main lane, then starts what ends by calling its argument.
  Unary* later(Context* context, auth::Scope scope, std::function<void(std::function<void(Status)>)> start);

  Calls& calls_;
  dispatch::ModelControl* control_;
};

}  // namespace shoal::api::grpc
