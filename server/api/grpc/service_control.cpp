// The service's calls on the model repository: what there is, and loading and unloading it.
#include <utility>

#include "server/api/grpc/service.hpp"
#include "server/api/kserve/control_call.hpp"
#include "server/api/kserve/documents.hpp"
#include "server/dispatch/model_control.hpp"

namespace shoal::api::grpc {
namespace {

using inference::ModelRepositoryParameter;

constexpr std::string_view kNoControl = "explicit model load / unload is not offered";

template <class Map>
wire::Parameters parameters_of(const Map& map) {
  wire::Parameters parameters;
  for (const auto& [name, value] : map) {
    switch (value.parameter_choice_case()) {
      case ModelRepositoryParameter::kBoolParam:
        parameters.emplace(name, value.bool_param());
        break;
      case ModelRepositoryParameter::kInt64Param:
        parameters.emplace(name, value.int64_param());
        break;
      case ModelRepositoryParameter::kBytesParam:
        parameters.emplace(name, value.bytes_param());
        break;
      default:
        parameters.emplace(name, value.string_param());
    }
  }
  return parameters;
}

}  // namespace

UnaryReactor* InferenceService::RepositoryIndex(Context* context, const inference::RepositoryIndexRequest* request,
                                                inference::RepositoryIndexResponse* response) {
  return later(context, auth::Scope::kInfer, [this, request, response](const std::function<void(Status)>& finish) {
    const auto write = [this, request, response, finish] {
      const dispatch::ControlView changes = control_ == nullptr ? dispatch::ControlView{} : control_->view();
      for (kserve::IndexEntry& entry :
           kserve::repository_index(*calls_.services.models(), calls_.services.inference, request->ready(), changes)) {
        auto& model = *response->add_models();
        model.set_name(std::move(entry.name));
        model.set_version(std::move(entry.version));
        model.set_state(std::string(entry.state));
        model.set_reason(std::move(entry.reason));
      }
      finish({});
    };
    if (control_ == nullptr) {
      write();
    } else {
      control_->look(write);
    }
  });
}

UnaryReactor* InferenceService::RepositoryModelLoad(Context* context,
                                                    const inference::RepositoryModelLoadRequest* request,
                                                    inference::RepositoryModelLoadResponse*) {
  if (control_ == nullptr) {
    return not_offered(context, kNoControl);
  }
  return later(context, auth::Scope::kAdmin, [this, request](const std::function<void(Status)>& finish) {
    auto load = kserve::load_request(request->model_name(), parameters_of(request->parameters()));
    if (!load) {
      finish(fail(std::move(load.error())));
      return;
    }
    control_->load(*std::move(load), finish);
  });
}

UnaryReactor* InferenceService::RepositoryModelUnload(Context* context,
                                                      const inference::RepositoryModelUnloadRequest* request,
                                                      inference::RepositoryModelUnloadResponse*) {
  if (control_ == nullptr) {
    return not_offered(context, kNoControl);
  }
  return later(context, auth::Scope::kAdmin, [this, request](const std::function<void(Status)>& finish) {
    const Status checked = kserve::check_unload(parameters_of(request->parameters()));
    if (!checked) {
      finish(checked);
      return;
    }
    control_->unload(request->model_name(), finish);
  });
}

}  // namespace shoal::api::grpc
