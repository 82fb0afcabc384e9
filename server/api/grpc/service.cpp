#include "server/api/grpc/service.hpp"

#include <string_view>
#include <utility>

#include "server/api/grpc/admission.hpp"
#include "server/api/grpc/infer_stream.hpp"
#include "server/api/grpc/infer_unary.hpp"
#include "server/api/grpc/status.hpp"
#include "server/api/kserve/documents.hpp"
#include "server/core/ids.hpp"
#include "server/net/open_lane.hpp"

namespace shoal::api::grpc {
namespace {

void fill_duration(const dispatch::DurationCount& from, inference::StatisticDuration& to) {
  to.set_count(from.count);
  to.set_ns(from.ns);
}

void fill_statistics(const kserve::StatisticsEntry& entry, inference::ModelStatistics& out) {
  const dispatch::ModelStatistics& counts = entry.statistics;
  out.set_name(entry.model->name);
  out.set_version(std::to_string(entry.model->version));
  out.set_last_inference(counts.last_inference_ms);
  out.set_inference_count(counts.inference_count);
  out.set_execution_count(counts.execution_count);
  inference::InferStatistics& sums = *out.mutable_inference_stats();
  fill_duration(counts.success, *sums.mutable_success());
  fill_duration(counts.fail, *sums.mutable_fail());
  fill_duration(counts.queue, *sums.mutable_queue());
  fill_duration(counts.compute_input, *sums.mutable_compute_input());
  fill_duration(counts.compute_infer, *sums.mutable_compute_infer());
  fill_duration(counts.compute_output, *sums.mutable_compute_output());
  fill_duration({}, *sums.mutable_cache_hit());
  fill_duration({}, *sums.mutable_cache_miss());
  for (const auto& [size, batch] : counts.batches) {
    inference::InferBatchStatistics& row = *out.add_batch_stats();
    row.set_batch_size(size);
    fill_duration(batch.compute_input, *row.mutable_compute_input());
    fill_duration(batch.compute_infer, *row.mutable_compute_infer());
    fill_duration(batch.compute_output, *row.mutable_compute_output());
  }
}

template <class Tensors>
void fill_tensors(const std::vector<models::TensorSignature>& signatures, Tensors& tensors) {
  for (const models::TensorSignature& signature : signatures) {
    auto& tensor = *tensors.Add();
    tensor.set_name(signature.name);
    tensor.set_datatype(std::string(datatype_name(signature.datatype)));
    tensor.mutable_shape()->Add(signature.dims.begin(), signature.dims.end());
  }
}

constexpr std::string_view kNoSharedMemory = "shared memory is not offered: the workers are browsers";

}  // namespace

UnaryReactor* InferenceService::later(Context* context, auth::Scope scope,
                                      std::function<void(std::function<void(Status)>)> start) {
  auto* reactor = context->DefaultReactor();
  net::enter(calls_.services.main, [this, context, reactor, scope, start = std::move(start)] {
    const auto finish = [context, reactor](const Status& status) {
      reactor->Finish(finish_status(*context, uuid_v7(), status));
    };
    if (const Status status = admit(calls_, *context, scope); !status) {
      finish(status);
    } else {
      start(finish);
    }
  });
  return reactor;
}

template <class Fill>
UnaryReactor* InferenceService::answer(Context* context, Fill fill, auth::Scope scope) {
  return later(context, scope, [fill = std::move(fill)](const std::function<void(Status)>& finish) { finish(fill()); });
}

UnaryReactor* InferenceService::not_offered(Context* context, std::string_view what) {
  auto* reactor = context->DefaultReactor();
  net::enter(calls_.services.main, [this, context, reactor, what] {
    const Status status = admit(calls_, *context, auth::Scope::kAdmin);
    reactor->Finish(status ? ::grpc::Status(::grpc::StatusCode::UNIMPLEMENTED, std::string(what))
                           : finish_status(*context, uuid_v7(), status));
  });
  return reactor;
}

UnaryReactor* InferenceService::ServerLive(Context* context, const inference::ServerLiveRequest*,
                                           inference::ServerLiveResponse* response) {
  return answer(
      context,
      [response]() -> Status {
        response->set_live(true);
        return {};
      },
      auth::Scope::kPublic);
}

UnaryReactor* InferenceService::ServerReady(Context* context, const inference::ServerReadyRequest*,
                                            inference::ServerReadyResponse* response) {
  return answer(
      context,
      [this, response]() -> Status {
        response->set_ready(calls_.services.inference.server_ready().has_value());
        return {};
      },
      auth::Scope::kPublic);
}

UnaryReactor* InferenceService::ModelReady(Context* context, const inference::ModelReadyRequest* request,
                                           inference::ModelReadyResponse* response) {
  return answer(context, [this, request, response]() -> Status {
    const auto model = calls_.services.models()->find(request->name(), std::string_view(request->version()));
    if (!model && model.error().code == Code::kInvalidArgument) {
      return fail(model.error());
    }
    response->set_ready(model && calls_.services.inference.model_ready(**model));
    return {};
  });
}

UnaryReactor* InferenceService::ServerMetadata(Context* context, const inference::ServerMetadataRequest*,
                                               inference::ServerMetadataResponse* response) {
  return answer(context, [this, response]() -> Status {
    response->set_name(std::string(kserve::kServerName));
    response->set_version(calls_.services.version);
    for (const std::string_view extension : kserve::extensions()) {
      response->add_extensions(std::string(extension));
    }
    return {};
  });
}

UnaryReactor* InferenceService::ModelMetadata(Context* context, const inference::ModelMetadataRequest* request,
                                              inference::ModelMetadataResponse* response) {
  return answer(context, [this, request, response]() -> Status {
    const models::SnapshotPtr snapshot = calls_.services.models();
    const auto model = snapshot->find(request->name(), std::string_view(request->version()));
    if (!model) {
      return fail(model.error());
    }
    response->set_name((*model)->name);
    response->set_platform((*model)->platform);
    for (std::string& version : kserve::ready_versions(*snapshot, (*model)->name)) {
      response->add_versions(std::move(version));
    }
    fill_tensors((*model)->inputs, *response->mutable_inputs());
    fill_tensors((*model)->outputs, *response->mutable_outputs());
    return {};
  });
}

UnaryReactor* InferenceService::ModelInfer(Context* context, const inference::ModelInferRequest* request,
                                           inference::ModelInferResponse*) {
  // The message belongs to this call and is not const itself; its tensors are moved out instead of copied.
  return UnaryInfer::start(calls_, *context, const_cast<inference::ModelInferRequest&>(*request));
}

BidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* InferenceService::ModelStreamInfer(
    Context* context) {
  return StreamInfer::start(calls_, *context);
}

UnaryReactor* InferenceService::ModelConfig(Context* context, const inference::ModelConfigRequest* request,
                                            inference::ModelConfigResponse* response) {
  return answer(context, [this, request, response]() -> Status {
    const auto model = calls_.services.models()->find(request->name(), std::string_view(request->version()));
    if (!model) {
      return fail(model.error());
    }
    *response->mutable_config() = *(*model)->config;
    return {};
  });
}

UnaryReactor* InferenceService::ModelStatistics(Context* context, const inference::ModelStatisticsRequest* request,
                                                inference::ModelStatisticsResponse* response) {
  return answer(context, [this, request, response]() -> Status {
    const auto entries = kserve::select_statistics(*calls_.services.models(), calls_.services.statistics(),
                                                   request->name(), request->version());
    if (!entries) {
      return fail(entries.error());
    }
    for (const kserve::StatisticsEntry& entry : *entries) {
      fill_statistics(entry, *response->add_model_stats());
    }
    return {};
  });
}

UnaryReactor* InferenceService::no_shared_memory(Context* context) { return not_offered(context, kNoSharedMemory); }

void InferenceService::add_to(Methods& methods) {
  methods.add("/inference.GRPCInferenceService/ServerLive", *this, &InferenceService::ServerLive);
  methods.add("/inference.GRPCInferenceService/ServerReady", *this, &InferenceService::ServerReady);
  methods.add("/inference.GRPCInferenceService/ModelReady", *this, &InferenceService::ModelReady);
  methods.add("/inference.GRPCInferenceService/ServerMetadata", *this, &InferenceService::ServerMetadata);
  methods.add("/inference.GRPCInferenceService/ModelMetadata", *this, &InferenceService::ModelMetadata);
  methods.add("/inference.GRPCInferenceService/ModelInfer", *this, &InferenceService::ModelInfer);
  methods.add("/inference.GRPCInferenceService/ModelStreamInfer", *this, &InferenceService::ModelStreamInfer);
  methods.add("/inference.GRPCInferenceService/ModelConfig", *this, &InferenceService::ModelConfig);
  methods.add("/inference.GRPCInferenceService/ModelStatistics", *this, &InferenceService::ModelStatistics);
  methods.add("/inference.GRPCInferenceService/RepositoryIndex", *this, &InferenceService::RepositoryIndex);
  methods.add("/inference.GRPCInferenceService/RepositoryModelLoad", *this, &InferenceService::RepositoryModelLoad);
  methods.add("/inference.GRPCInferenceService/RepositoryModelUnload", *this, &InferenceService::RepositoryModelUnload);
  for (const std::string kind : {"System", "Cuda"}) {
    for (const char* what : {"Status", "Register", "Unregister"}) {
      methods.add("/inference.GRPCInferenceService/" + kind + "SharedMemory" + what, *this,
                  &InferenceService::no_shared_memory);
    }
  }
  methods.add("/inference.GRPCInferenceService/TraceSetting", *this, &InferenceService::TraceSetting);
  methods.add("/inference.GRPCInferenceService/LogSettings", *this, &InferenceService::LogSettings);
}

}  // namespace shoal::api::grpc
