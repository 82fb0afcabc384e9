// The service's calls on log and trace settings.
#include <fmt/format.h>

#include <utility>

#include "server/api/grpc/service.hpp"
#include "server/api/kserve/log_settings.hpp"
#include "server/api/kserve/trace_settings.hpp"
#include "server/core/log_level.hpp"

namespace shoal::api::grpc {
namespace {

using LogValue = inference::LogSettingsRequest::SettingValue;

Result<wire::Parameters> log_changes(const inference::LogSettingsRequest& request) {
  wire::Parameters changes;
  for (const auto& [name, value] : request.settings()) {
    switch (value.parameter_choice_case()) {
      case LogValue::kBoolParam:
        changes.emplace(name, value.bool_param());
        break;
      case LogValue::kUint32Param:
        changes.emplace(name, std::uint64_t{value.uint32_param()});
        break;
      case LogValue::kStringParam:
        changes.emplace(name, value.string_param());
        break;
      case LogValue::PARAMETER_CHOICE_NOT_SET:
        return fail(Code::kInvalidArgument, fmt::format("log setting '{:.100}' has no value", name), name);
    }
  }
  return changes;
}

void fill_log_settings(LogLevel level, inference::LogSettingsResponse& response) {
  for (const auto& [name, value] : kserve::log_settings(level)) {
    auto& setting = (*response.mutable_settings())[name];
    if (const auto* flag = std::get_if<bool>(&value)) {
      setting.set_bool_param(*flag);
    } else if (const auto* number = std::get_if<std::uint64_t>(&value)) {
      setting.set_uint32_param(static_cast<std::uint32_t>(*number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      setting.set_string_param(*text);
    }
  }
}

kserve::TraceSettings trace_changes(const inference::TraceSettingRequest& request) {
  kserve::TraceSettings changes;
  for (const auto& [name, setting] : request.settings()) {
    changes.emplace(name, std::vector<std::string>(setting.value().begin(), setting.value().end()));
  }
  return changes;
}

}  // namespace

UnaryReactor* InferenceService::LogSettings(Context* context, const inference::LogSettingsRequest* request,
                                            inference::LogSettingsResponse* response) {
  return later(context, auth::Scope::kAdmin, [this, request, response](const std::function<void(Status)>& finish) {
    const Log& log = calls_.services.log;
    const auto changes = log_changes(*request);
    Status status = changes ? kserve::change_log(log, *changes) : fail(changes.error());
    fill_log_settings(level_of(log), *response);
    finish(std::move(status));
  });
}

UnaryReactor* InferenceService::TraceSetting(Context* context, const inference::TraceSettingRequest* request,
                                             inference::TraceSettingResponse* response) {
  return later(context, auth::Scope::kAdmin, [this, request, response](const std::function<void(Status)>& finish) {
    if (!request->model_name().empty()) {
      if (const auto model = calls_.services.models()->find(request->model_name()); !model) {
        finish(fail(model.error()));
        return;
      }
    }
    for (const auto& [name, values] : kserve::trace_settings()) {
      auto& setting = (*response->mutable_settings())[name];
      setting.mutable_value()->Add(values.begin(), values.end());
    }
    finish(kserve::check_trace_settings(trace_changes(*request)));
  });
}

}  // namespace shoal::api::grpc
