// inference.GRPCInferenceService. Calls that only read state are answered on the main lane through the call's own
// reactor; inference has reactors of its own (infer_unary.hpp, infer_stream.hpp); what Shoal does not offer is
// UNIMPLEMENTED with a reason. Owned by the server; the thread of its queue enters here.
#pragma once

#include "inference/service.grpc.pb.h"
#include "server/api/grpc/call.hpp"
#include "server/api/grpc/calls.hpp"

namespace shoal::dispatch {
class ModelControl;
}

namespace shoal::api::grpc {

class InferenceService final {
 public:
  // Without a `control` loading and unloading are not offered.
  InferenceService(Calls& calls, dispatch::ModelControl* control) : calls_(calls), control_(control) {}

  // Requires: outlives them.
  void add_to(Methods& methods);

  using Context = CallContext;
  using Unary = UnaryReactor;

  Unary* ServerLive(Context*, const inference::ServerLiveRequest*, inference::ServerLiveResponse*);
  Unary* ServerReady(Context*, const inference::ServerReadyRequest*, inference::ServerReadyResponse*);
  Unary* ModelReady(Context*, const inference::ModelReadyRequest*, inference::ModelReadyResponse*);
  Unary* ServerMetadata(Context*, const inference::ServerMetadataRequest*, inference::ServerMetadataResponse*);
  Unary* ModelMetadata(Context*, const inference::ModelMetadataRequest*, inference::ModelMetadataResponse*);
  Unary* ModelInfer(Context*, const inference::ModelInferRequest*, inference::ModelInferResponse*);
  BidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(Context*);
  Unary* ModelConfig(Context*, const inference::ModelConfigRequest*, inference::ModelConfigResponse*);
  Unary* ModelStatistics(Context*, const inference::ModelStatisticsRequest*, inference::ModelStatisticsResponse*);
  Unary* RepositoryIndex(Context*, const inference::RepositoryIndexRequest*, inference::RepositoryIndexResponse*);

  Unary* RepositoryModelLoad(Context*, const inference::RepositoryModelLoadRequest*,
                             inference::RepositoryModelLoadResponse*);
  Unary* RepositoryModelUnload(Context*, const inference::RepositoryModelUnloadRequest*,
                               inference::RepositoryModelUnloadResponse*);
  // All that registers, unregisters and lists shared memory.
  Unary* no_shared_memory(Context* context);
  Unary* TraceSetting(Context*, const inference::TraceSettingRequest*, inference::TraceSettingResponse*);
  Unary* LogSettings(Context*, const inference::LogSettingsRequest*, inference::LogSettingsResponse*);

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
